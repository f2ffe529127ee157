package auth_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"time"
)

// event is what a browser's EventSource would hand out.
type event struct{ name, data string }

// events parses a stream as the HTML standard says. Comments are events named ":".
func events(raw string) (out []event) {
	raw = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(raw)
	var e event
	begun := false
	for line := range strings.Lines(raw) {
		line, whole := strings.CutSuffix(line, "\n")
		if !whole {
			return append(out, event{"cut", line})
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && begun:
			e.data = strings.TrimSuffix(e.data, "\n")
			out, e, begun = append(out, e), event{}, false
		case line == "":
		case field == "":
			out = append(out, event{":", value})
		case field == "event":
			e.name = value
		case field == "data":
			e.data, begun = e.data+value+"\n", true
		default:
			out = append(out, event{"unknown field", line})
		}
	}
	return out
}

// wire is a client's end: it records what arrives, and may be slow or gone.
type wire struct {
	header http.Header

	mu       sync.Mutex
	b        bytes.Buffer
	flushes  int
	status   int
	deadline time.Time
	err      error         // of every write
	hold     chan struct{} // a write waits until it is closed
	slow     time.Duration // every write takes so long
}

func newWire() *wire { return &wire{header: http.Header{}} }

func (w *wire) Header() http.Header { return w.header }

func (w *wire) WriteHeader(code int) { w.status = code }

func (w *wire) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	return nil
}

func (w *wire) Write(p []byte) (int, error) {
	if w.hold != nil {
		<-w.hold
	}
	if w.slow > 0 {
		<-time.After(w.slow)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	return w.b.Write(p)
}

func (w *wire) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flushes++
	return w.err
}

// left is the time until the write deadline.
func (w *wire) left() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Until(w.deadline)
}

// flushed is how often the client was sent what there was.
func (w *wire) flushed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flushes
}

func (w *wire) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}
