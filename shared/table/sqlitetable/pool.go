package sqlitetable

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"switchboard/shared/tenant"
)

// retryAfter is how long a file that could not be opened is left alone, so that
// a broken tenant costs neither time nor a flood of log lines.
const retryAfter = time.Second

var errClosed = errors.New("sqlitetable: closed")

// file is one tenant's file, open or not. It stays in store.files for ever: a
// name and a lock for each tenant this process has seen.
type file struct {
	project string
	queue   queue // of writes

	mu      sync.Mutex // one user at a time; guards what follows
	session *session   // nil while the file is not open
	failed  time.Time  // when it could not be opened
	cause   error      // and why

	place *list.Element // in store.lru, nil while not open; guarded by store.mu
}

// with runs fn on the tenant's open file, alone.
func (st *store) with(ctx context.Context, sc tenant.Scope, fn func(*session) error) error {
	f, err := st.file(sc)
	if err != nil {
		return err
	}
	return st.use(ctx, f, fn)
}

// use runs fn on a file, open and alone.
func (st *store) use(ctx context.Context, f *file, fn func(*session) error) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.session != nil && f.session.flush.failed() {
		st.shut(f) // the failure was told to who waited; this caller gets a new start
	}
	if f.session == nil {
		if err := st.reopen(ctx, f); err != nil {
			return err
		}
	}
	returned := false
	defer func() { // a panic leaves a transaction open, which nobody must write into
		if f.session.broken = f.session.broken || !returned; f.session.broken {
			st.opts.Log.ErrorContext(ctx, "table file is reopened", slog.String("project", f.project), slog.Any("error", err))
			st.shut(f)
		}
	}()
	err = fn(f.session)
	returned = true
	return err
}

// file returns the tenant's entry and marks it as used.
func (st *store) file(sc tenant.Scope) (*file, error) {
	project := sc.Project().String()
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed {
		return nil, errClosed
	}
	f := st.files[project]
	if f == nil {
		f = &file{project: project}
		st.files[project] = f
	}
	if f.place != nil {
		st.lru.MoveToFront(f.place)
	}
	return f, nil
}

func (st *store) isClosed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.closed
}

// reopen opens f, which its caller has locked: that makes the open a single one
// however many wait for it, and makes nobody wait but this tenant.
func (st *store) reopen(ctx context.Context, f *file) error {
	if f.cause != nil && time.Since(f.failed) < retryAfter {
		return f.cause
	}
	if st.isClosed() {
		return errClosed
	}
	for {
		victim := st.victim()
		if victim == nil {
			break
		}
		st.shut(victim)
		victim.mu.Unlock()
	}
	s, err := st.openSession(ctx, f.project)
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // says nothing about the file
	}
	if err != nil {
		f.failed, f.cause = time.Now(), err
		st.opts.Log.ErrorContext(ctx, "table file cannot be opened", slog.String("project", f.project), slog.Any("error", err))
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed {
		return errors.Join(errClosed, s.close())
	}
	f.session, f.cause = s, nil
	f.place = st.lru.PushFront(f)
	return nil
}

// victim returns, locked, the file to close before another is opened: the least
// recently used that nobody is using. nil means none has to or can be closed.
// It only tries locks, so two that open at once cannot wait for each other.
func (st *store) victim() *file {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.lru.Len() < st.opts.MaxOpen {
		return nil
	}
	for e := st.lru.Back(); e != nil; e = e.Prev() {
		if f := e.Value.(*file); f.mu.TryLock() {
			return f
		}
	}
	return nil
}

// shut closes f, which its caller has locked.
func (st *store) shut(f *file) error {
	s := f.session
	if s == nil {
		return nil
	}
	f.session = nil
	st.mu.Lock()
	st.lru.Remove(f.place)
	f.place = nil
	st.mu.Unlock()
	err := s.close()
	if err != nil {
		st.opts.Log.Error("table file did not close cleanly", slog.String("project", f.project), slog.Any("error", err))
	}
	return err
}
