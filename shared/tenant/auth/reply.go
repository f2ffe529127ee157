package auth

import (
	"bytes"
	"errors"
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
	body, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
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

// heartbeat is how often a silent stream says that it is alive. Gateways cut one
// that is silent for 30 seconds; the contract says under 15.
const heartbeat = 10 * time.Second

// maxUnsent is how much may wait for a slow client before the handler waits too.
const maxUnsent = 256 << 10

// Events begins a stream of server-sent events. Nothing is sent until the first
// event. [Reply.Close] must be called before the handler returns; [Stream] does.
//
// Events that are ready together go out in one write: a writer goroutine takes
// whatever has gathered while its last write was under way, so no event waits
// for a timer and a burst costs one flush.
func (r *Reply) Events() {
	if r.ev != nil {
		return
	}
	h := r.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	ev := &events{
		w: r.w, rc: http.NewResponseController(r.w), done: make(chan struct{}), wake: make(chan struct{}, 1),
		unsent: make([]byte, 0, 2<<10), // a burst of small events, without growing there
	}
	ev.room.L = &ev.mu
	r.ev = ev
	go ev.run()
}

// Streaming reports whether Events was called.
func (r *Reply) Streaming() bool { return r.ev != nil }

// Event queues an event. The name is a constant; a line break in data arrives as
// one and begins no other event. It waits only for a client that is slower than
// maxUnsent; for one that is gone it does nothing.
func (r *Reply) Event(name string, data []byte) { r.ev.add(name, data) }

// Data queues an event without a name.
func (r *Reply) Data(data []byte) { r.ev.add("", data) }

// Close sends what is queued and ends the stream.
func (r *Reply) Close() {
	if r.ev != nil {
		r.ev.close()
	}
}

// events is the sending half of a stream.
type events struct {
	w  http.ResponseWriter
	rc *http.ResponseController

	mu     sync.Mutex
	room   sync.Cond // signalled when unsent was taken
	unsent []byte
	gone   bool // the client does not take any more
	closed bool

	wake chan struct{} // holds a token when there is something to do
	done chan struct{} // closed when run has ended
}

func (e *events) add(name string, data []byte) {
	e.mu.Lock()
	for len(e.unsent) > maxUnsent && !e.gone {
		e.room.Wait()
	}
	if e.gone || e.closed {
		e.mu.Unlock()
		return
	}
	if name != "" {
		e.unsent = append(append(append(e.unsent, "event: "...), name...), '\n')
	}
	e.unsent = appendData(e.unsent, data)
	e.mu.Unlock()
	e.signal()
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

func (e *events) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *events) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.signal()
	<-e.done
}

// run sends until closed. It alone touches w.
func (e *events) run() {
	defer close(e.done)
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	var spare []byte
	for {
		select {
		case <-e.wake:
		case <-beat.C:
			e.mu.Lock()
			if len(e.unsent) == 0 {
				e.unsent = append(e.unsent, ": still here\n\n"...)
			}
			e.mu.Unlock()
		}
		e.mu.Lock()
		batch := e.unsent
		e.unsent = spare[:0]
		closed, gone := e.closed, e.gone
		e.room.Broadcast()
		e.mu.Unlock()
		if len(batch) > 0 && !gone {
			e.send(batch)
		}
		if closed {
			return
		}
		spare = batch
		beat.Reset(heartbeat)
	}
}

func (e *events) send(batch []byte) {
	_, err := e.w.Write(batch)
	if err == nil {
		err = e.rc.Flush()
	}
	if err != nil {
		e.mu.Lock()
		e.gone = true
		e.room.Broadcast()
		e.mu.Unlock()
	}
}
