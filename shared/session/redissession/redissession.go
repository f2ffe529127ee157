// Package redissession keeps windows in Redis.
//
// Only shared/app and tests import it. Its one promise: a key begins with the
// tenant's id, so no two tenants share one, and a connection on which a call timed
// out or was cancelled is closed, so no answer that comes late is another call's.
package redissession

import (
	"context"
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

// Dial returns a Session in the Redis that url names (redis:// or rediss://). It
// connects to nothing yet.
func Dial(url string, sealer *seal.Sealer) (*session.Session, error) {
	o, err := Options(url)
	if err != nil {
		return nil, err
	}
	return Open(redis.NewClient(o), sealer), nil
}

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

// take and put are scripts, so that a window, its mark and their lives change as one
// and in one round trip. A window is a list; a mark is a string, which is empty where
// the conversation is unsettled. They are sent whole each time: a server that does
// not know a script by its sum would cost a turn a second round trip.
const (
	take = `
local window = {}
local is = redis.call('TYPE', KEYS[1]).ok
if is == 'list' then
  window = redis.call('LRANGE', KEYS[1], 0, -1)
elseif is == 'string' and redis.call('GET', KEYS[1]) == '' then
  return window
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return window`

	put = `
local mark, life, settle = ARGV[1], ARGV[2], ARGV[3]
local is = redis.call('TYPE', KEYS[1]).ok
local ours = is == 'none' and mark == '' or is == 'string' and mark ~= '' and redis.call('GET', KEYS[1]) == mark
if not ours or #ARGV == 3 then
  redis.call('SET', KEYS[1], '', 'PX', settle)
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('RPUSH', KEYS[1], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], life)
return 1`
)

// Take implements [driver.Driver] with one round trip.
func (s *store) Take(ctx context.Context, sc tenant.Scope, conversation, mark string) ([][]byte, error) {
	if err := sc.Check("redissession.Take"); err != nil {
		return nil, err
	}
	got, err := s.rdb.Eval(ctx, take, []string{key(sc, conversation)}, mark, driver.MarkLife.Milliseconds()).StringSlice()
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, e := range got {
		out = append(out, []byte(e))
	}
	return out, nil
}

// Put implements [driver.Driver] with one round trip.
func (s *store) Put(ctx context.Context, sc tenant.Scope, conversation, mark string, entries [][]byte) error {
	if err := sc.Check("redissession.Put"); err != nil {
		return err
	}
	args := []any{mark, driver.Life.Milliseconds(), driver.Settle.Milliseconds()}
	for _, e := range entries {
		args = append(args, e)
	}
	return s.rdb.Eval(ctx, put, []string{key(sc, conversation)}, args...).Err()
}

// Close implements [driver.Driver].
func (s *store) Close() error { return s.rdb.Close() }
