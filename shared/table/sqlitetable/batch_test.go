package sqlitetable_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
)

// batch has writes arrive one after the other while the file is held, so that
// they are committed in this order and as many together as a batch takes.
type batch struct {
	st      *sqlitetable.Store
	tbl     *table.Table
	release func()
	errs    []*error
	wg      sync.WaitGroup
}

func hold(t *testing.T, st *sqlitetable.Store, tbl *table.Table) *batch {
	t.Helper()
	works(t, tbl, one) // opens the file
	release, err := st.Hold(one)
	must(t, err)
	return &batch{st: st, tbl: tbl, release: release}
}

// write has a write arrive.
func (b *batch) write(ctx context.Context, ops ...table.Op) *error {
	err := errors.New("not yet")
	queued := b.st.Queued(one)
	b.errs = append(b.errs, &err)
	b.wg.Go(func() { err = b.tbl.Write(ctx, one, ops...) })
	for b.st.Queued(one) == queued {
		runtime.Gosched()
	}
	return &err
}

func (b *batch) run() {
	b.release()
	b.wg.Wait()
}

// ids are those of the items there are.
func ids(t *testing.T, tbl *table.Table) (all []string) {
	t.Helper()
	page, err := tbl.List(t.Context(), one, table.Query{Kind: "test", Parent: "p", Limit: table.MaxPage})
	must(t, err)
	for _, it := range page.Items {
		if it.Key.ID != "works" {
			all = append(all, it.Key.ID)
		}
	}
	return all
}

// TestBatchesAreFewCommits counts them: 64 writes to one, in order of arrival, and
// one sync for all of them.
func TestBatchesAreFewCommits(t *testing.T) {
	t.Parallel()
	for writers, want := range map[int]uint64{1: 1, 2: 1, 64: 1, 65: 2, 200: 4} {
		var d disk
		st, tbl := openStore(t, &sqlitetable.Options{Sync: d.Sync})
		b := hold(t, st, tbl)
		syncs := d.syncs.Load()
		for i := range writers {
			b.write(t.Context(), table.Create(item(fmt.Sprintf("%03d", writers-i)), nil))
		}
		b.run()
		for i, err := range b.errs {
			if *err != nil {
				t.Errorf("write %d of %d: %v", i, writers, *err)
			}
		}
		n, err := st.Commits(one)
		if n -= 1; err != nil || n != want {
			t.Errorf("%d writes took %d commits, want %d; %v", writers, n, want, err)
		}
		if n := d.syncs.Load() - syncs; n > int64(want) {
			t.Errorf("%d writes took %d syncs", writers, n)
		}
		changes, _, err := tbl.Changes(t.Context(), one, "1", writers+1)
		if err != nil || len(changes) != writers {
			t.Fatalf("%d changes of %d writes, %v", len(changes), writers, err)
		}
		for i, c := range changes {
			if want := fmt.Sprintf("%03d", writers-i); c.Key.ID != want {
				t.Fatalf("place %d of %d has %s, want %s: somebody was overtaken", i, writers, c.Key.ID, want)
			}
		}
	}
}

// TestBatchesAreBounded: big writes are not committed all at once, and one that is
// bigger than a batch is one alone.
func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	st, tbl := openStore(t, nil)
	b := hold(t, st, tbl)
	for i := range 6 { // three are too much
		b.write(t.Context(), table.Create(item(fmt.Sprint(i)), make([]byte, table.MaxBody)), table.Create(item(fmt.Sprint(i, "b")), make([]byte, 100_000)))
	}
	var huge []table.Op
	for i := range 4 {
		huge = append(huge, table.Create(item(fmt.Sprint("huge", i)), make([]byte, table.MaxBody)))
	}
	b.write(t.Context(), huge...)
	b.write(t.Context(), table.Create(item("last"), nil))
	b.run()
	for i, err := range b.errs {
		if *err != nil {
			t.Errorf("write %d: %v", i, *err)
		}
	}
	if n, err := st.Commits(one); err != nil || n != 1+3+2 {
		t.Errorf("%d commits, %v", n-1, err)
	}
}

// TestBatchOfAll has every sort of write in one commit. What one of them meets is
// its own result; the others see what was before them, and nothing of a refused one.
func TestBatchOfAll(t *testing.T) {
	t.Parallel()
	st, tbl := openStore(t, nil)
	must(t, tbl.Write(t.Context(), one, table.Create(item("old"), []byte("1")), table.Add(item("full"), map[string]int64{"n": math.MaxInt64})))
	old, err := tbl.Get(t.Context(), one, item("old"))
	must(t, err)
	b := hold(t, st, tbl)
	add := func(id string) table.Op { return table.Add(item(id), map[string]int64{"n": 1}) }
	wants := []struct {
		what string // "" is done, "full" a full counter, else the body there instead
		ops  []table.Op
	}{
		{"", []table.Op{table.Create(item("a"), []byte("a1"))}},
		{"a1", []table.Op{table.Create(item("a"), []byte("a2"))}},
		{"full", []table.Op{add("full")}},
		{"a1", []table.Op{table.Create(item("c"), nil), table.Put(item("old"), nil), table.Create(item("a"), nil)}},
		{"full", []table.Op{table.Create(item("d"), nil), add("full")}},
		{"", []table.Op{table.Check(table.Item{Key: item("c")})}},
		{"", []table.Op{table.Check(table.Item{Key: item("d")}), table.Check(table.Item{Key: item("c")})}},
		{"", []table.Op{table.Create(item("e"), []byte("e1")), table.Replace(old, []byte("2"))}},
		{"2", []table.Op{table.Replace(old, []byte("3"))}},
		{"2", []table.Op{table.Delete(old)}},
		{"e1", []table.Op{table.Check(table.Item{Key: item("e")}).Relaxed()}},
		{"", []table.Op{add("n"), add("m").Relaxed()}},
		{"", []table.Op{add("n").Relaxed()}},
	}
	for _, w := range wants {
		b.write(t.Context(), w.ops...)
	}
	b.run()
	for i, w := range wants {
		err := *b.errs[i]
		if c, refused := errors.AsType[*table.Conflict](err); refused && string(c.Current.Body) == w.what && c.Op == len(w.ops)-1 {
			continue
		}
		if err == nil && w.what == "" || w.what == "full" && problem.Is(err, problem.Conflict) {
			continue
		}
		t.Errorf("write %d: %v, want %q", i, err, w.what)
	}
	if n, err := st.Commits(one); err != nil || n != 3 {
		t.Errorf("%d commits, %v", n-2, err)
	}
	if all := fmt.Sprint(ids(t, tbl)); all != "[a e full m n old]" {
		t.Errorf("there are %s", all)
	}
	n, err := tbl.Get(t.Context(), one, item("n"))
	if err != nil || n.Counts["n"] != 2 || n.Version != 2 {
		t.Errorf("n: %+v, %v", n, err)
	}
	if rows, err := st.Number(one, "SELECT max(seq) FROM items"); err != nil || rows != 9 {
		t.Errorf("the feed is at %d, want no place for refused writes; %v", rows, err)
	}
}

// TestBatchWithoutRoom has one write in the middle that the disk has no room for:
// the others are done, each whole.
func TestBatchWithoutRoom(t *testing.T) {
	t.Parallel()
	st, tbl := openStore(t, nil)
	works(t, tbl, one)
	must(t, tbl.Write(t.Context(), one, table.Create(item("room"), make([]byte, 50_000))))
	room, err := tbl.Get(t.Context(), one, item("room"))
	must(t, errors.Join(err, tbl.Write(t.Context(), one, table.Replace(room, nil)))) // free pages
	must(t, st.Exec(one, "PRAGMA max_page_count=1"))                                 // the pages there are
	b := hold(t, st, tbl)
	for i := range 9 {
		size := 10
		if i == 4 {
			size = 200_000
		}
		b.write(t.Context(), table.Create(item(fmt.Sprint(i)), nil), table.Create(item(fmt.Sprint(i, "b")), make([]byte, size)))
	}
	b.run()
	for i, err := range b.errs {
		if i != 4 && *err != nil || i == 4 && !problem.Is(*err, problem.Unavailable) {
			t.Errorf("write %d: %v", i, *err)
		}
	}
	if n := len(ids(t, tbl)); n != 1+16 {
		t.Errorf("%d items: %v", n, ids(t, tbl))
	}
	if n, err := st.Number(one, "SELECT max(seq) FROM items"); err != nil || n != 4+16 {
		t.Errorf("the feed is at %d, want no place for the refused; %v", n, err)
	}
}

// TestBatchWithDamage has one write in the middle that meets a row it cannot read.
func TestBatchWithDamage(t *testing.T) {
	t.Parallel()
	st, tbl := openStore(t, nil)
	add := func(id string) table.Op { return table.Add(item(id), map[string]int64{"n": 1}) }
	must(t, tbl.Write(t.Context(), one, add("damaged")))
	must(t, st.Exec(one, "UPDATE items SET counts = x'ff'"))
	b := hold(t, st, tbl)
	b.write(t.Context(), add("a"))
	b.write(t.Context(), add("b"), add("damaged"))
	b.write(t.Context(), add("a"), add("c"))
	b.run()
	must(t, errors.Join(*b.errs[0], *b.errs[2]))
	if err := *b.errs[1]; !problem.Is(err, problem.Unavailable) {
		t.Errorf("the one in the middle: %v", err)
	}
	a, err1 := tbl.Get(t.Context(), one, item("a"))
	lost, err2 := tbl.Get(t.Context(), one, item("b"))
	if err := errors.Join(err1, err2); err != nil || a.Counts["n"] != 2 || lost.Version != 0 {
		t.Errorf("a is counted %d times, b has version %d, %v", a.Counts["n"], lost.Version, err)
	}
}

// TestFailedCommit holds that nobody in a batch whose COMMIT failed is told that
// anything happened, a conflict within it included, and that nothing did.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{"full": sqlite3.FULL, "broken": errors.New("disk on fire")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, tbl, d := onFaulty(t, &sqlitetable.Options{Log: slog.New(slog.DiscardHandler)})
			b := hold(t, st, tbl)
			b.write(t.Context(), table.Create(item("a"), nil).Relaxed())
			b.write(t.Context(), table.Create(item("a"), nil))
			b.write(t.Context(), table.Create(item("b"), nil), table.Create(item("c"), nil))
			b.write(t.Context(), table.Check(table.Item{Key: item("x")}))
			fails := func() error { return fault }
			d.fault.Store(&fails)
			b.run()
			d.fault.Store(nil)
			for i, err := range b.errs {
				if !problem.Is(*err, problem.Unavailable) {
					t.Errorf("write %d: %v, want unavailable", i, *err)
				}
			}
			if all := ids(t, tbl); len(all) != 0 {
				t.Errorf("there are %v", all)
			}
			must(t, tbl.Write(t.Context(), one, table.Create(item("a"), nil)))
			changes, next, err := tbl.Changes(t.Context(), one, "1", 10)
			if err != nil || len(changes) != 1 || next != "2" {
				t.Errorf("the feed has %v, next %s, %v", changes, next, err)
			}
		})
	}
}

// TestPanicInABatch: SQLite is machine-translated code; were it to panic, the
// leader's request fails, nobody waits for ever or is told that it was done, and no
// other tenant notices. The file can be opened again when the lock that SQLite could
// not give back is gone with its descriptor.
func TestPanicInABatch(t *testing.T) {
	t.Parallel()
	st, tbl, d := onFaulty(t, &sqlitetable.Options{Log: slog.New(slog.DiscardHandler)})
	works(t, tbl, one)
	release, err := st.Hold(one)
	must(t, err)
	var wg sync.WaitGroup
	var recovered any
	wg.Go(func() {
		defer func() { recovered = recover() }()
		tbl.Write(t.Context(), one, table.Create(item("a"), nil))
	})
	for st.Queued(one) == 0 {
		runtime.Gosched()
	}
	b := &batch{st: st, tbl: tbl, release: release}
	b.write(t.Context(), table.Create(item("b"), nil).Relaxed())
	panics := func() error { panic("out of memory") }
	d.fault.Store(&panics)
	b.run()
	wg.Wait()
	d.fault.Store(nil)
	if err := *b.errs[0]; recovered == nil || !problem.Is(err, problem.Unavailable) {
		t.Errorf("recovered %v; who waited got %v", recovered, err)
	}
	works(t, tbl, two)
}
