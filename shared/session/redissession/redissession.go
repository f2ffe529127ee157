// Package redissession keeps windows in Redis.
//
// Only shared/app and tests import it. Its one promise: a key begins with the
// tenant's id, so no two tenants share one, and a connection on which a call timed
// out or was cancelled is closed, so no answer that comes late is another call's.
package redissession

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"switchboard/shared/seal"
	"switchboard/shared/session"
	"switchboard/shared/session/internal/driver"
	"switchboard/shared/tenant"
)

// Open returns a Session over the client, which its Close closes. What go-redis has to
// say, by a logger that is one for the process, goes to slog from then on. Windows are
// sealed by the sealer, which is the caller's.
func Open(rdb redis.UniversalClient, sealer *seal.Sealer) *session.Session {
	redis.SetLogger(log{})
	return session.New(&store{rdb}, sealer)
}

// log speaks when a connection fails; the session reports that too, for its tenant.
type log struct{}

// Printf implements go-redis's logger.
func (log) Printf(ctx context.Context, format string, v ...any) {
	slog.WarnContext(ctx, "redis, in its client's own words", slog.String("text", fmt.Sprintf(format, v...)))
}

// Options returns a client's options for url (redis:// or rediss://), set so that
// no call outlives [session.CallTimeout].
func Options(url string) (*redis.Options, error) {
	o, err := redis.ParseURL(url)
	if err != nil { // it may quote the password
		return nil, errors.New("REDIS_URL is no Redis URL; expected redis://HOST:PORT or rediss://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = session.CallTimeout, session.CallTimeout, session.CallTimeout
	o.PoolTimeout = session.CallTimeout
	o.ContextTimeoutEnabled = true
	o.MaxRetries, o.DialerRetries = -1, 1 // a miss is cheaper than a retry
	o.DisableIdentity = true
	// Not for us, and it looks the host's name up when the client is made.
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

type store struct{ rdb redis.UniversalClient }

var _ driver.Driver = (*store)(nil)

// key is the one codec of Redis keys. A project id has no '#', so no two scopes
// share one. The braces keep a conversation's keys on one shard of a cluster.
func key(sc tenant.Scope, conversation string) string {
	return sc.Project().String() + "#window#{" + conversation + "}"
}

// Take implements [driver.Driver] with one round trip.
func (s *store) Take(ctx context.Context, sc tenant.Scope, conversation string) ([][]byte, error) {
	if err := sc.Check("redissession.Take"); err != nil {
		return nil, err
	}
	k := key(sc, conversation)
	var got *redis.StringSliceCmd
	_, err := s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		got = p.LRange(ctx, k, 0, -1)
		p.Del(ctx, k)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, e := range got.Val() {
		out = append(out, []byte(e))
	}
	return out, nil
}

// Put implements [driver.Driver] with one round trip, and a second where two turns
// of a conversation end at once.
func (s *store) Put(ctx context.Context, sc tenant.Scope, conversation string, entries [][]byte) error {
	if err := sc.Check("redissession.Put"); err != nil {
		return err
	}
	k := key(sc, conversation)
	if len(entries) == 0 {
		return s.rdb.Del(ctx, k).Err()
	}
	values := make([]any, len(entries))
	for i, e := range entries {
		values[i] = e
	}
	fresh := k + "#" + rand.Text()
	var moved *redis.BoolCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, fresh, values...)
		p.Expire(ctx, fresh, driver.Life)
		moved = p.RenameNX(ctx, fresh, k)
		return nil
	})
	if err == nil && !moved.Val() {
		err = s.rdb.Del(ctx, k, fresh).Err()
	}
	return err
}

// Close implements [driver.Driver].
func (s *store) Close() error { return s.rdb.Close() }
