package auth

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/problem"
)

// Reply is a handler's answer: either one JSON document, or server-sent events.
type Reply struct {
	w  http.ResponseWriter
	ev *events
}

// JSON answers once. Text that is not UTF-8, which a store or a provider may have
// let through, is mended: it is no reason to answer nothing.
func (r *Reply) JSON(v any) error {
	const op = "auth.Reply.JSON"
	if r.ev != nil {
		return problem.Wrap(problem.Internal, op, errors.New("the answer is a stream already"))
	}
	body, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
	if err != nil {
		return problem.Wrap(problem.Internal, op, err)
	}
	h := r.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	r.w.WriteHeader(http.StatusOK)
	r.w.Write(body) // the client may be gone; that is no failure of ours
	return nil
}

// heartbeat is how long a stream may be silent before it says that it is alive.
// Gateways cut one that is silent for 30 seconds; the contract says under 15.
const heartbeat = 10 * time.Second

// maxUnsent is how much is gathered before it is sent without a Flush, firstUnsent
// what there is room for from the start: what the chunks of one read of a provider's
// connection become.
const (
	maxUnsent   = 16 << 10
	firstUnsent = 5 << 10
)

// Events begins a stream of server-sent events. Nothing is sent until the first
// [Reply.Flush]. [Reply.Close] must be called before the handler returns; [Stream]
// does.
//
// Events are gathered and go out in one write when the handler says that nothing
// more is at hand, so a burst costs one system call and no event waits for a timer.
// A write waits for a slow client, and with it the handler, for writeTimeout at
// most; for a client that is gone everything is dropped.
func (r *Reply) Events() {
	if r.ev != nil {
		return
	}
	h := r.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	ev := &events{w: r.w, rc: http.NewResponseController(r.w), unsent: make([]byte, 0, firstUnsent)}
	ev.mu.Lock()
	defer ev.mu.Unlock()
	ev.beat = time.AfterFunc(heartbeat, ev.alive)
	r.ev = ev
}

// Streaming reports whether Events was called.
func (r *Reply) Streaming() bool { return r.ev != nil }

// Event adds an event. The name is a constant; a line break in data arrives as one
// and begins no other event.
func (r *Reply) Event(name string, data []byte) { r.ev.add(name, data) }

// Data adds an event without a name.
func (r *Reply) Data(data []byte) { r.ev.add("", data) }

// Flush sends what was added. It does nothing where no stream was begun.
func (r *Reply) Flush() {
	if r.ev != nil {
		r.ev.flush()
	}
}

// Abandon takes a stream back of which nothing was sent yet, and reports whether that
// was so: then the handler can still answer with an error's own status.
func (r *Reply) Abandon() bool {
	if r.ev == nil || !r.ev.abandon() {
		return false
	}
	r.ev = nil
	h := r.w.Header()
	h.Del("X-Accel-Buffering")
	h.Del("Content-Type")
	return true
}

// Close sends what was added and ends the stream.
func (r *Reply) Close() {
	if r.ev != nil {
		r.ev.close()
	}
}

// events is the sending half of a stream. The handler and the heartbeat take turns.
type events struct {
	rc *http.ResponseController

	mu     sync.Mutex // held for a write too, which its deadline ends
	w      http.ResponseWriter
	beat   *time.Timer
	unsent []byte
	begun  bool // something was sent
	gone   bool // the client does not take any more
	closed bool
}

func (e *events) add(name string, data []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone || e.closed {
		return
	}
	if name != "" {
		e.unsent = append(append(append(e.unsent, "event: "...), name...), '\n')
	}
	if e.unsent = appendData(e.unsent, data); len(e.unsent) >= maxUnsent {
		e.send()
	}
}

// appendData appends the data lines of an event and its end. JSON has no line
// break, so nearly always it is one line.
func appendData(b, data []byte) []byte {
	for {
		i := bytes.IndexAny(data, "\r\n")
		if i < 0 {
			return append(append(append(b, "data: "...), data...), "\n\n"...)
		}
		b = append(append(append(b, "data: "...), data[:i]...), '\n')
		if data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n' {
			i++
		}
		data = data[i+1:]
	}
}

func (e *events) flush() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.send()
}

func (e *events) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.send()
	e.closed = true
	e.beat.Stop()
}

func (e *events) abandon() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.begun || e.closed {
		return false
	}
	e.closed = true
	e.beat.Stop()
	return true
}

// alive is the heartbeat: it runs when nothing was sent for so long. It does not
// queue up behind a write under way, but looks again soon.
func (e *events) alive() {
	err := problem.Guard("auth.alive", func() error {
		if !e.mu.TryLock() {
			time.AfterFunc(time.Second, e.alive)
			return nil
		}
		defer e.mu.Unlock()
		if e.closed {
			return nil
		}
		if len(e.unsent) == 0 {
			e.unsent = append(e.unsent, ": still here\n\n"...)
		}
		e.send()
		return nil
	})
	if err != nil {
		slog.Error("heartbeat failed", slog.Any("err", err))
	}
}

// send writes what was gathered. mu is held.
func (e *events) send() {
	if len(e.unsent) == 0 || e.gone || e.closed {
		return
	}
	e.begun = true
	_, err := e.w.Write(e.unsent)
	if err == nil {
		err = e.rc.Flush()
	}
	if err != nil {
		e.gone, e.unsent = true, nil
		e.beat.Stop()
		return
	}
	if e.unsent = e.unsent[:0]; cap(e.unsent) > maxUnsent {
		e.unsent = nil // not to hold a long event's memory for the rest of the stream
	}
	e.beat.Reset(heartbeat)
}
