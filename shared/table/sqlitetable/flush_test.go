package sqlitetable_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/tenant/tenanttest"
)

// disk is a Sync hook that counts, and that can be held and made to fail.
type disk struct {
	syncs atomic.Int64
	hold  chan error // if not nil, every sync waits for one answer from it
}

func (d *disk) Sync(f *os.File) error {
	d.syncs.Add(1)
	if d.hold != nil {
		if err := <-d.hold; err != nil {
			return err
		}
	}
	return sqlitetable.SyncData(f)
}

func item(id string) table.Key { return table.Key{Kind: "test", Parent: "p", ID: id} }

// bubble runs f in a synctest bubble, where synctest.Wait returns when nobody
// can go on, with a table on a held disk.
func bubble(t *testing.T, f func(t *testing.T, tbl *table.Table, d *disk)) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{hold: make(chan error)}
		tbl, err := sqlitetable.Open(dir, testKey, &sqlitetable.Options{Sync: d.Sync, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		f(t, tbl, d)
		close(d.hold)
		if err := tbl.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// TestGroupCommit has many write while one sync is under way: they all commit,
// are seen by readers, are not acknowledged, and share the next sync.
func TestGroupCommit(t *testing.T) {
	bubble(t, func(t *testing.T, tbl *table.Table, d *disk) {
		sc := tenanttest.Scope("one")
		const writers = 50
		var acknowledged atomic.Int64
		var wg sync.WaitGroup
		write := func(i int) {
			wg.Go(func() {
				if err := tbl.Write(t.Context(), sc, table.Create(item(fmt.Sprint(i)), nil)); err != nil {
					t.Errorf("Write: %v", err)
				}
				acknowledged.Add(1)
			})
		}
		write(0)
		synctest.Wait()
		for i := 1; i < writers; i++ {
			write(i)
		}
		synctest.Wait()
		page, err := tbl.List(t.Context(), sc, table.Query{Kind: "test", Parent: "p"})
		if err != nil || len(page.Items) != writers {
			t.Errorf("%d of %d commits are visible during a sync, %v", len(page.Items), writers, err)
		}
		if n := acknowledged.Load(); n != 0 || d.syncs.Load() != 1 {
			t.Errorf("%d acknowledged before a sync ended, %d syncs", n, d.syncs.Load())
		}
		d.hold <- nil
		synctest.Wait()
		if n := acknowledged.Load(); n != 1 {
			t.Errorf("%d acknowledged by the first sync, want the one that it began after", n)
		}
		d.hold <- nil
		wg.Wait()
		if n := d.syncs.Load(); n != 2 {
			t.Errorf("%d writes took %d syncs, want 2", writers, n)
		}
	})
}

// TestRelaxedDoesNotSync holds that a relaxed write neither syncs nor waits for
// who does, and that one durable operation makes the whole write durable.
func TestRelaxedDoesNotSync(t *testing.T) {
	t.Parallel()
	var d disk
	tbl := open(t, t.TempDir(), &sqlitetable.Options{Sync: d.Sync})
	sc := tenanttest.Scope("one")
	write := func(want int64, ops ...table.Op) {
		t.Helper()
		if err := tbl.Write(t.Context(), sc, ops...); err != nil || d.syncs.Load() != want {
			t.Errorf("%d syncs so far, want %d; %v", d.syncs.Load(), want, err)
		}
	}
	write(0, table.Create(item("a"), nil).Relaxed())
	write(0, table.Create(item("b"), nil).Relaxed(), table.Put(item("c"), nil).Relaxed())
	write(1, table.Create(item("d"), nil).Relaxed(), table.Put(item("e"), nil))
	write(2, table.Create(item("f"), nil))
	write(2, table.Create(item("g"), nil).Relaxed())
	write(2, table.Check(table.Item{Key: item("h")})) // wrote nothing, and all that was promised is synced
	if _, _, err := tbl.Changes(t.Context(), sc, "", 100); err != nil || d.syncs.Load() != 3 {
		t.Errorf("the feed told of what is not synced: %d syncs, %v", d.syncs.Load(), err)
	}
}

// TestConflictWaits holds that a conflict does not tell of a commit that may yet
// be lost. If its sync fails, so does the one who was in its way.
func TestConflictWaits(t *testing.T) {
	for name, fail := range map[string]error{"synced": nil, "failed": errors.New("disk on fire")} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, tbl *table.Table, d *disk) {
				sc := tenanttest.Scope("one")
				var first, second error
				var wg sync.WaitGroup
				wg.Go(func() { first = tbl.Write(t.Context(), sc, table.Create(item("a"), nil)) })
				synctest.Wait()
				wg.Go(func() { second = tbl.Write(t.Context(), sc, table.Create(item("a"), nil)) })
				synctest.Wait()
				d.hold <- fail
				wg.Wait()
				if !errors.Is(first, fail) {
					t.Errorf("the first got %v", first)
				}
				if _, refused := errors.AsType[*table.Conflict](second); refused != (fail == nil) {
					t.Errorf("the second got %v", second)
				}
				if _, err := tbl.Get(t.Context(), sc, item("a")); err != nil { // opens the file again
					t.Error(err)
				}
			})
		})
	}
}

// TestFailedSync holds that after a failed sync nobody who waits is acknowledged,
// that the sync is not tried again, and that the next one to come gets a file
// opened anew, with all that was ever acknowledged.
func TestFailedSync(t *testing.T) {
	bubble(t, func(t *testing.T, tbl *table.Table, d *disk) {
		sc, other := tenanttest.Scope("one"), tenanttest.Scope("two")
		go func() { d.hold <- nil }()
		if err := tbl.Write(t.Context(), sc, table.Create(item("before"), nil)); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				err := tbl.Write(t.Context(), sc, table.Create(item(fmt.Sprint(i)), nil))
				if !problem.Is(err, problem.Unavailable) {
					t.Errorf("acknowledged by a sync that failed: %v", err)
				}
			})
		}
		synctest.Wait()
		d.hold <- errors.New("disk on fire")
		wg.Wait()
		if n := d.syncs.Load(); n != 2 {
			t.Errorf("%d syncs, want no second try", n)
		}
		for _, sc := range []string{"two", "one"} {
			go func() { d.hold <- nil }()
			if err := tbl.Write(t.Context(), tenanttest.Scope(sc), table.Create(item("after"), nil)); err != nil {
				t.Errorf("%s: a write after the file was opened again: %v", sc, err)
			}
		}
		for _, id := range []string{"before", "after"} {
			if it, err := tbl.Get(t.Context(), sc, item(id)); err != nil || it.Version != 1 {
				t.Errorf("%s: version %d, %v", id, it.Version, err)
			}
		}
		if it, err := tbl.Get(t.Context(), other, item("before")); err != nil || it.Version != 0 {
			t.Errorf("the other tenant: version %d, %v", it.Version, err)
		}
	})
}

// TestCloseSyncsForWaiters closes while writers wait: they are acknowledged,
// because what they wrote is in the database.
func TestCloseSyncsForWaiters(t *testing.T) {
	bubble(t, func(t *testing.T, tbl *table.Table, d *disk) {
		sc := tenanttest.Scope("one")
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				if err := tbl.Write(t.Context(), sc, table.Create(item(fmt.Sprint(i)), nil)); err != nil {
					t.Errorf("Write: %v", err)
				}
			})
			synctest.Wait()
		}
		wg.Go(func() {
			if err := tbl.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		synctest.Wait()
		d.hold <- nil
		d.hold <- nil
		wg.Wait()
		if _, err := tbl.Get(t.Context(), sc, item("0")); !problem.Is(err, problem.Unavailable) {
			t.Errorf("Get after Close: %v", err)
		}
	})
}

// TestSyncedFileIsTheWAL holds what flush.go relies on: the file that is synced
// is the WAL SQLite writes to, through checkpoints, restarts and truncation.
func TestSyncedFileIsTheWAL(t *testing.T) {
	t.Parallel()
	dir, sc := t.TempDir(), tenanttest.Scope("one")
	st, err := sqlitetable.OpenStore(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tbl, err := table.New(st, testKey)
	if err != nil {
		t.Fatal(err)
	}
	same := func() {
		t.Helper()
		if err := tbl.Write(t.Context(), sc, table.Put(item("a"), make([]byte, 100_000)).Relaxed()); err != nil {
			t.Fatal(err)
		}
		synced, err1 := st.SyncedFile(sc)
		wal, err2 := os.Stat(filepath.Join(dir, "one", "table.db-wal"))
		if err := errors.Join(err1, err2); err != nil || !os.SameFile(synced, wal) || wal.Size() < 100_000 {
			t.Fatalf("the synced file is not the WAL: %v", err)
		}
	}
	same()
	for _, mode := range []string{"PASSIVE", "FULL", "RESTART", "TRUNCATE"} {
		if err := st.Exec(sc, "PRAGMA wal_checkpoint("+mode+")"); err != nil {
			t.Fatal(err)
		}
		same()
	}
	for range 100 { // past the automatic checkpoint, twice
		same()
	}
	for pragma, want := range map[string]int64{"synchronous": 1, "wal_autocheckpoint": 0} {
		if n, err := st.Number(sc, "PRAGMA "+pragma); err != nil || n != want {
			t.Errorf("%s is %d, want %d; %v", pragma, n, want, err)
		}
	}
}
