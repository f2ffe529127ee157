package sqlitetable

import (
	"context"
	"errors"

	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// commit brings a write into the tenant's file, together with others that come
// while the file is busy. When it returns, p is done with.
func (st *store) commit(ctx context.Context, f *file, p *pending) {
	leads := f.queue.enter(p)
	if !leads {
		var withdrawn error
		if leads, withdrawn = f.queue.wait(ctx, p); withdrawn != nil {
			p.err = withdrawn
		}
	}
	if leads {
		st.lead(ctx, f, p)
	}
}

// lead commits the next batch, of which p is the first. If the file cannot be had
// that is p's answer alone: the next leader tries again, with its own context.
func (st *store) lead(ctx context.Context, f *file, p *pending) {
	var batch []*pending
	finished := false
	defer func() { // also if SQLite panics: nobody waits for ever, or believes what was not committed
		if !finished {
			fail(batch, errUnfinished)
		}
		f.queue.pass(batch)
	}()
	err := st.use(ctx, f, func(s *session) error {
		batch = f.queue.take()
		err := s.applyAll(batch)
		st.checkpointSoon(f)
		finished = true
		return err
	})
	if batch == nil {
		p.err = err
	}
}

// applyAll applies a batch and notes with each write what became of it and which
// commit to wait for. Its error is for the log.
func (s *session) applyAll(batch []*pending) error {
	err := s.together(batch)
	wrote := false
	for _, p := range batch {
		p.flush, p.upTo = s.flush, s.flush.promised()
		wrote = wrote || p.wrote
	}
	if err == nil && wrote {
		s.purge()
		err = s.checkpointIf(s.limits.atOnce)
	}
	return err
}

// together applies a batch in one transaction; one write alone needs none. If a
// write meets an error that may be the file's, the transaction is taken back, and
// each is applied alone: one that is too big for the disk is its writer's trouble.
// That each is then applied for the first time is certain, because nothing was
// committed and a session that cannot roll back is broken. If COMMIT fails, all
// fail: it may have happened for whoever reads the disk next.
func (s *session) together(batch []*pending) error {
	if len(batch) == 1 {
		return s.oneByOne(batch)
	}
	seq := s.seq
	if err := s.exec(qBegin); err != nil {
		return fail(batch, err)
	}
	durable, wrote := false, false
	for _, p := range batch {
		p.wrote, p.err = s.within(p.sc, p.ops)
		if !p.answered() {
			if s.rollback(seq); s.broken {
				return fail(batch, p.err)
			}
			return s.oneByOne(batch)
		}
		wrote, durable = wrote || p.wrote, durable || p.wrote && !p.relaxed
	}
	if err := s.exec(qCommit); err != nil {
		s.rollback(seq)
		return fail(batch, err)
	}
	if wrote {
		s.flush.committed(durable)
	}
	return nil
}

// oneByOne applies each write in a transaction of its own, until one breaks the
// session. What stands behind that one fails with it, untried.
func (s *session) oneByOne(batch []*pending) (err error) {
	for i, p := range batch {
		p.wrote, p.err = s.apply(p.sc, p.ops)
		if p.wrote {
			s.flush.committed(!p.relaxed)
		}
		if s.broken {
			return fail(batch[i:], p.err)
		}
		if !p.answered() {
			err = p.err
		}
	}
	return err
}

// fail gives the writes of a batch one error.
func fail(batch []*pending, err error) error {
	for _, p := range batch {
		p.wrote, p.err = false, err
	}
	return err
}

// within applies all ops or none inside a transaction. One operation is one
// statement, which does all or nothing by itself; several need a savepoint.
func (s *session) within(sc tenant.Scope, ops []driver.Op) (wrote bool, err error) {
	at := now()
	if len(ops) == 1 {
		return s.applyOnly(sc, ops[0], at)
	}
	if err := s.exec(qSavepoint); err != nil {
		return false, err
	}
	seq := s.seq
	failed, wrote, err := s.applyEach(sc, ops, at)
	if failed < 0 {
		return wrote, s.exec(qRelease)
	}
	if err != nil && !own(err) {
		return false, err // the whole transaction is taken back
	}
	s.seq = seq
	if err := errors.Join(s.exec(qRollbackTo), s.exec(qRelease)); err != nil {
		return false, err
	}
	if err == nil {
		err = s.conflict(sc, failed, ops[failed].Key, at)
	}
	return false, err
}
