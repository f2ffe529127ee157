package chat_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/shared/chat"
	"switchboard/shared/problem"
	"switchboard/shared/search/searchtest"
	"switchboard/shared/session/memsession"
	"switchboard/shared/session/sessiontest"
	"switchboard/shared/table/tabletest"
)

// fuse panics at the nth access by the method, once.
type fuse struct {
	method string
	nth    int64
	seen   atomic.Int64
}

func (f *fuse) before(_ context.Context, method string) error {
	if method == f.method && f.seen.Add(1) == f.nth {
		var none map[string]int
		none[method] = 1
	}
	return nil
}

// say takes a turn to its end.
func say(t *testing.T, h *house, q chat.Question) (*chat.Turn, error) {
	t.Helper()
	for p, err := range h.Say(t.Context(), alpha, q) {
		if err != nil {
			return nil, err
		}
		if p.Done != nil {
			return p.Done, nil
		}
	}
	return nil, errors.New("the turn has no end")
}

// TestAPanicBesideATurnIsThatTurnsAlone: left alone it would end the process.
func TestAPanicBesideATurnIsThatTurnsAlone(t *testing.T) {
	t.Run("in the search", func(t *testing.T) {
		inACrowd(t, func(t *testing.T, c crowd) {
			h := c.process(t, nil)
			h.Search = searchtest.Observe(h.Search, (&fuse{method: "Query", nth: 1}).before)
			if got, err := say(t, h, question("k")); err != nil || !slices.Equal(got.Access.Degraded, []string{"search"}) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	})
	t.Run("in the reservation", func(t *testing.T) {
		inACrowd(t, func(t *testing.T, c crowd) {
			h := c.process(t, nil)
			h.Table = tabletest.Observe(c.data, (&fuse{method: "Write", nth: 1}).before)
			if _, err := say(t, h, question("k")); !problem.Is(err, problem.Internal) {
				t.Errorf("got %v", err)
			}
			if got, err := say(t, h, question("k")); err != nil || got.State != chat.Done {
				t.Errorf("the retry: %+v, %v", got, err)
			}
		})
	})
	t.Run("in the window's store", func(t *testing.T) {
		inACrowd(t, func(t *testing.T, c crowd) {
			h := c.process(t, nil)
			h.Session = sessiontest.Observe(memsession.New(0), (&fuse{method: "Put", nth: 1}).before)
			first, err := say(t, h, question("k"))
			if err != nil {
				t.Fatal(err)
			}
			q := question("next")
			q.Conversation = first.Conversation
			if got, err := say(t, h, q); err != nil || got.Access.Window != 1 {
				t.Errorf("the next turn: %+v, %v", got, err)
			}
		})
	})
}

// TestAPanicWhileTurnsAreClosedIsOneTurnsAlone: it is looked at again, the other one
// is closed.
func TestAPanicWhileTurnsAreClosedIsOneTurnsAlone(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		c.dies(t, "a")
		c.dies(t, "b")
		feed := c.feed(t)
		h := c.process(t, nil)
		h.Table = tabletest.Observe(c.data, (&fuse{method: "Get", nth: 1}).before)
		if err := h.Watch(t.Context(), alpha, feed); !problem.Is(err, problem.Internal) {
			t.Errorf("Watch: %v", err)
		}
		h.Table = tabletest.Observe(c.data, (&fuse{method: "Get", nth: 2}).before) // the first is the note
		if n, err := h.CloseDue(t.Context(), alpha); n != 1 || !problem.Is(err, problem.Internal) {
			t.Errorf("closed %d, %v", n, err)
		}
		if n, err := h.CloseDue(t.Context(), alpha); n != 1 || err != nil {
			t.Errorf("closed %d more, %v", n, err)
		}
	})
}

// TestAPanicWhileATurnIsOpenedGivesTheClaimUp: the same request can be sent again.
func TestAPanicWhileATurnIsOpenedGivesTheClaimUp(t *testing.T) {
	for name, broken := range map[string]func(*house){
		"where the window is taken": func(h *house) {
			h.Session = sessiontest.Observe(memsession.New(0), (&fuse{method: "Take", nth: 1}).before)
		},
		"where the window is rebuilt": func(h *house) {
			h.Table = tabletest.Observe(h.Table, (&fuse{method: "Query", nth: 1}).before)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inACrowd(t, func(t *testing.T, c crowd) {
				h := c.process(t, nil)
				first, err := say(t, h, question("first"))
				if err != nil {
					t.Fatal(err)
				}
				c.wait(time.Second) // or their order would be by chance
				broken(h)
				q := question("k")
				q.Conversation = first.Conversation
				panicked := func() (v any) {
					defer func() { v = recover() }()
					say(t, h, q)
					return nil
				}
				if panicked() == nil {
					t.Fatal("control: it does not panic")
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for p, err := range h.Say(ctx, alpha, q) {
					if err != nil {
						t.Fatal(err)
					}
					if p.Done != nil && p.Done.Access.Window != 1 {
						t.Errorf("the retry saw %d turns", p.Done.Access.Window)
					}
				}
			})
		})
	}
}
