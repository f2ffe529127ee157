// Package session holds what is short-lived: the window of a conversation's last
// messages. It lives in Redis, or in a miniredis inside a single process.
//
// shared/chat imports it. Its one promise: losing it loses nothing. Everything
// here can be made again from the table, so every failure is a miss, a failing
// Redis is left alone for a second at a time, and no call waits longer than its
// short timeout.
package session

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// Bounds of a window. Older turns stay in the table.
const (
	MaxTurns = 16             // entries kept of a conversation
	life     = 24 * time.Hour // since its last turn
)

const (
	callTimeout = 250 * time.Millisecond // one call, connection included
	restAfter   = time.Second            // how long a failing Redis is left alone
)

// ErrResting says that Redis failed a moment ago and was not asked.
var ErrResting = errors.New("session: redis failed a moment ago")

// Session keeps windows in Redis. A nil *Session is one that is always empty.
type Session struct {
	rdb   redis.UniversalClient
	until atomic.Int64 // unix nanoseconds until which rdb is not asked

	mu       sync.Mutex
	doubtful map[string]bool // keys of windows that may lack a turn
}

// Open returns a Session over the client, which [Session.Close] closes.
func Open(rdb redis.UniversalClient) *Session {
	return &Session{rdb: rdb, doubtful: make(map[string]bool)}
}

// Options returns a client's options for url (redis:// or rediss://), set so that
// a Redis which hangs costs a turn a quarter of a second, once.
func Options(url string) (*redis.Options, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = callTimeout, callTimeout, callTimeout
	o.PoolTimeout = callTimeout
	o.ContextTimeoutEnabled = true
	o.MaxRetries, o.DialerRetries = -1, 1 // a miss is cheaper than a retry
	o.DisableIdentity = true
	// Not for us, and it looks the host's name up when the client is made.
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// key is the one codec of Redis keys. A project id has no '#', so no two scopes
// share one. The braces keep a conversation's keys on one shard of a cluster.
func key(sc tenant.Scope, conversation string) string {
	return sc.Project().String() + "#window#{" + conversation + "}"
}

// Take returns the entries of a conversation's last turns, oldest first, and takes
// them out: while a turn is under way there is no window, so a turn that never ends,
// or one whose end Redis does not hear of, leaves none behind that lacks it. None
// and any error mean the same: read the table.
func (s *Session) Take(ctx context.Context, sc tenant.Scope, conversation string) ([][]byte, error) {
	if err := sc.Check("session.Take"); err != nil {
		return nil, err
	}
	if s == nil {
		return nil, nil
	}
	k := key(sc, conversation)
	doubted := s.doubts(k)
	var got *redis.StringSliceCmd
	err := s.call(ctx, func(ctx context.Context) error {
		_, err := s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
			got = p.LRange(ctx, k, 0, -1)
			p.Del(ctx, k)
			return nil
		})
		return err
	})
	switch {
	case err != nil:
		s.doubt(k)
		return nil, err
	case doubted:
		s.trust(k) // what was in doubt is gone now
		return nil, nil
	}
	var out [][]byte
	for _, e := range got.Val() {
		out = append(out, []byte(e))
	}
	return out, nil
}

// Put makes the window these entries, oldest first, at the end of a turn. Where
// there is a window already, another turn of the conversation ended meanwhile and
// neither has both: then there is none. No entries drop it.
func (s *Session) Put(ctx context.Context, sc tenant.Scope, conversation string, entries ...[]byte) error {
	if err := sc.Check("session.Put"); err != nil {
		return err
	}
	if s == nil {
		return nil
	}
	if len(entries) > MaxTurns {
		entries = entries[len(entries)-MaxTurns:]
	}
	values := make([]any, len(entries))
	for i, e := range entries {
		values[i] = e
	}
	k := key(sc, conversation)
	fresh := k + "#" + rand.Text()
	err := s.call(ctx, func(ctx context.Context) error {
		if len(values) == 0 {
			return s.rdb.Del(ctx, k).Err()
		}
		var moved *redis.BoolCmd
		_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.RPush(ctx, fresh, values...)
			p.Expire(ctx, fresh, life)
			moved = p.RenameNX(ctx, fresh, k)
			return nil
		})
		if err == nil && !moved.Val() {
			err = s.rdb.Del(ctx, k, fresh).Err()
		}
		return err
	})
	if err != nil {
		s.doubt(k)
	}
	return err
}

// maxDoubts bounds the windows in doubt that are remembered.
const maxDoubts = 50_000

// doubt remembers that Redis may hold a window that lacks a turn: it is not to be
// believed when Redis is back.
func (s *Session) doubt(k string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.doubtful) >= maxDoubts {
		// Too many to remember: believe nothing until everything has expired.
		s.until.Store(time.Now().Add(life).UnixNano())
		clear(s.doubtful)
		return
	}
	s.doubtful[k] = true
}

func (s *Session) doubts(k string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubtful[k]
}

func (s *Session) trust(k string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.doubtful, k)
}

// call runs one exchange with Redis within its time, unless Redis is resting.
func (s *Session) call(ctx context.Context, do func(context.Context) error) error {
	if time.Now().UnixNano() < s.until.Load() {
		return ErrResting
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
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

// Close closes the connections.
func (s *Session) Close() error {
	if s == nil {
		return nil
	}
	return s.rdb.Close()
}
