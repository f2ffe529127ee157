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
	"errors"
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
}

// Open returns a Session over the client, which [Session.Close] closes.
func Open(rdb redis.UniversalClient) *Session { return &Session{rdb: rdb} }

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
// share one.
func key(sc tenant.Scope, conversation string) string {
	return sc.Project().String() + "#window#" + conversation
}

// Window returns the entries of a conversation's last turns, oldest first; none
// if there is no window. Any error means the same as none.
func (s *Session) Window(ctx context.Context, sc tenant.Scope, conversation string) ([][]byte, error) {
	if err := sc.Check("session.Window"); err != nil {
		return nil, err
	}
	var out [][]byte
	err := s.call(ctx, func(ctx context.Context) error {
		got, err := s.rdb.LRange(ctx, key(sc, conversation), 0, -1).Result()
		for _, e := range got {
			out = append(out, []byte(e))
		}
		return err
	})
	return out, err
}

// Append adds a turn's entry to the conversation's window if there is one: a
// window that was lost is not begun again in the middle, but rebuilt whole.
func (s *Session) Append(ctx context.Context, sc tenant.Scope, conversation string, entry []byte) error {
	if err := sc.Check("session.Append"); err != nil {
		return err
	}
	return s.call(ctx, func(ctx context.Context) error {
		k := key(sc, conversation)
		_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.RPushX(ctx, k, entry)
			p.LTrim(ctx, k, -MaxTurns, -1)
			p.Expire(ctx, k, life)
			return nil
		})
		return err
	})
}

// Reset makes the window these entries, oldest first; none drops it. It is for a
// new conversation, for one rebuilt from the table, and for one in doubt.
func (s *Session) Reset(ctx context.Context, sc tenant.Scope, conversation string, entries ...[]byte) error {
	if err := sc.Check("session.Reset"); err != nil {
		return err
	}
	if len(entries) > MaxTurns {
		entries = entries[len(entries)-MaxTurns:]
	}
	values := make([]any, len(entries))
	for i, e := range entries {
		values[i] = e
	}
	return s.call(ctx, func(ctx context.Context) error {
		k := key(sc, conversation)
		_, err := s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Del(ctx, k)
			if len(values) > 0 {
				p.RPush(ctx, k, values...)
				p.Expire(ctx, k, life)
			}
			return nil
		})
		return err
	})
}

// call runs one exchange with Redis within its time, unless Redis is resting.
func (s *Session) call(ctx context.Context, do func(context.Context) error) error {
	if s == nil {
		return nil
	}
	if time.Now().UnixNano() < s.until.Load() {
		return ErrResting
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := do(ctx)
	if err == nil {
		return nil
	}
	if !errors.Is(err, context.Canceled) {
		s.until.Store(time.Now().Add(restAfter).UnixNano())
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
