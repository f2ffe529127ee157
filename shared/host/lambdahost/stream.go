package lambdahost

import (
	"context"
	"io"
	"os"
	"sync"
	"time"
)

// streamBuffer is how many bytes a handler may be ahead of the reader. It spares
// the two a handover for each token, and it is back-pressure: a client that does
// not read stops the handler, not the process's memory.
const streamBuffer = 64 << 10

// stream is a bounded pipe with one writer and one reader. Its changed.L must be
// &mu, its ctx the request's.
type stream struct {
	ctx context.Context // the request's: no write waits past its end

	mu       sync.Mutex
	changed  sync.Cond // any field below did, or a time has come
	buf      []byte    // written, not yet read
	deadline time.Time // of writes; zero = none
	broken   error     // set once: bytes were lost, and why
	ended    error     // set once: what the reader gets after buf, io.EOF for a clean end
	gone     bool      // nobody reads
}

// Write takes p as the reader makes room for it. It waits for that until its
// deadline or the end of the request's context: a handler that a client held any
// longer could not store what it has before Lambda stops the process. While there is
// room the context does not matter, for the last words are said after its end.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	written := 0
	for written < len(p) {
		if err := s.room(); err != nil {
			s.broken = err
			return written, err
		}
		n := min(len(p)-written, streamBuffer-len(s.buf))
		s.buf = append(s.buf, p[written:written+n]...)
		written += n
		s.changed.Broadcast()
	}
	return written, nil
}

// room waits until there is some. mu is held.
func (s *stream) room() error {
	for {
		switch {
		case s.gone:
			return ErrClientGone
		case s.broken != nil: // what follows a gap is of no use
			return s.broken
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return os.ErrDeadlineExceeded
		case len(s.buf) < streamBuffer:
			return nil
		case s.ctx.Err() != nil:
			return context.Cause(s.ctx)
		}
		s.wait()
	}
}

// wait returns when anything changed that room looks at. mu is held.
func (s *stream) wait() {
	defer context.AfterFunc(s.ctx, s.wake)()
	if !s.deadline.IsZero() {
		defer time.AfterFunc(time.Until(s.deadline), s.wake).Stop()
	}
	s.changed.Wait()
}

func (s *stream) wake() {
	s.mu.Lock() // or it could come between the look and the wait
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// SetWriteDeadline is for http.ResponseController: writes that wait at t, and later
// ones, fail with [os.ErrDeadlineExceeded]. Zero means no deadline. As with net/http,
// one that a write has met is not extended.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	s.changed.Broadcast()
	return nil
}

// Read returns what there is, or waits for it. It never returns bytes together
// with an error: the Runtime API's client would drop them.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buf) == 0 && s.ended == nil && !s.gone {
		s.changed.Wait()
	}
	switch {
	case s.gone:
		return 0, ErrClientGone
	case len(s.buf) == 0:
		return 0, s.ended
	}
	n := copy(p, s.buf)
	s.buf = s.buf[:copy(s.buf, s.buf[n:])]
	s.changed.Broadcast()
	return n, nil
}

// end is the writer's last word; err is io.EOF for a clean end, which one that lacks
// bytes does not have.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == io.EOF && s.broken != nil {
		err = s.broken
	}
	s.ended = err
	s.changed.Broadcast()
}

// abandon is the reader's.
func (s *stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	s.changed.Broadcast()
}

// err reports whether writing still makes sense.
func (s *stream) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return ErrClientGone
	}
	return s.broken
}
