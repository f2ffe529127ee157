// Package session holds what is short-lived: the window of a conversation's last
// messages.
//
// shared/chat imports it; only shared/app imports a driver: redissession, and for a
// process that is alone memsession, which spends on a window no more than a map
// does and holds no more memory than it is given. Its one promise: losing it loses
// nothing. Everything here can be made again from the table, so every failure is a
// miss, a failing store is left alone for a second at a time, and no call waits
// longer than its short timeout.
//
// A window that leaves the process is sealed as one value under the tenant's own
// key, bound to tenant and conversation: a store that answers with another's window,
// or with another call's answer, is found out, and what it said is a miss.
package session

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/session/internal/driver"
	"switchboard/shared/tenant"
)

// MaxTurns is how many entries are kept of a conversation. Older turns stay in the
// table.
const MaxTurns = 16

// CallTimeout bounds one call, connection included: a store that hangs costs a turn
// a quarter of a second, once.
const CallTimeout = 250 * time.Millisecond

// Settle is how long after it was put, at most, a turn may come to the table: so long
// no window is made of a conversation whose turns overlapped.
const Settle = driver.Settle

// restAfter is how long a failing store is left alone.
const restAfter = time.Second

// ErrResting says that the store failed a moment ago and was not asked.
var ErrResting = errors.New("session: the store failed a moment ago")

// Session keeps windows. A nil *Session is one that is always empty.
type Session struct {
	d      driver.Driver
	sealer *seal.Sealer
	until  atomic.Int64 // unix nanoseconds until which d is not asked

	doubts doubts
}

// window is one conversation of one tenant.
type window struct {
	project      tenant.ID
	conversation string
}

// New returns a Session over a driver, which [Session.Close] closes. Windows are
// sealed by the sealer, which is the caller's; a driver that keeps them in the
// process has [seal.Unsealed].
func New(d driver.Driver, sealer *seal.Sealer) *Session {
	return &Session{d: d, sealer: sealer, doubts: doubts{of: make(map[tenant.ID]*doubted)}}
}

// Token says which turn took a window. The zero Token is that of a conversation's
// first turn, which takes none.
type Token struct{ mark string }

func mint() Token { return Token{rand.Text()} }

// Take returns the entries of a conversation's last turns, oldest first, and takes
// them out: while a turn is under way there is no window, so a turn that never ends,
// or one whose end the store does not hear of, leaves none behind that lacks it. None
// and any error mean the same: read the table, which has to be read after the call.
// The Token is for the turn's Put.
func (s *Session) Take(ctx context.Context, sc tenant.Scope, conversation string) ([][]byte, Token, error) {
	if err := sc.Check("session.Take"); err != nil {
		return nil, Token{}, err
	}
	if s == nil {
		return nil, Token{}, nil
	}
	w := window{sc.Project(), conversation}
	until, doubted := s.doubts.has(w)
	token := mint()
	var entries [][]byte
	err := s.call(ctx, func(ctx context.Context) (err error) {
		entries, err = s.d.Take(ctx, sc, conversation, token.mark)
		return err
	})
	switch {
	case err != nil:
		// The window stands or is gone; it lacks no turn so far. But the mark may yet
		// be set, after the table was read: nobody is to hold it.
		return nil, mint(), err
	case doubted:
		s.doubts.settle(w, until)
		return nil, token, nil
	}
	entries, err = s.open(ctx, sc, w, entries)
	return entries, token, err
}

// Put makes the window these entries, oldest first, at the end of a turn; they are
// the session's from then on. The turn need not be in the table yet, but has to be
// within [Settle].
//
// Only the turn that took last puts. Where another took or ended meanwhile, neither
// has both: then there is no window, and for a moment none is made, until all of them
// are in the table for certain. So a window has every turn that was put before it was
// taken. No entries drop it.
func (s *Session) Put(ctx context.Context, sc tenant.Scope, conversation string, token Token, entries ...[]byte) error {
	if err := sc.Check("session.Put"); err != nil {
		return err
	}
	if s == nil {
		return nil
	}
	if len(entries) > MaxTurns {
		entries = slices.Clone(entries[len(entries)-MaxTurns:]) // or those before would be held, uncounted
	}
	w := window{sc.Project(), conversation}
	entries, err := s.seal(ctx, sc, w, entries)
	if err == nil {
		err = s.call(ctx, func(ctx context.Context) error { return s.d.Put(ctx, sc, conversation, token.mark, entries) })
	}
	if err != nil {
		s.doubts.add(w)
	}
	return err
}

// call runs one exchange with the store within its time, unless it is resting.
func (s *Session) call(ctx context.Context, do func(context.Context) error) error {
	if time.Now().UnixNano() < s.until.Load() {
		return ErrResting
	}
	if err := ctx.Err(); err != nil { // the store has no part in it
		return problem.Wrap(problem.Unavailable, "session.call", err)
	}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	err := do(ctx)
	if err == nil {
		return nil
	}
	if !errors.Is(err, context.Canceled) {
		s.rest(time.Now().Add(restAfter).UnixNano())
	}
	return problem.Wrap(problem.Unavailable, "session.call", err)
}

// rest leaves the store alone until then, or longer if that was so already.
func (s *Session) rest(until int64) {
	for {
		was := s.until.Load()
		if was >= until || s.until.CompareAndSwap(was, until) {
			return
		}
	}
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
func Decorate(s *Session, wrap func(driver.Driver) driver.Driver) *Session {
	return New(wrap(s.d), s.sealer)
}
