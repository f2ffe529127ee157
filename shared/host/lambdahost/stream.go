package lambdahost

import "sync"

// streamBuffer is how many bytes a handler may be ahead of the reader. It spares
// the two a handover for each token, and it is back-pressure: a client that does
// not read stops the handler, not the process's memory.
const streamBuffer = 64 << 10

// stream is a bounded pipe with one writer and one reader. Its changed.L must be
// &mu.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond // any field below did
	buf     []byte    // written, not yet read
	ended   error     // set once: what the reader gets after buf, io.EOF for a clean end
	gone    bool      // nobody reads
}

// Write takes p as the reader makes room for it.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	written := 0
	for written < len(p) {
		for len(s.buf) == streamBuffer && !s.gone {
			s.changed.Wait()
		}
		if s.gone {
			return written, ErrClientGone
		}
		n := min(len(p)-written, streamBuffer-len(s.buf))
		s.buf = append(s.buf, p[written:written+n]...)
		written += n
		s.changed.Broadcast()
	}
	return written, nil
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

// end is the writer's last word; err is io.EOF for a clean end.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	return nil
}
