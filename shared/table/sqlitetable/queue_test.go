package sqlitetable_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/table"
)

// TestCancelledInTheQueue: who gives up while waiting behind others is let go at
// once and has written nothing; those before and behind are none the wiser.
func TestCancelledInTheQueue(t *testing.T) {
	t.Parallel()
	st, tbl := openStore(t, nil)
	b := hold(t, st, tbl)
	ctx, cancel := context.WithCancel(t.Context())
	b.write(t.Context(), table.Create(item("leader"), nil))
	var gone sync.WaitGroup
	var err error
	gone.Go(func() { err = tbl.Write(ctx, one, table.Create(item("cancelled"), nil)) })
	for st.Queued(one) < 2 {
		runtime.Gosched()
	}
	cancel()
	gone.Wait() // though nobody has the file yet
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled: %v", err)
	}
	b.write(t.Context(), table.Create(item("behind"), nil))
	b.run()
	must(t, errors.Join(*b.errs[0], *b.errs[1]))
	if all := ids(t, tbl); !slices.Equal(all, []string{"behind", "leader"}) {
		t.Errorf("there are %v", all)
	}
}

// TestCancelledLeader: who leads and gives up has written nothing, and the next
// leads in its place.
func TestCancelledLeader(t *testing.T) {
	t.Parallel()
	for open, file := range map[bool]string{true: "open", false: "still to be opened"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			st, tbl := openStore(t, nil)
			b := hold(t, st, tbl)
			if !open {
				b.release()
				must(t, st.Shut(one))
				release, err := st.Hold(one)
				must(t, err)
				b.release = release
			}
			ctx, cancel := context.WithCancel(t.Context())
			b.write(ctx, table.Create(item("leader"), nil))
			b.write(t.Context(), table.Create(item("second"), nil))
			b.write(ctx, table.Create(item("third"), nil))
			b.write(t.Context(), table.Create(item("fourth"), nil))
			cancel()
			b.run()
			if err := *b.errs[0]; !errors.Is(err, context.Canceled) {
				t.Errorf("the leader: %v", err)
			}
			must(t, errors.Join(*b.errs[1], *b.errs[3]))
			all := ids(t, tbl)
			if len(all) == 3 || *b.errs[2] == nil { // it was taken before it could withdraw
				all = slices.DeleteFunc(all, func(id string) bool { return id == "third" })
			}
			if !slices.Equal(all, []string{"fourth", "second"}) {
				t.Errorf("there are %v", all)
			}
		})
	}
}

// TestCancelledWritesAreWhole has many writers give up at any moment. A write of
// two items is there or not, and there if its writer was told so.
func TestCancelledWritesAreWhole(t *testing.T) {
	t.Parallel()
	_, tbl := openStore(t, nil)
	const writers, rounds = 16, 40
	var mu sync.Mutex
	told := map[string]bool{}
	cancelled := 0
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				ctx, cancel := context.WithCancel(t.Context())
				id := fmt.Sprintf("%d.%d", w, i)
				if rand.IntN(2) == 0 {
					go cancel()
				}
				err := tbl.Write(ctx, one, table.Create(item(id), nil), table.Create(item(id+"b"), nil).Relaxed())
				cancel()
				mu.Lock()
				switch {
				case err == nil:
					told[id] = true
				case errors.Is(err, context.Canceled):
					cancelled++
				default:
					t.Errorf("Write: %v", err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	there := map[string]bool{}
	for q := (table.Query{Kind: "test", Parent: "p", Limit: table.MaxPage}); ; {
		page, err := tbl.List(t.Context(), one, q)
		must(t, err)
		for _, it := range page.Items {
			there[it.Key.ID] = true
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			break
		}
	}
	for w := range writers {
		for i := range rounds {
			id := fmt.Sprintf("%d.%d", w, i)
			if there[id] != there[id+"b"] || told[id] && !there[id] {
				t.Errorf("%s: there %v, %v; told %v", id, there[id], there[id+"b"], told[id])
			}
		}
	}
	if len(told) == 0 || cancelled == 0 {
		t.Errorf("%d were done, %d cancelled: the test tests nothing", len(told), cancelled)
	}
}

// TestCloseWithAQueue closes while writes wait: each is answered, and is there if
// it was told so, and only then.
func TestCloseWithAQueue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st, tbl := openStoreIn(t, dir, nil)
	b := hold(t, st, tbl)
	for i := range 100 { // two batches
		b.write(t.Context(), table.Create(item(fmt.Sprint(i)), nil))
	}
	b.wg.Go(func() {
		if err := tbl.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	b.run()
	tbl = open(t, dir, nil)
	done := 0
	for i, err := range b.errs {
		it, getErr := tbl.Get(t.Context(), one, item(fmt.Sprint(i)))
		must(t, getErr)
		if *err == nil {
			done++
		} else if !problem.Is(*err, problem.Unavailable) {
			t.Errorf("write %d: %v", i, *err)
		}
		if (*err == nil) != (it.Version == 1) {
			t.Errorf("write %d: %v, version %d", i, *err, it.Version)
		}
	}
	t.Logf("%d of %d were done", done, len(b.errs))
}

// TestNobodyStarves has three writers write without a pause for as long as a
// fourth needs for its own. That nobody is overtaken in the queue is what
// TestBatchesAreFewCommits holds; this one ends only if nobody waits for ever.
func TestNobodyStarves(t *testing.T) {
	t.Parallel()
	_, tbl := openStore(t, nil)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := tbl.Write(t.Context(), one, table.Put(item(fmt.Sprint("greedy", w)), nil).Relaxed()); err != nil {
					t.Errorf("Write: %v", err)
					return
				}
			}
		})
	}
	for i := range 200 {
		must(t, tbl.Write(t.Context(), one, table.Put(item("patient"), []byte(fmt.Sprint(i))).Relaxed()))
	}
	close(stop)
	wg.Wait()
}
