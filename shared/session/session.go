// Package session holds what is short-lived: the window of a conversation's last
// messages.
//
// shared/chat imports it; only shared/app imports a driver: redissession, and for a
// process that is alone memsession, which spends on a window no more than a map
// does and holds no more memory than it is given. Its one promise: losing it loses
// nothing. Everything here can be made again from the table, so every failure is a
// miss, a failing store is left alone for a second at a time, and no call waits
// longer than its short timeout.
package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/session/internal/driver"
	"switchboard/shared/tenant"
)

// MaxTurns is how many entries are kept of a conversation. Older turns stay in the
// table.
const MaxTurns = 16

// CallTimeout bounds one call, connection included: a store that hangs costs a turn
// a quarter of a second, once.
const CallTimeout = 250 * time.Millisecond

// restAfter is how long a failing store is left alone.
const restAfter = time.Second

// ErrResting says that the store failed a moment ago and was not asked.
var ErrResting = errors.New("session: the store failed a moment ago")

// Session keeps windows. A nil *Session is one that is always empty.
type Session struct {
	d     driver.Driver
	until atomic.Int64 // unix nanoseconds until which d is not asked

	mu       sync.Mutex
	doubtful map[window]bool // windows that may lack a turn
}

// window is one conversation of one tenant.
type window struct {
	project      tenant.ID
	conversation string
}

// New returns a Session over a driver, which [Session.Close] closes.
func New(d driver.Driver) *Session {
	return &Session{d: d, doubtful: make(map[window]bool)}
}

// Take returns the entries of a conversation's last turns, oldest first, and takes
// them out: while a turn is under way there is no window, so a turn that never ends,
// or one whose end the store does not hear of, leaves none behind that lacks it. None
// and any error mean the same: read the table.
func (s *Session) Take(ctx context.Context, sc tenant.Scope, conversation string) ([][]byte, error) {
	if err := sc.Check("session.Take"); err != nil {
		return nil, err
	}
	if s == nil {
		return nil, nil
	}
	w := window{sc.Project(), conversation}
	doubted := s.doubts(w)
	var entries [][]byte
	err := s.call(ctx, func(ctx context.Context) (err error) {
		entries, err = s.d.Take(ctx, sc, conversation)
		return err
	})
	switch {
	case err != nil:
		s.doubt(w)
		return nil, err
	case doubted:
		s.trust(w) // what was in doubt is gone now
		return nil, nil
	}
	return entries, nil
}

// Put makes the window these entries, oldest first, at the end of a turn; they are
// the session's from then on. Where there is a window already, another turn of the
// conversation ended meanwhile and neither has both: then there is none. No entries
// drop it.
func (s *Session) Put(ctx context.Context, sc tenant.Scope, conversation string, entries ...[]byte) error {
	if err := sc.Check("session.Put"); err != nil {
		return err
	}
	if s == nil {
		return nil
	}
	if len(entries) > MaxTurns {
		entries = slices.Clone(entries[len(entries)-MaxTurns:]) // or those before would be held, uncounted
	}
	err := s.call(ctx, func(ctx context.Context) error { return s.d.Put(ctx, sc, conversation, entries) })
	if err != nil {
		s.doubt(window{sc.Project(), conversation})
	}
	return err
}

// maxDoubts bounds the windows in doubt that are remembered.
const maxDoubts = 50_000

// doubt remembers that the store may hold a window that lacks a turn: it is not to be
// believed when the store is back.
func (s *Session) doubt(w window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.doubtful) >= maxDoubts {
		// Too many to remember: believe nothing until everything has expired.
		s.until.Store(time.Now().Add(driver.Life).UnixNano())
		clear(s.doubtful)
		return
	}
	s.doubtful[w] = true
}

func (s *Session) doubts(w window) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubtful[w]
}

func (s *Session) trust(w window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.doubtful, w)
}

// call runs one exchange with the store within its time, unless it is resting.
func (s *Session) call(ctx context.Context, do func(context.Context) error) error {
	if time.Now().UnixNano() < s.until.Load() {
		return ErrResting
	}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	err := do(ctx)
	if err == nil {
		return nil
	}
	if rest := time.Now().Add(restAfter).UnixNano(); !errors.Is(err, context.Canceled) && rest > s.until.Load() {
		s.until.Store(rest)
	}
	return problem.Wrap(problem.Unavailable, "session.call", err)
}

// Close closes the driver.
func (s *Session) Close() error {
	if s == nil {
		return nil
	}
	return s.d.Close()
}

// Decorate returns s over the driver that wrap makes of its own. The parameter's
// type can be named by the packages below this one alone: it is for sessiontest.
func Decorate(s *Session, wrap func(driver.Driver) driver.Driver) *Session { return New(wrap(s.d)) }
