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

// window is what is kept of a conversation: its entries, or the mark of who took
// them, or, with neither, that it is unsettled.
type window struct {
	key     key
	entries [][]byte
	mark    string
	size    int
	expires time.Time
}

func newWindow(k key, mark string, entries [][]byte, life time.Duration) *window {
	w := &window{key: k, mark: mark, entries: entries, size: overhead + len(mark), expires: time.Now().Add(life)}
	for _, e := range entries {
		w.size += len(e) + overhead
	}
	return w
}

func (w *window) unsettled() bool { return w != nil && w.mark == "" && len(w.entries) == 0 }

type store struct {
	mu      sync.Mutex
	left    int // bytes there is still room for
	windows map[key]*list.Element
	order   list.List // of *window; the one put last is in front
}

var _ driver.Driver = (*store)(nil)

// Take implements [driver.Driver].
func (s *store) Take(ctx context.Context, sc tenant.Scope, conversation, mark string) ([][]byte, error) {
	if err := sc.Check("memsession.Take"); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k := key{sc.Project(), conversation}
	s.mu.Lock()
	defer s.mu.Unlock()
	there := s.find(k)
	if there.unsettled() {
		return nil, nil
	}
	s.set(newWindow(k, mark, nil, driver.MarkLife))
	if there == nil {
		return nil, nil
	}
	return there.entries, nil
}

// Put implements [driver.Driver].
func (s *store) Put(ctx context.Context, sc tenant.Scope, conversation, mark string, entries [][]byte) error {
	if err := sc.Check("memsession.Put"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	k := key{sc.Project(), conversation}
	s.mu.Lock()
	defer s.mu.Unlock()
	there := s.find(k)
	ours := there == nil && mark == "" || there != nil && mark != "" && there.mark == mark
	if !ours || len(entries) == 0 {
		s.set(newWindow(k, "", nil, driver.Settle))
		return nil
	}
	s.set(newWindow(k, "", entries, driver.Life))
	return nil
}

// find returns what is there, if it has not expired. mu is held.
func (s *store) find(k key) *window {
	e := s.windows[k]
	if e == nil || !time.Now().Before(e.Value.(*window).expires) {
		return nil
	}
	return e.Value.(*window)
}

// set puts w where another was, and makes room. mu is held.
func (s *store) set(w *window) {
	s.remove(s.windows[w.key])
	s.windows[w.key] = s.order.PushFront(w)
	for s.left -= w.size; s.order.Len() > 0; {
		if last := s.order.Back(); s.left < 0 || !time.Now().Before(last.Value.(*window).expires) {
			s.remove(last)
			continue
		}
		return
	}
}

// remove takes a window out, if it is there. mu is held.
func (s *store) remove(e *list.Element) {
	if e == nil {
		return
	}
	w := s.order.Remove(e).(*window)
	delete(s.windows, w.key)
	s.left += w.size
}

// Close implements [driver.Driver].
func (s *store) Close() error { return nil }
