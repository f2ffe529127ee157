package runtimetest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Response is an answer as it arrives.
type Response struct {
	RequestID   string // Lambda's id of the invocation
	ContentType string // what the bootstrap posted

	// The prelude; zero if ContentType is not that of a streamed HTTP answer, in
	// which case Body is all there is.
	StatusCode int
	Header     http.Header
	Cookies    []string

	// Body reads the answer as it arrives. It ends with io.EOF only if the answer
	// ended cleanly, with a *FunctionError if the trailers told of one, with
	// io.ErrUnexpectedEOF if the process broke off, and with the context's error
	// when that of Invoke ends.
	Body io.Reader

	arrival *arrival
}

// Chunk is what one read from the network brought.
type Chunk struct {
	At   time.Time
	Data []byte
}

// Chunks returns what has arrived until now, read from Body or not.
func (r *Response) Chunks() []Chunk {
	r.arrival.mu.Lock()
	defer r.arrival.mu.Unlock()
	return append([]Chunk(nil), r.arrival.chunks...)
}

// Hangup breaks the connection the answer comes on, as a service that lost its
// client would.
func (r *Response) Hangup() { r.arrival.hangup() }

// FunctionError is how the Runtime API reports a failed invocation.
type FunctionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (e *FunctionError) Error() string {
	return fmt.Sprintf("runtimetest: function error %s: %s", e.Type, e.Message)
}

// Invoke hands the event to the function and returns when the answer's prelude is
// there. An error before that is a *FunctionError, an *ExitError or ctx's. An
// event waits until the one before it was answered, as on Lambda.
func (f *Function) Invoke(ctx context.Context, event []byte) (*Response, error) {
	inv := &invocation{ctx: ctx, event: event, answered: make(chan answer, 1)}
	select {
	case f.invoke <- inv:
	case <-f.exited:
		return nil, f.ended()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-inv.answered:
		return a.response, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.exited:
	}
	select { // the answer may have come just before the end
	case a := <-inv.answered:
		return a.response, a.err
	default:
		return nil, f.ended()
	}
}

// invocation is one event on its way through the function.
type invocation struct {
	ctx      context.Context // Invoke's
	id       string
	event    []byte
	deadline *time.Timer // kills the process
	answered chan answer // holds one
}

type answer struct {
	response *Response
	err      error
}

// arrival collects a body. Its reader may be slower than its writer.
type arrival struct {
	ctx    context.Context
	hangup func()

	mu      sync.Mutex
	chunks  []Chunk
	err     error         // why no more will come
	changed chan struct{} // closed and replaced when chunks or err did

	unread []byte // the reader's own
	read   int    // chunks taken
}

func newArrival(ctx context.Context, hangup func()) *arrival {
	return &arrival{ctx: ctx, hangup: hangup, changed: make(chan struct{})}
}

func (a *arrival) add(data []byte, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(data) > 0 {
		a.chunks = append(a.chunks, Chunk{At: time.Now(), Data: append([]byte(nil), data...)})
	}
	if a.err == nil {
		a.err = err
	}
	close(a.changed)
	a.changed = make(chan struct{})
}

// Read waits for a chunk.
func (a *arrival) Read(p []byte) (int, error) {
	for len(a.unread) == 0 {
		a.mu.Lock()
		changed, err := a.changed, a.err
		if a.read < len(a.chunks) {
			a.unread, err = a.chunks[a.read].Data, nil
			a.read++
			changed = nil
		}
		a.mu.Unlock()
		if err != nil {
			return 0, err
		}
		if changed == nil {
			continue
		}
		select {
		case <-changed:
		case <-a.ctx.Done():
			return 0, a.ctx.Err()
		}
	}
	n := copy(p, a.unread)
	a.unread = a.unread[n:]
	return n, nil
}
