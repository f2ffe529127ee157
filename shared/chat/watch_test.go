package chat_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"

	"switchboard/shared/chat"
	"switchboard/shared/problem"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/table/tabletest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

var alpha = tenanttest.Scope("alpha")

// crowd is a table that several processes serve.
type crowd struct{ data *table.Table }

// wait lets time pass: a crowd is always in a bubble.
func (crowd) wait(d time.Duration) { time.Sleep(d) }

// inACrowd runs test in a bubble, where minutes pass at once.
func inACrowd(t *testing.T, test func(*testing.T, crowd)) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		data, err := sqlitetable.Open(dir, make([]byte, 32), nil)
		if err != nil {
			t.Fatal(err)
		}
		data = data.SealedBy(sealtest.New(t))
		defer data.Close()
		test(t, crowd{data})
		synctest.Wait()
	})
}

// process is one that is not alone; before, if not nil, is told of each of its
// accesses.
func (c crowd) process(t *testing.T, before func(method string)) *house {
	t.Helper()
	rdb, stop := pipedRedis()
	h := build(t, c.data, rdb, sealtest.New(t))
	h.Alone, h.table.delay, h.session.delay, h.search.delay = false, 0, 0, 0
	h.Session.Close()
	stop()
	h.Session = nil
	if before != nil {
		h.Table = tabletest.Observe(c.data, func(_ context.Context, method string) error {
			before(method)
			return nil
		})
	}
	return h
}

// dies begins a turn and ends there, as a process does that is killed. Then the time
// passes that it had.
func (c crowd) dies(t *testing.T, key string) (start chat.Start) {
	t.Helper()
	died := make(chan struct{})
	go func() {
		defer close(died)
		for p, err := range c.process(t, nil).Say(t.Context(), alpha, question(key)) {
			if err != nil {
				t.Error(err)
			}
			start = *p.Start
			runtime.Goexit()
		}
	}()
	<-died
	time.Sleep(time.Hour)
	return start
}

func question(key string) chat.Question {
	return chat.Question{Assistant: "website", Message: "What does a visit cost?", Key: key}
}

// feed is all that the table's feed has to say.
func (c crowd) feed(t *testing.T) []table.Change {
	t.Helper()
	changes, _, err := c.data.Changes(t.Context(), alpha, "", table.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// turn is the stored turn, or its state is "".
func (c crowd) turn(t *testing.T, start chat.Start) (turn chat.Turn) {
	t.Helper()
	for _, ch := range c.feed(t) {
		if ch.Key.Kind == "turn" && ch.Key.Parent == start.Conversation {
			if err := json.Unmarshal(ch.Item.Body, &turn); err != nil {
				t.Fatal(err)
			}
		}
	}
	return turn
}

// finish takes the rest of a turn, which has to be done.
func finish(t *testing.T, h *house, key string) *chat.Turn {
	t.Helper()
	var done *chat.Turn
	for p, err := range h.Say(t.Context(), alpha, question(key)) {
		if err != nil {
			t.Fatal(err)
		}
		done = p.Done
	}
	return done
}

// TestARetryTakesOverWhileTheTurnIsClosed: whoever is first, the retry's answer is
// what is stored.
func TestARetryTakesOverWhileTheTurnIsClosed(t *testing.T) {
	t.Run("the retry is first", func(t *testing.T) {
		inACrowd(t, func(t *testing.T, c crowd) {
			dead := c.dies(t, "k")
			var once atomic.Bool
			var done *chat.Turn
			closer := c.process(t, func(method string) {
				if method == "Write" && once.CompareAndSwap(true, false) {
					done = finish(t, c.process(t, nil), "k")
				}
			})
			if err := closer.Watch(t.Context(), alpha, c.feed(t)); err != nil {
				t.Fatal(err)
			}
			once.Store(true) // what it writes from now on is the closing
			if n, err := closer.CloseDue(t.Context(), alpha); n != 0 || err != nil {
				t.Errorf("closed %d, %v", n, err)
			}
			if got := c.turn(t, dead); done == nil || done.ID != dead.Turn || got.State != chat.Done || got.Try != 2 {
				t.Errorf("stored is %+v", got)
			}
		})
	})
	t.Run("the retry is about to", func(t *testing.T) {
		inACrowd(t, func(t *testing.T, c crowd) {
			dead := c.dies(t, "k")
			closer := c.process(t, nil)
			if err := closer.Watch(t.Context(), alpha, c.feed(t)); err != nil {
				t.Fatal(err)
			}
			writes, closed := 0, 0
			done := finish(t, c.process(t, func(method string) {
				if method != "Write" {
					return
				}
				if writes++; writes == 2 { // the first meets the reservation
					var err error
					if closed, err = closer.CloseDue(t.Context(), alpha); err != nil {
						t.Error(err)
					}
				}
			}), "k")
			if got := c.turn(t, dead); closed != 1 || done.ID != dead.Turn || got.State != chat.Done || got.Try != 2 {
				t.Errorf("closed %d, stored is %+v", closed, got)
			}
		})
	})
}

// TestWatchersWriteOneNote: those who write to a note at a time lose nothing of it.
func TestWatchersWriteOneNote(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		const turns = 12
		for i := range turns {
			c.dies(t, fmt.Sprint(i))
		}
		errs := make(chan error)
		for _, ch := range c.feed(t) {
			go func() { errs <- c.process(t, nil).Watch(t.Context(), alpha, []table.Change{ch}) }()
		}
		for range turns {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if n, err := c.process(t, nil).CloseDue(t.Context(), alpha); n != turns || err != nil {
			t.Errorf("closed %d, %v", n, err)
		}
	})
}

// TestABadReservationKeepsNoOtherTurnOpen, neither when it is noted nor when it is
// closed.
func TestABadReservationKeepsNoOtherTurnOpen(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		bad, good := c.dies(t, "bad"), c.dies(t, "good")
		h := c.process(t, nil)
		feed := c.feed(t)
		foreign := feed[0]
		foreign.Key.ID = "x"
		if err := h.Watch(t.Context(), alpha, append([]table.Change{foreign}, feed...)); err == nil {
			t.Error("a reservation of no turn was taken")
		}
		key := table.Key{Kind: "reservation", Parent: bad.Turn[24:], ID: bad.Turn}
		if err := c.data.Write(t.Context(), alpha, table.Put(key, []byte("no JSON"))); err != nil {
			t.Fatal(err)
		}
		if n, err := h.CloseDue(t.Context(), alpha); n != 1 || err == nil {
			t.Errorf("closed %d, %v", n, err)
		}
		if got := c.turn(t, good); got.State != chat.Interrupted {
			t.Errorf("the good turn is %+v", got)
		}
	})
}

// TestSweepPassesABadReservation: the twin of the above for the sweeper of one
// process. What cannot be read is said once and not met again.
func TestSweepPassesABadReservation(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		bad, good := c.dies(t, "bad"), c.dies(t, "good")
		h := c.process(t, nil)
		key := table.Key{Kind: "reservation", Parent: bad.Turn[24:], ID: bad.Turn}
		if err := c.data.Write(t.Context(), alpha, table.Put(key, []byte("no JSON"))); err != nil {
			t.Fatal(err)
		}
		if n, err := h.Sweep(t.Context(), alpha); n != 1 || !problem.Is(err, problem.Internal) {
			t.Errorf("closed %d, %v", n, err)
		}
		if got := c.turn(t, good); got.State != chat.Interrupted {
			t.Errorf("the good turn is %q", got.State)
		}
		later := c.dies(t, "later")
		if n, err := h.Sweep(t.Context(), alpha); n != 1 || err != nil {
			t.Errorf("closed %d more, %v", n, err)
		}
		if got := c.turn(t, later); got.State != chat.Interrupted {
			t.Errorf("the later turn is %q", got.State)
		}
	})
}

// TestATurnIsLeftAloneUntilItsTime holds what its process may take: five minutes,
// what is added for a client that went away, and what the last write takes.
func TestATurnIsLeftAloneUntilItsTime(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		h := c.process(t, nil)
		for p, err := range h.Say(t.Context(), alpha, question("k")) {
			if err != nil {
				t.Fatal(err)
			}
			if p.Start == nil {
				continue
			}
			other := c.process(t, nil)
			if err := other.Watch(t.Context(), alpha, c.feed(t)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5*time.Minute + 39*time.Second)
			if n, err := other.CloseDue(t.Context(), alpha); n != 0 || err != nil {
				t.Errorf("closed %d, %v", n, err)
			}
		}
	})
}

// TestARefusedRequestIsNotNoted: a reservation that was given back is no turn.
func TestARefusedRequestIsNotNoted(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		h := c.process(t, nil)
		q := question("k")
		q.Conversation = "01JZZZZZZZZZZZZZZZZZZZZZZZ"
		var refused error
		for _, err := range h.Say(t.Context(), alpha, q) {
			refused = errors.Join(refused, err)
		}
		if refused == nil {
			t.Fatal("control: the conversation is there")
		}
		feed := c.feed(t)
		if err := h.Watch(t.Context(), alpha, feed); err != nil || len(feed) == 0 {
			t.Errorf("%d changes, %v", len(feed), err)
		}
		it, err := c.data.Get(t.Context(), alpha, table.Key{Kind: "sweep", ID: chat.NoteID})
		if err != nil || it.Version != 0 {
			t.Errorf("the note is %s, %v", it.Body, err)
		}
	})
}

func TestWatchRefusesTheZeroScope(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		c.dies(t, "k")
		h := c.process(t, nil)
		var zero tenant.Scope
		if err := h.Watch(t.Context(), zero, c.feed(t)); err == nil {
			t.Error("Watch takes it")
		}
		if _, err := h.CloseDue(t.Context(), zero); err == nil {
			t.Error("CloseDue takes it")
		}
	})
}
