package chat_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/oklog/ulid/v2"

	"switchboard/shared/chat"
	"switchboard/shared/table"
	"switchboard/shared/table/tabletest"
)

var noteKey = table.Key{Kind: "sweep", ID: chat.NoteID}

// noted makes a note of so many turns that are over and have left nothing behind.
func (c crowd) noted(t *testing.T, turns int) {
	t.Helper()
	open := map[string]time.Time{}
	for range turns {
		open[ulid.MustNew(ulid.Now(), rand.Reader).String()] = time.Now().Add(-time.Hour)
	}
	body, err := json.Marshal(map[string]any{"open": open})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.data.Write(t.Context(), alpha, table.Put(noteKey, body)); err != nil {
		t.Fatal(err)
	}
}

// left is how many turns are noted.
func (c crowd) left(t *testing.T) int {
	t.Helper()
	it, err := c.data.Get(t.Context(), alpha, noteKey)
	if err != nil {
		t.Fatal(err)
	}
	var n struct {
		Open map[string]time.Time `json:"open"`
	}
	if err := json.Unmarshal(it.Body, &n); err != nil {
		t.Fatal(err)
	}
	return len(n.Open)
}

// slow is a process whose table takes so long for each access.
func (c crowd) slow(t *testing.T, delay time.Duration) *house {
	t.Helper()
	h := c.process(t, nil)
	h.Table = tabletest.Observe(c.data, func(ctx context.Context, _ string) error {
		select {
		case <-time.After(delay):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return h
}

// TestALongNoteGetsShorter: a tick that ends before it has looked at all has taken
// off what it looked at, and the next one comes to the rest.
func TestALongNoteGetsShorter(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		const turns, tick = 5900, 57 * time.Second
		c.noted(t, turns)
		h := c.slow(t, 100*time.Millisecond)
		run := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), tick)
			defer cancel()
			began := time.Now()
			_, err := h.CloseDue(ctx, alpha)
			if took := time.Since(began); took > tick+3*time.Second {
				t.Errorf("it took %v", took)
			}
			return err
		}
		err := run()
		left := c.left(t)
		if left == 0 || left > turns/2 {
			t.Errorf("%d are left", left)
		}
		if err == nil || !errors.Is(err, context.DeadlineExceeded) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("the error is %.300v", err)
		}
		if err, left := run(), c.left(t); left != 0 || err != nil {
			t.Errorf("%d are left after the second tick, %v", left, err)
		}
	})
}

// TestANoteIsShortenedOnTheWay: a process that is killed at its work has done some.
func TestANoteIsShortenedOnTheWay(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		const turns = 2000
		c.noted(t, turns)
		h, shortest := c.process(t, nil), turns
		h.Table = tabletest.Observe(c.data, func(_ context.Context, method string) error {
			if method == "Write" {
				shortest = min(shortest, c.left(t))
			}
			return nil
		})
		if _, err := h.CloseDue(t.Context(), alpha); err != nil {
			t.Fatal(err)
		}
		if shortest == turns {
			t.Error("it was written once, at the end")
		}
	})
}

// TestManyTurnsThatCannotBeReadAreAFewLines of an error: a log line for each of
// thousands would be one for each, each minute.
func TestManyTurnsThatCannotBeReadAreAFewLines(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		const turns = 1000
		c.noted(t, turns)
		h := c.process(t, nil)
		var reads atomic.Int64
		h.Table = tabletest.Observe(c.data, func(_ context.Context, method string) error {
			if reads.Add(1) > 1 { // the first is the note
				return errors.New("throttled")
			}
			return nil
		})
		_, err := h.CloseDue(t.Context(), alpha)
		if err == nil || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "throttled") || !strings.Contains(err.Error(), "997 more") {
			t.Errorf("the error is %.2000v", err)
		}
		if left := c.left(t); left != turns {
			t.Errorf("%d are left", left)
		}
	})
}
