package sqlitetable

import (
	"context"
	"os"
	"testing"

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
