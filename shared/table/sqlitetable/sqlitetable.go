// Package sqlitetable stores a table in SQLite, one file per tenant.
//
// Only shared/app/local and tests import it. Its one promise: tenants share
// nothing but the directory their directories are in. Each has its own file,
// connection, lock and fsync, so a tenant's corrupt, locked or slow file is
// nobody else's, and a query cannot name another tenant's rows because they are
// not in the file it runs on.
//
//	DIR/<project>/table.db       items and change feed, see schema.go
//	DIR/<project>/table.db-wal   exists while the file is open
//
// One process owns a file while it is open (locking_mode=EXCLUSIVE). Writes that
// come at once are committed together (batch.go), reach the WAL in one system call
// (walfile.go) and are synced together (flush.go).
package sqlitetable

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"switchboard/shared/table"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// Options are what may be left to its default.
type Options struct {
	// MaxOpen is how many files are kept open, least recently used closed first;
	// 0 means 64. It may be passed for a moment while more are in use at once.
	MaxOpen int
	// FeedKeep is how long a deletion or an expiry stays in the change feed: who
	// reads it less often may miss one. 0 means 24 hours, what DynamoDB keeps.
	FeedKeep time.Duration
	// Sync makes the data of a file durable; nil means fdatasync. It is for tests
	// that count or fail syncs.
	Sync func(*os.File) error
	// Log receives what went wrong with a file; nil means slog.Default.
	Log *slog.Logger
}

// Open returns a Table whose files are in dir, which is made if need be. key (32
// bytes) seals cursors, as in [table.New].
func Open(dir string, key []byte, opts *Options) (*table.Table, error) {
	st, err := open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("sqlitetable: %w", err)
	}
	t, err := table.New(st, key)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return t, nil
}

func open(dir string, opts *Options) (*store, error) {
	st := &store{files: map[string]*file{}, lru: list.New(), limits: limits{whenIdle: 1000, atOnce: 2000}}
	if opts != nil {
		st.opts = *opts
	}
	if st.opts.MaxOpen <= 0 {
		st.opts.MaxOpen = 64
	}
	if st.opts.FeedKeep <= 0 {
		st.opts.FeedKeep = 24 * time.Hour
	}
	if st.opts.Sync == nil {
		st.opts.Sync = syncData
	}
	if st.opts.Log == nil {
		st.opts.Log = slog.Default()
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// Resolved once, so that later any symbolic link on the way to a file is one
	// too many, and refused.
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, err
	}
	st.dir = dir
	st.root, err = os.OpenRoot(dir)
	return st, err
}

// store is the driver.
type store struct {
	dir  string // absolute, without symbolic links
	root *os.Root
	opts Options
	vfs  string // SQLite's way to the disk; "" but in tests that stand in it

	limits     limits
	background sync.WaitGroup // checkpoints under way

	mu     sync.Mutex // guards what follows; held for no I/O
	files  map[string]*file
	lru    *list.List // of *file that are open, the most recently used first
	closed bool
}

var _ driver.Driver = (*store)(nil)

// Get implements [driver.Driver].
func (st *store) Get(ctx context.Context, sc tenant.Scope, key driver.Key) (driver.Item, error) {
	if err := sc.Check("sqlitetable.Get"); err != nil {
		return driver.Item{}, err
	}
	var it driver.Item
	err := st.with(ctx, sc, func(s *session) (err error) {
		it, err = s.get(sc, key, now())
		return err
	})
	return it, err
}

// Query implements [driver.Driver].
func (st *store) Query(ctx context.Context, sc tenant.Scope, r driver.Range) ([]driver.Item, error) {
	if err := sc.Check("sqlitetable.Query"); err != nil {
		return nil, err
	}
	var items []driver.Item
	err := st.with(ctx, sc, func(s *session) (err error) {
		s.conn.SetInterrupt(ctx)
		defer s.conn.SetInterrupt(context.Background())
		items, err = s.query(sc, r)
		return err
	})
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	return items, nil
}

// Write implements [driver.Driver]. Until it has begun ctx can end it, and nothing
// happened; then it is not interrupted: it is short, and an answer is better than a
// doubt.
func (st *store) Write(ctx context.Context, sc tenant.Scope, ops []driver.Op) error {
	if err := sc.Check("sqlitetable.Write"); err != nil {
		return err
	}
	f, err := st.file(sc)
	if err != nil {
		return err
	}
	p := newPending(sc, ops)
	st.commit(ctx, f, p)
	if p.err == nil && p.relaxed {
		return nil
	}
	if _, refused := errors.AsType[*driver.Conflict](p.err); p.err != nil && !refused {
		return p.err
	}
	// A conflict waits too: it tells of an item whose writer may be waiting still,
	// and must not tell of one that a power cut then takes back.
	if syncErr := p.flush.wait(ctx, p.upTo); syncErr != nil {
		return syncErr
	}
	return p.err
}

// Changes implements [driver.Driver].
func (st *store) Changes(ctx context.Context, sc tenant.Scope, after string, limit int) ([]driver.Change, string, error) {
	if err := sc.Check("sqlitetable.Changes"); err != nil {
		return nil, "", err
	}
	var fl *flusher
	var upTo uint64
	var changes []driver.Change
	next := after
	err := st.with(ctx, sc, func(s *session) (err error) {
		s.conn.SetInterrupt(ctx)
		defer s.conn.SetInterrupt(context.Background())
		changes, next, err = s.changes(sc, after, limit)
		fl, upTo = s.flush, s.flush.all()
		return err
	})
	if err != nil {
		return nil, "", interrupted(ctx, err)
	}
	// A position outlives a power cut in its reader's store. Were what it counts
	// lost here, the numbers would be given out again and the reader skip them.
	if err := fl.wait(ctx, upTo); err != nil {
		return nil, "", err
	}
	return changes, next, nil
}

// Close implements [driver.Driver]: it waits for operations under way, syncs and
// checkpoints every file and closes it.
func (st *store) Close() error {
	st.mu.Lock()
	if st.closed {
		st.mu.Unlock()
		return nil
	}
	st.closed = true
	files := st.files
	st.files = nil
	st.mu.Unlock()
	var errs []error
	for _, f := range files {
		f.mu.Lock()
		errs = append(errs, st.shut(f))
		f.mu.Unlock()
	}
	st.background.Wait()
	return errors.Join(append(errs, st.root.Close())...)
}

// interrupted prefers the context's word to SQLite's for the same thing.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
