package sqlitetable_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/tenant"
)

// openStore opens a table together with its driver.
func openStore(t *testing.T, opts *sqlitetable.Options) (*sqlitetable.Store, *table.Table) {
	t.Helper()
	return openStoreIn(t, t.TempDir(), opts)
}

func openStoreIn(t *testing.T, dir string, opts *sqlitetable.Options) (*sqlitetable.Store, *table.Table) {
	t.Helper()
	st, err := sqlitetable.OpenStore(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := table.New(st, testKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tbl.Close() })
	return st, tbl
}

// TestDriverRefusesZeroScope holds the second lock: the driver refuses too, not
// only the table over it.
func TestDriverRefusesZeroScope(t *testing.T) {
	t.Parallel()
	st, _ := openStore(t, nil)
	var zero tenant.Scope
	_, getErr := st.Get(t.Context(), zero, item("a"))
	_, queryErr := st.Query(t.Context(), zero, driver.Range{Kind: "test", Limit: 1})
	_, _, changesErr := st.Changes(t.Context(), zero, "", 1)
	writeErr := st.Write(t.Context(), zero, []driver.Op{{Type: driver.Put, Key: item("a")}})
	for _, err := range []error{getErr, queryErr, changesErr, writeErr} {
		if !problem.Is(err, problem.Internal) {
			t.Errorf("zero scope: %v", err)
		}
	}
	if n := st.OpenFiles(); n != 0 {
		t.Errorf("%d files were opened for nobody", n)
	}
}

// TestDiskFull holds that a write without room is refused whole, is not
// acknowledged, and leaves the file usable.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	st, tbl := openStore(t, nil)
	works(t, tbl, one)
	if err := st.Exec(one, "PRAGMA max_page_count=1"); err != nil { // the pages there are
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("x"), 100_000)
	for name, ops := range map[string][]table.Op{
		"alone": {table.Create(item("a"), big)},
		"last":  {table.Put(item("works"), []byte("changed")), table.Create(item("a"), big)},
		"first": {table.Create(item("a"), big), table.Put(item("works"), []byte("changed"))},
	} {
		err := tbl.Write(t.Context(), one, ops...)
		if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "full") {
			t.Errorf("%s: %v, want unavailable: full", name, err)
		}
		a, err1 := tbl.Get(t.Context(), one, item("a"))
		w, err2 := tbl.Get(t.Context(), one, item("works"))
		if err1 != nil || err2 != nil || a.Version != 0 || string(w.Body) != "yes" {
			t.Errorf("%s: %d, %q, %v, %v", name, a.Version, w.Body, err1, err2)
		}
	}
	works(t, tbl, two)
	if err := st.Exec(one, "PRAGMA max_page_count=1000000"); err != nil {
		t.Fatal(err)
	}
	if err := tbl.Write(t.Context(), one, table.Create(item("a"), big)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestPurge holds that rows nobody can see go away, some at a time, but not
// before the feed has kept them, and never the last place in the feed.
func TestPurge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ghosts(t, dir)
	st, err := sqlitetable.OpenStore(dir, nil)
	must(t, err)
	defer st.Close()
	tbl, err := table.New(st, testKey)
	must(t, err)
	rows := func() int64 {
		t.Helper()
		n, err := st.Number(one, "SELECT count(*) FROM items")
		must(t, err)
		return n
	}
	for range 5 {
		before := rows()
		must(t, tbl.Write(t.Context(), one, table.Put(item("alive"), nil)))
		if n := rows(); n < before-64 {
			t.Errorf("one write purged %d rows", before-n)
		}
	}
	if n := rows(); n != 3 {
		t.Errorf("%d rows are left, want alive, recent and deleted", n)
	}
	changes, _, err := tbl.Changes(t.Context(), one, "", 10)
	if err != nil || len(changes) != 3 {
		t.Errorf("the feed has %v, %v, want alive, recent and deleted", changes, err)
	}
}

// ghosts fills dir with items long expired, one that has just, and one that was
// just deleted.
func ghosts(t *testing.T, dir string) {
	t.Helper()
	const ancient = 300
	seed := open(t, dir, nil)
	for i := range ancient / 50 {
		var ops []table.Op
		for j := range 50 {
			ops = append(ops, table.Create(item(fmt.Sprint(i*50+j)), nil).Expiring(time.Unix(1, 0)).Relaxed())
		}
		must(t, seed.Write(t.Context(), one, ops...))
	}
	must(t, seed.Write(t.Context(), one, table.Put(item("recent"), nil).Expiring(time.Now().Add(-time.Hour)), table.Create(item("deleted"), nil)))
	deleted, err := seed.Get(t.Context(), one, item("deleted"))
	must(t, err)
	must(t, seed.Write(t.Context(), one, table.Delete(deleted)))
	must(t, seed.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFeedNumbersAreNotReused has everything purged that can be, and opens the
// file again: what is written next is behind every position given out before.
func TestFeedNumbersAreNotReused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ghost := func(id string) table.Op { return table.Create(item(id), nil).Expiring(time.Unix(1, 0)) }
	// A write that fails gives its places in the feed back.
	fails := []table.Op{table.Put(item("c"), nil), table.Check(table.Item{Key: item("d"), Version: 1})}

	tbl := open(t, dir, nil)
	must(t, tbl.Write(t.Context(), one, table.Create(item("alive"), nil))) // and purges, for the next minute
	must(t, tbl.Write(t.Context(), one, ghost("a"), ghost("b")))
	_, pos, err := tbl.Changes(t.Context(), one, "", 10)
	must(t, err)
	must(t, tbl.Close())
	tbl = open(t, dir, nil)
	if err := tbl.Write(t.Context(), one, fails...); err == nil {
		t.Fatal("the check held")
	}
	must(t, tbl.Write(t.Context(), one, ghost("last"))) // and purges
	must(t, tbl.Close())
	tbl = open(t, dir, nil)
	must(t, tbl.Write(t.Context(), one, table.Create(item("new"), nil)))
	changes, _, err := tbl.Changes(t.Context(), one, pos, 10)
	if n := len(changes); err != nil || n == 0 || changes[n-1].Key != item("new") {
		t.Errorf("after position %s: %v, %v", pos, changes, err)
	}
}

// TestPositions gives a position of another file: silence would
// mean that what comes next is never read.
func TestPositions(t *testing.T) {
	t.Parallel()
	_, tbl := openStore(t, nil)
	works(t, tbl, one)
	for _, pos := range []string{"2", "99", "0", "-1", "+1", "01", "1 ", "x", "9223372036854775808", "\x00"} {
		if _, _, err := tbl.Changes(t.Context(), one, pos, 10); !problem.Is(err, problem.Internal) {
			t.Errorf("position %q: %v, want internal", pos, err)
		}
	}
	if changes, next, err := tbl.Changes(t.Context(), one, "1", 10); err != nil || len(changes) != 0 || next != "1" {
		t.Errorf("at the end: %v, next %q, %v", changes, next, err)
	}
}

// TestFeedAnswersAreBounded: few big items come at a time, whatever the limit.
func TestFeedAnswersAreBounded(t *testing.T) {
	t.Parallel()
	_, tbl := openStore(t, nil)
	big := make([]byte, table.MaxBody)
	for i := range 30 {
		if err := tbl.Write(t.Context(), one, table.Create(item(fmt.Sprint(i)), big).Relaxed()); err != nil {
			t.Fatal(err)
		}
	}
	seen, pos := 0, ""
	for {
		changes, next, err := tbl.Changes(t.Context(), one, pos, table.MaxPage)
		if err != nil || len(changes) > 15 {
			t.Fatalf("%d changes at once, %v", len(changes), err)
		}
		if len(changes) == 0 {
			break
		}
		seen, pos = seen+len(changes), next
	}
	if seen != 30 {
		t.Errorf("%d changes", seen)
	}
}

// dying is a context that ends after its Err was asked so many times: at every
// step of an operation in turn, without a clock.
type dying struct {
	context.Context
	left atomic.Int64
}

func (d *dying) Err() error {
	if d.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestInterruptedReadIsAnError: a read that is interrupted between two rows is
// an error, not a short answer.
func TestInterruptedReadIsAnError(t *testing.T) {
	t.Parallel()
	_, tbl := openStore(t, nil)
	const items = 20
	for i := range items {
		must(t, tbl.Write(t.Context(), one, table.Create(item(fmt.Sprint(i)), nil).Relaxed()))
	}
	finished, errs := 0, 0
	for left := range int64(3 * items) {
		ctx := &dying{Context: t.Context()}
		ctx.left.Store(left)
		page, err := tbl.List(ctx, one, table.Query{Kind: "test", Parent: "p"})
		if err == nil && len(page.Items) == items {
			finished++
		} else if errors.Is(err, context.Canceled) && len(page.Items) == 0 {
			errs++
		} else {
			t.Errorf("interrupted after %d looks: %d of %d items, %v", left, len(page.Items), items, err)
		}
		ctx.left.Store(left)
		if changes, _, err := tbl.Changes(ctx, one, "", 100); err == nil && len(changes) != items {
			t.Errorf("interrupted after %d looks: %d of %d changes", left, len(changes), items)
		}
	}
	if finished == 0 || errs < items {
		t.Errorf("%d finished, %d were interrupted: the test tests nothing", finished, errs)
	}
	works(t, tbl, one)
}

// TestQueriesUseIndexes: no statement reads a table from end to end.
func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	st, tbl := openStore(t, nil)
	works(t, tbl, one)
	for name, plan := range st.Plans(t, one) {
		if strings.Contains(plan, "SCAN items") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %s", name, plan)
		}
	}
}
