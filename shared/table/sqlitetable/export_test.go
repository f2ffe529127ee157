package sqlitetable

import (
	"context"
	"os"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"

	"switchboard/shared/tenant"
)

// What tests see of the inside.
var (
	EncodeCounts = encodeCounts
	DecodeCounts = decodeCounts
	SyncData     = syncData
)

// Store is the driver.
type Store = store

// OpenStore opens the driver without the table over it.
func OpenStore(dir string, opts *Options) (*Store, error) { return open(dir, opts) }

// OpenStoreOn is OpenStore with another way to the disk.
func OpenStoreOn(vfs, dir string, opts *Options) (*Store, error) {
	st, err := open(dir, opts)
	if err == nil {
		st.vfs = vfs
	}
	return st, err
}

// Checkpoint sets at how many pages the WAL is copied into the database.
func (st *store) Checkpoint(whenIdle, atOnce int) { st.limits = limits{whenIdle, atOnce} }

// Pages is how many pages the tenant's WAL has that are not yet in the database,
// once the checkpoints under way are done.
func (st *store) Pages(sc tenant.Scope) (n int, err error) {
	st.background.Wait()
	err = st.with(context.Background(), sc, func(s *session) error {
		n = s.pages
		return nil
	})
	return n, err
}

// OpenFiles is how many files are open.
func (st *store) OpenFiles() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.lru.Len()
}

// Exec runs SQL on a tenant's file.
func (st *store) Exec(sc tenant.Scope, sql string) error {
	return st.with(context.Background(), sc, func(s *session) error { return s.conn.Exec(sql) })
}

// Number runs SQL that answers one number on a tenant's file.
func (st *store) Number(sc tenant.Scope, sql string) (n int64, err error) {
	err = st.with(context.Background(), sc, func(s *session) (err error) {
		n, err = number(s.conn, sql)
		return err
	})
	return n, err
}

// SyncedFile is what a write to the tenant's file waits to be synced.
func (st *store) SyncedFile(sc tenant.Scope) (info os.FileInfo, err error) {
	err = st.with(context.Background(), sc, func(s *session) (err error) {
		info, err = s.wal.Stat()
		return err
	})
	return info, err
}

// Plans says how SQLite would run each statement.
func (st *store) Plans(t *testing.T, sc tenant.Scope) map[string]string {
	plans := map[string]string{}
	err := st.with(t.Context(), sc, func(s *session) error {
		for _, sql := range queries[qGet:] {
			st, _, err := s.conn.Prepare("EXPLAIN QUERY PLAN " + sql)
			if err != nil {
				return err
			}
			for st.Step() {
				plans[sql] += st.ColumnText(3) + "; "
			}
			if err := st.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

// Hold keeps everybody from the tenant's file until release is called.
func (st *store) Hold(sc tenant.Scope) (release func(), err error) {
	f, err := st.file(sc)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	return f.mu.Unlock, nil
}

// Shut closes the tenant's file, as if another had to be opened.
func (st *store) Shut(sc tenant.Scope) error {
	f, err := st.file(sc)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return st.shut(f)
}

// Queued is how many writes wait for the tenant's file.
func (st *store) Queued(sc tenant.Scope) int {
	f, err := st.file(sc)
	if err != nil {
		return 0
	}
	f.queue.mu.Lock()
	defer f.queue.mu.Unlock()
	return len(f.queue.waiting)
}

// Commits is how many transactions that wrote there were since the file was opened.
func (st *store) Commits(sc tenant.Scope) (n uint64, err error) {
	err = st.with(context.Background(), sc, func(s *session) error {
		n = s.flush.all()
		return nil
	})
	return n, err
}

// HeldBack is f as a WAL that is written a transaction at a time.
func HeldBack(f vfs.File) vfs.File { return &walFile{File: f} }
