package openaimodel

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/openai/openai-go/v3/packages/ssestream"

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
	events := ssestream.NewDecoder(res)
	var patience *time.Timer
	done := false
	for events.Next() {
		e := events.Event()
		if done = bytes.HasPrefix(e.Data, []byte("[DONE]")); done {
			break
		}
		if ok, err := a.event(e); !ok {
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
	case events.Err() != nil:
		return events.Err()
	}
	return io.ErrUnexpectedEOF
}

// event takes one event. It reports whether to go on, as take does.
func (a *answer) event(e ssestream.Event) (bool, error) {
	if e.Type == "error" {
		return false, errorInBand(e.Data)
	}
	if text, ok := plainText(e.Data); ok {
		return a.text(text), nil
	}
	return a.take(e.Data)
}

// unreadable is an answer that is not in the format.
type unreadable struct{ err error }

func (e unreadable) Error() string { return fmt.Sprintf("unreadable answer: %v", e.err) }
func (e unreadable) Unwrap() error { return e.err }
