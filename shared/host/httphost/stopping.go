package httphost

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// boundWrites bounds what a write of h may take once its request is cancelled with
// [ErrStopping]. A handler whose client does not read would otherwise wait for a
// deadline of its own, which is longer than a stop may take, and store nothing.
func boundWrites(h http.Handler, longest time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := &bounded{ResponseWriter: w, longest: longest}
		defer context.AfterFunc(r.Context(), func() {
			if context.Cause(r.Context()) == ErrStopping {
				b.stop()
			}
		})()
		h.ServeHTTP(b, r)
	})
}

// bounded is the ResponseWriter of a handler under boundWrites.
type bounded struct {
	http.ResponseWriter
	longest time.Duration

	mu       sync.Mutex
	stopping bool
	deadline time.Time // what the handler wants
}

// Unwrap lets http.ResponseController reach the server's writer.
func (b *bounded) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// SetWriteDeadline is for http.ResponseController: a handler sets it before a write.
func (b *bounded) SetWriteDeadline(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deadline = t
	return b.set()
}

func (b *bounded) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopping = true
	b.set() // a server whose connection has none ends with the process
}

// set gives the connection the handler's deadline, or an earlier one. mu is held.
func (b *bounded) set() error {
	t := b.deadline
	if end := time.Now().Add(b.longest); b.stopping && (t.IsZero() || t.After(end)) {
		t = end
	}
	return http.NewResponseController(b.ResponseWriter).SetWriteDeadline(t)
}
