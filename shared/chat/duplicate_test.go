package chat_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"switchboard/shared/chat"
	"switchboard/shared/problem"
	"switchboard/shared/table/tabletest"
)

// fails sends q to a process that reserves a turn and then meets a table that does not
// list for a while, and returns once the turn is reserved. The reservation is given
// back; the request's error is then sent on failed.
func (c crowd) fails(t *testing.T, q chat.Question) (failed <-chan error) {
	t.Helper()
	h, reserved, errs := c.process(t, nil), make(chan struct{}), make(chan error, 1)
	h.Table = tabletest.Observe(c.data, func(_ context.Context, method string) error {
		if method != "Query" {
			return nil
		}
		close(reserved)
		c.wait(30 * time.Millisecond)
		return errors.New("throttled")
	})
	go func() {
		_, err := say(t, h, q)
		errs <- err
	}()
	<-reserved
	return errs
}

// TestADuplicateOfARequestThatFailedTakesTheTurn: that the reservation is gone says
// that the first did not take the turn, not that nobody can.
func TestADuplicateOfARequestThatFailedTakesTheTurn(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		first, err := say(t, c.process(t, nil), question("first"))
		if err != nil {
			t.Fatal(err)
		}
		c.wait(time.Second)
		q := question("k")
		q.Conversation = first.Conversation
		failed := c.fails(t, q)
		got, err := say(t, c.process(t, nil), q)
		if err != nil {
			t.Fatalf("the duplicate: %v", err)
		}
		if got.State != chat.Done || got.Try != 1 || got.Conversation != first.Conversation || got.Access.Window != 1 {
			t.Errorf("the duplicate is %+v", got)
		}
		if err := <-failed; err == nil {
			t.Error("control: the first did not fail")
		}
		again, err := say(t, c.process(t, nil), q)
		if err != nil || again.Order != got.Order {
			t.Errorf("asked again: %v, %v", again, err)
		}
	})
}

// TestADuplicateOfARefusedRequestIsRefused, by what it finds itself.
func TestADuplicateOfARefusedRequestIsRefused(t *testing.T) {
	inACrowd(t, func(t *testing.T, c crowd) {
		q := question("k")
		q.Conversation = "01JZZZZZZZZZZZZZZZZZZZZZZZ"
		failed := c.fails(t, q)
		errs := make(chan error)
		for range 3 {
			go func() {
				_, err := say(t, c.process(t, nil), q)
				errs <- err
			}()
		}
		<-failed
		for range 3 {
			if err := <-errs; !problem.Is(err, problem.NotFound) {
				t.Errorf("got %v", err)
			}
		}
	})
}
