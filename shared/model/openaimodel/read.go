package openaimodel

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"switchboard/shared/model/internal/provider"
)

// maxWhole bounds an answer that comes in one piece.
const maxWhole = 8 << 20

// readWhole reads an answer that was not streamed.
func readWhole(res *http.Response, a *answer) error {
	data, err := io.ReadAll(io.LimitReader(res.Body, maxWhole+1))
	if err != nil {
		return err
	}
	if len(data) > maxWhole {
		return provider.ErrTooMuch
	}
	if ok, err := a.take(data); !ok {
		return err
	}
	if a.finish == "" {
		return errNoFinish
	}
	a.end()
	return nil
}

// readEvents reads a stream to its end. cancel ends the wait for a server that has
// finished its answer and keeps the connection open.
func readEvents(res *http.Response, a *answer, cancel context.CancelFunc) error {
	res.Body = provider.Pausing(res.Body, a.pause)
	events := provider.NewEvents(res.Body)
	var patience *time.Timer
	var broken error
	done := false
	for {
		var name, data []byte
		if name, data, broken = events.Next(); broken != nil {
			break
		}
		if done = bytes.HasPrefix(data, []byte("[DONE]")); done {
			break
		}
		if ok, err := a.event(name, data); !ok {
			return err
		}
		if a.finish != "" && patience == nil {
			patience = time.AfterFunc(tail, cancel)
			defer patience.Stop()
		}
	}
	switch {
	case a.finish != "": // whole, whatever became of the connection since
		if done {
			provider.Drain(res.Body, cancel)
		}
		a.end()
		return nil
	case done:
		return errNoFinish
	case broken != io.EOF:
		return broken
	}
	return io.ErrUnexpectedEOF
}

// event takes one event. It reports whether to go on, as take does.
func (a *answer) event(name, data []byte) (bool, error) {
	if string(name) == "error" {
		return false, errorInBand(data)
	}
	if text, ok := plainText(data); ok {
		return a.text(text), nil
	}
	return a.take(data)
}

// unreadable is an answer that is not in the format.
type unreadable struct{ err error }

func (e unreadable) Error() string { return fmt.Sprintf("unreadable answer: %v", e.err) }
func (e unreadable) Unwrap() error { return e.err }
