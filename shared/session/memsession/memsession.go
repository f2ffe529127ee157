// Package memsession keeps windows in the process's own memory, for a process that
// is the only one to serve its table.
//
// Only shared/app/local and tests import it. Its one promise: it holds at most as
// many bytes as it was given; what there is no room for, the least recently used
// first, is read from the table again.
//
// It stands where an in-process Redis stood before: that one cost a turn as much as
// two commits of the table do, and had no bound.
//
// Windows are not sealed here. They never leave the process, which holds the keys
// too, and a map has no connection on which an answer could be another's.
package memsession

import (
	"container/list"
	"context"
	"sync"
	"time"

	"switchboard/shared/seal"
	"switchboard/shared/session"
	"switchboard/shared/session/internal/driver"
	"switchboard/shared/tenant"
)

// DefaultMaxBytes is what New holds at most where nobody says otherwise: windows of
// some two thousand conversations of ordinary size.
const DefaultMaxBytes = 16 << 20

// New returns an empty Session that holds at most maxBytes (0 = [DefaultMaxBytes]).
func New(maxBytes int) *session.Session {
	if maxBytes <= 0 {
		maxBytes = DefaultMaxBytes
	}
	return session.New(&store{left: maxBytes, windows: make(map[key]*list.Element)}, seal.Unsealed())
}

// overhead is about what an entry and a window cost beside their bytes.
const overhead = 128

type key struct {
	project      tenant.ID
	conversation string
}

type window struct {
	key     key
	entries [][]byte
	size    int
	expires time.Time
}

type store struct {
	mu      sync.Mutex
	left    int // bytes there is still room for
	windows map[key]*list.Element
	order   list.List // of *window; the one put last is in front, so expiry is in order
}

var _ driver.Driver = (*store)(nil)

// Take implements [driver.Driver].
func (s *store) Take(ctx context.Context, sc tenant.Scope, conversation string) ([][]byte, error) {
	if err := sc.Check("memsession.Take"); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.remove(s.windows[key{sc.Project(), conversation}])
	if w == nil || !time.Now().Before(w.expires) {
		return nil, nil
	}
	return w.entries, nil
}

// Put implements [driver.Driver].
func (s *store) Put(ctx context.Context, sc tenant.Scope, conversation string, entries [][]byte) error {
	if err := sc.Check("memsession.Put"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	now := time.Now()
	w := &window{key: key{sc.Project(), conversation}, entries: entries, size: overhead, expires: now.Add(driver.Life)}
	for _, e := range entries {
		w.size += len(e) + overhead
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	there := s.remove(s.windows[w.key])
	if len(entries) == 0 || there != nil && now.Before(there.expires) {
		return nil
	}
	s.windows[w.key] = s.order.PushFront(w)
	for s.left -= w.size; s.order.Len() > 0; {
		if last := s.order.Back(); s.left < 0 || !now.Before(last.Value.(*window).expires) {
			s.remove(last)
			continue
		}
		break
	}
	return nil
}

// remove takes a window out, if it is there. mu is held.
func (s *store) remove(e *list.Element) *window {
	if e == nil {
		return nil
	}
	w := s.order.Remove(e).(*window)
	delete(s.windows, w.key)
	s.left += w.size
	return w
}

// Close implements [driver.Driver].
func (s *store) Close() error { return nil }
