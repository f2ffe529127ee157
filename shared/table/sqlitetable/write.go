package sqlitetable

import (
	"math"
	"time"

	"github.com/ncruces/go-sqlite3"

	"switchboard/shared/problem"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// apply applies all ops or none in a transaction of their own, and reports whether
// anything was committed. One operation is one statement, which is its own
// transaction; several are one between BEGIN and COMMIT. Nobody else can write in
// between, nor see.
func (s *session) apply(sc tenant.Scope, ops []driver.Op) (wrote bool, err error) {
	at := now()
	if len(ops) == 1 {
		return s.applyOnly(sc, ops[0], at)
	}
	if err := s.exec(qBegin); err != nil {
		return false, err
	}
	seq := s.seq
	failed, wrote, err := s.applyEach(sc, ops, at)
	if failed < 0 {
		if err = s.exec(qCommit); err == nil {
			return wrote, nil
		}
	}
	s.rollback(seq)
	if err == nil {
		err = s.conflict(sc, failed, ops[failed].Key, at)
	}
	return false, err
}

// applyOnly applies the one operation of a write.
func (s *session) applyOnly(sc tenant.Scope, op driver.Op, at int64) (wrote bool, err error) {
	holds, err := s.applyOne(sc, op, at)
	if err == nil && !holds {
		err = s.conflict(sc, 0, op.Key, at)
	}
	return err == nil && op.Type != driver.Check, err
}

// applyEach applies operations until one fails, which is the one whose index it
// returns, or -1. Without an error its condition did not hold.
func (s *session) applyEach(sc tenant.Scope, ops []driver.Op, at int64) (failed int, wrote bool, err error) {
	for i, op := range ops {
		holds, err := s.applyOne(sc, op, at)
		if err != nil || !holds {
			return i, false, err
		}
		wrote = wrote || op.Type != driver.Check
	}
	return -1, wrote, nil
}

// rollback ends a transaction that failed, unless SQLite already has, and takes
// back the places it had in the feed. One that cannot be ended takes the session
// with it.
func (s *session) rollback(seq int64) {
	s.seq = seq
	if !s.conn.GetAutocommit() && s.exec(qRollback) != nil {
		s.broken = true
	}
}

// conflict says what is there instead.
func (s *session) conflict(sc tenant.Scope, op int, key driver.Key, at int64) error {
	it, err := s.get(sc, key, at)
	if err != nil {
		return err
	}
	return &driver.Conflict{Op: op, Current: it}
}

// applyOne applies one operation and reports whether its condition held.
func (s *session) applyOne(sc tenant.Scope, op driver.Op, at int64) (holds bool, err error) {
	switch op.Type {
	case driver.Check:
		return s.check(sc, op, at)
	case driver.Create:
		return s.change(qCreate, sc, op, at)
	case driver.Put:
		return s.change(qPut, sc, op, at)
	case driver.Replace:
		return s.change(qReplace, sc, op, at)
	case driver.Delete:
		op.Expires = time.Unix(at, 0) // when it was deleted, for the purge
		return s.change(qDelete, sc, op, at)
	case driver.Add:
		return s.add(sc, op, at)
	}
	return false, problem.New(problem.Internal, "sqlitetable.Write", "operation type %d", op.Type)
}

// change runs a statement that changes the row of op.Key if its condition holds.
func (s *session) change(q query, sc tenant.Scope, op driver.Op, at int64) (holds bool, err error) {
	st, err := s.stmt(q)
	if err != nil {
		return false, err
	}
	// The time goes everywhere; create, put and add have no condition, delete has
	// no token, and only add has counts.
	err = first(s.bindKey(st, sc, op.Key), st.BindInt64(1, s.seq+1), st.BindInt64(4, seconds(op.Expires)), st.BindInt64(7, at))
	if q != qDelete {
		err = first(err, st.BindText(5, op.Token))
	}
	switch q {
	case qCreate, qPut:
		err = first(err, st.BindBlob(6, op.Body))
	case qReplace:
		err = first(err, st.BindBlob(6, op.Body), st.BindInt64(8, op.If), st.BindText(10, op.IfToken))
	case qDelete:
		err = first(err, st.BindInt64(8, op.If), st.BindText(10, op.IfToken))
	case qAdd:
		err = first(err, st.BindBlob(9, encodeCounts(op.Counts)))
	}
	if err == nil {
		err = s.fault(st.Exec())
	}
	if len(op.Body) > 1<<14 {
		err = first(err, st.ClearBindings()) // not to keep it until the next
	}
	if err != nil || s.conn.Changes() == 0 {
		return false, err
	}
	s.seq++
	return true, nil
}

// add reads the counters and writes their sums.
func (s *session) add(sc tenant.Scope, op driver.Op, at int64) (bool, error) {
	it, err := s.get(sc, op.Key, at)
	if err != nil {
		return false, err
	}
	sums := it.Counts
	if sums == nil {
		sums = make(map[string]int64, len(op.Counts))
	}
	for name, by := range op.Counts {
		was := sums[name]
		if by > 0 && was > math.MaxInt64-by || by < 0 && was < math.MinInt64-by {
			return false, problem.New(problem.Conflict, "sqlitetable.Write", "counter %s of %s is full", name, op.Key)
		}
		sums[name] = was + by
	}
	op.Counts = sums
	return s.change(qAdd, sc, op, at)
}

// check reports whether the item is the one of op, absent if that is version 0.
func (s *session) check(sc tenant.Scope, op driver.Op, at int64) (holds bool, err error) {
	st, err := s.stmt(qCheck)
	if err != nil {
		return false, err
	}
	if err := first(s.bindKey(st, sc, op.Key), st.BindInt64(7, at)); err != nil {
		return false, err
	}
	holds = op.If == 0
	err = s.rows(st, func() error {
		holds = st.ColumnInt64(0) == op.If && (op.IfToken == "" || st.ColumnText(1) == op.IfToken)
		return nil
	})
	return holds, err
}

func (s *session) bindKey(st *sqlite3.Stmt, sc tenant.Scope, key driver.Key) error {
	return first(st.BindText(2, driver.Partition(sc, key.Kind, key.Parent)), st.BindText(3, key.ID))
}

// seconds is an expiry as it is stored: 0 is never, so 1970 is a second late.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(1, t.Unix())
}

// The purge: how many rows at once, and how often when there are no more.
const (
	purgeRows  = 64
	purgeEvery = time.Minute
)

// purge removes some rows that nobody can see any more and that the feed has
// kept long enough. It rides on a write, so that a file nobody writes to costs
// nothing. It is nobody's write: a failure is left for the next.
func (s *session) purge() {
	if time.Since(s.purged) < purgeEvery {
		return
	}
	st, err := s.stmt(qPurge)
	if err != nil {
		return
	}
	err = first(st.BindInt64(1, s.seq), st.BindInt64(7, time.Now().Add(-s.feedKeep).Unix()), st.BindInt(12, purgeRows))
	if err != nil || s.fault(st.Exec()) != nil {
		return
	}
	n := s.conn.Changes()
	if n > 0 {
		s.flush.committed(false)
	}
	if n < purgeRows {
		s.purged = time.Now()
	}
}
