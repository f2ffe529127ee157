package session_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"github.com/redis/go-redis/v9"

	"switchboard/shared/problem"
	"switchboard/shared/session"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// servers are what the suite runs against: miniredis always, a real server where
// SWITCHBOARD_REDIS_URL names one, as `make verify` does.
func servers(t *testing.T) map[string]string {
	m := map[string]string{"miniredis": "redis://" + miniredis.RunT(t).Addr()}
	if url := os.Getenv("SWITCHBOARD_REDIS_URL"); url != "" {
		m["redis"] = url
	}
	return m
}

func open(t *testing.T, url string) *session.Session {
	o, err := session.Options(url)
	if err != nil {
		t.Fatal(err)
	}
	s := session.Open(redis.NewClient(o))
	t.Cleanup(func() { s.Close() })
	return s
}

func window(t *testing.T, s *session.Session, sc tenant.Scope, conv string) []string {
	t.Helper()
	got, err := s.Take(t.Context(), sc, conv)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range got {
		out = append(out, string(e))
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	a, b := tenanttest.Scope("abc"), tenanttest.Scope("abc-d")
	for name, url := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, conv := open(t, url), ulid.Make().String()
			long := strings.Repeat("x", 200<<10)
			must(t, s.Put(t.Context(), a, conv, []byte("1"), []byte("2\r\n\x00"), []byte(long)))
			if got := window(t, s, b, conv); got != nil {
				t.Errorf("a stranger takes %q", got)
			}
			must(t, s.Put(t.Context(), b, conv))
			if diff := cmp.Diff([]string{"1", "2\r\n\x00", long}, window(t, s, a, conv)); diff != "" {
				t.Error(diff)
			}
			if got := window(t, s, a, conv); got != nil {
				t.Errorf("it was taken, and is still there: %q", got)
			}
			// Two turns at once: the window of the first to end lacks the second
			// and the other way round, so there is none.
			must(t, s.Put(t.Context(), a, conv, []byte("first")))
			must(t, s.Put(t.Context(), a, conv, []byte("second")))
			if got := window(t, s, a, conv); got != nil {
				t.Errorf("a window of two turns at once: %q", got)
			}
			var many [][]byte
			for i := range session.MaxTurns + 5 {
				many = append(many, fmt.Append(nil, i))
			}
			must(t, s.Put(t.Context(), a, conv, many...))
			if got := window(t, s, a, conv); len(got) != session.MaxTurns || got[0] != "5" {
				t.Errorf("the window has %d entries, from %q", len(got), got[0])
			}
		})
	}
}

// TestAWindowInDoubtIsNotBelieved: Redis was away for a whole turn and comes back
// with the window from before it.
func TestAWindowInDoubtIsNotBelieved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := miniredis.NewMiniRedis()
		defer m.Close()
		var away atomic.Bool
		o, err := session.Options("redis://127.0.0.1:0")
		must(t, err)
		o.Dialer = func(context.Context, string, string) (net.Conn, error) { return m.Dial() }
		rdb := redis.NewClient(o)
		rdb.AddHook(failing{&away})
		s, sc := session.Open(rdb), tenanttest.Scope("abc")
		defer s.Close()
		must(t, s.Put(t.Context(), sc, "c", []byte("old")))
		must(t, s.Put(t.Context(), sc, "other", []byte("other")))
		away.Store(true)
		if _, err := s.Take(t.Context(), sc, "c"); err == nil {
			t.Error("no error while Redis is away")
		}
		if err := s.Put(t.Context(), sc, "c", []byte("old"), []byte("new")); err == nil {
			t.Error("no error while Redis is away")
		}
		away.Store(false)
		time.Sleep(2 * time.Second) // of the bubble's time: Redis is asked again
		if got := window(t, s, sc, "c"); got != nil {
			t.Errorf("the window from before is believed: %q", got)
		}
		if got := window(t, s, sc, "other"); len(got) != 1 {
			t.Errorf("another conversation's window: %q", got)
		}
		must(t, s.Put(t.Context(), sc, "c", []byte("whole")))
		if got := window(t, s, sc, "c"); len(got) != 1 {
			t.Errorf("the window made after: %q", got)
		}
	})
}

// failing is a hook that fails every command while away is set.
type failing struct{ away *atomic.Bool }

func (f failing) DialHook(next redis.DialHook) redis.DialHook { return next }
func (f failing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if f.away.Load() {
			return errors.New("away")
		}
		return next(ctx, cmd)
	}
}
func (f failing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if f.away.Load() {
			return errors.New("away")
		}
		return next(ctx, cmds)
	}
}

func TestZeroScopeIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, "redis://"+miniredis.RunT(t).Addr())
	var zero tenant.Scope
	_, err := s.Take(t.Context(), zero, "c")
	for name, err := range map[string]error{"Take": err, "Put": s.Put(t.Context(), zero, "c")} {
		if !problem.Is(err, problem.Internal) {
			t.Errorf("%s with the zero scope: %v", name, err)
		}
	}
	must(t, s.Put(t.Context(), tenanttest.Scope("abc"), "c")) // the control
}

func TestNilSessionIsEmpty(t *testing.T) {
	t.Parallel()
	var s *session.Session
	must(t, s.Put(t.Context(), tenanttest.Scope("abc"), "c", []byte("x")))
	if got := window(t, s, tenanttest.Scope("abc"), "c"); got != nil {
		t.Error(got)
	}
}

// TestFailingRedisRests counts connections: a Redis that is down is asked once,
// and then not for a while.
func TestFailingRedisRests(t *testing.T) {
	t.Parallel()
	var dials atomic.Int32
	s := session.Open(redis.NewClient(&redis.Options{MaxRetries: -1, DialerRetries: 1, Dialer: func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		return nil, fmt.Errorf("refused")
	}}))
	defer s.Close()
	for range 20 {
		if _, err := s.Take(t.Context(), tenanttest.Scope("abc"), "c"); err == nil {
			t.Fatal("no error from a dead Redis")
		}
	}
	if n := dials.Load(); n > 2 { // one call, which the client tries twice
		t.Errorf("a dead Redis was dialled %d times in 20 calls", n)
	}
}
