package tabletest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"switchboard/shared/table"
)

// together runs f n times at once and waits for all.
func (s *suite) together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// testOneCreatorWins is the turn's idempotency: whoever loses learns from the
// conflict what the winner wrote.
func testOneCreatorWins(t *testing.T, s *suite) {
	for name, with := range map[string]func(i int, op table.Op) []table.Op{
		"alone": func(_ int, op table.Op) []table.Op { return []table.Op{op} },
		"among": func(i int, op table.Op) []table.Op {
			return []table.Op{op, table.Put(key(fmt.Sprint("beside", i)), nil)}
		},
	} {
		sc := fresh()
		const workers = 16
		var won atomic.Int64
		var mu sync.Mutex
		seen := map[string]int{}
		s.together(workers, func(i int) {
			err := s.Write(t.Context(), sc, with(i, table.Create(key("turn"), fmt.Append(nil, "by ", i)))...)
			if err == nil {
				won.Add(1)
				return
			}
			c, ok := errors.AsType[*table.Conflict](err)
			if !ok || c.Op != 0 || c.Current.Version != 1 {
				t.Errorf("%s: the loser got %v", name, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[string(c.Current.Body)]++
		})
		winner := string(s.get(t, sc, key("turn")).Body)
		if won.Load() != 1 || seen[winner] != workers-1 {
			t.Errorf("%s: %d winners; %q was stored, the losers saw %v", name, won.Load(), winner, seen)
		}
	}
}

// increment adds 1 to a number kept in a body, by compare and swap, starting
// from an item that may be stale.
func (s *suite) increment(t *testing.T, w func(table.Item, []byte) error, it table.Item) {
	for {
		n, err := strconv.Atoi(string(it.Body))
		if err != nil {
			t.Errorf("body %q: %v", it.Body, err)
			return
		}
		err = w(it, strconv.AppendInt(nil, int64(n+1), 10))
		c, lost := errors.AsType[*table.Conflict](err)
		if !lost {
			if err != nil {
				t.Errorf("Replace: %v", err)
			}
			return
		}
		it = c.Current
	}
}

func testNoLostUpdates(t *testing.T, s *suite) {
	sc := fresh()
	workers, each := 8, 8
	if s.opt.Fast {
		each = 2
	}
	s.write(t, sc, table.Create(key("n"), []byte("0")))
	stale := s.get(t, sc, key("n"))
	s.together(workers, func(int) {
		for range each {
			s.increment(t, func(old table.Item, body []byte) error {
				return s.Write(t.Context(), sc, table.Replace(old, body))
			}, stale)
		}
	})
	wantItem(t, s.get(t, sc, key("n")), strconv.Itoa(workers*each), nil, int64(workers*each+1))
}

// testAtomicUnderRaces has writers raise two items in one write, while readers
// look for a half of one: the second is written last, so it must never be behind
// the first when it is read last.
func testAtomicUnderRaces(t *testing.T, s *suite) {
	sc := fresh()
	workers, each := 8, 4
	if s.opt.Fast {
		workers = 4
	}
	s.write(t, sc, table.Create(key("n"), []byte("0")), table.Create(key("sum"), nil))
	stale := s.get(t, sc, key("n"))
	s.together(workers+2, func(i int) {
		for range each {
			if i < workers {
				s.increment(t, func(old table.Item, body []byte) error {
					return s.Write(t.Context(), sc, table.Add(key("sum"), counts{"n": 1}), table.Replace(old, body))
				}, stale)
				continue
			}
			n, err1 := s.Get(t.Context(), sc, key("n"))
			sum, err2 := s.Get(t.Context(), sc, key("sum"))
			if low, _ := strconv.ParseInt(string(n.Body), 10, 64); err1 != nil || err2 != nil || sum.Counts["n"] < low {
				t.Errorf("read %q, then %v; %v, %v", n.Body, sum.Counts, err1, err2)
			}
		}
	})
	total := int64(workers * each)
	wantItem(t, s.get(t, sc, key("n")), strconv.FormatInt(total, 10), nil, total+1)
	wantItem(t, s.get(t, sc, key("sum")), "", counts{"n": total}, total+1)
}
