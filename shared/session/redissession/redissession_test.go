package redissession_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"switchboard/shared/seal"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/session"
	"switchboard/shared/session/redissession"
	"switchboard/shared/session/sessiontest"
	"switchboard/shared/tenant/tenanttest"
)

func open(t *testing.T, url string, sealer *seal.Sealer) *session.Session {
	o, err := redissession.Options(url)
	if err != nil {
		t.Fatal(err)
	}
	s := redissession.Open(redis.NewClient(o), sealer)
	t.Cleanup(func() { s.Close() })
	return s
}

// TestConformance runs against miniredis always, and against a real server where
// SWITCHBOARD_REDIS_URL names one, as `make verify` does.
func TestConformance(t *testing.T) {
	t.Parallel()
	servers := map[string]string{"miniredis": "redis://" + miniredis.RunT(t).Addr()}
	if url := os.Getenv("SWITCHBOARD_REDIS_URL"); url != "" {
		servers["redis"] = url
	}
	for name, url := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sealer := sealtest.New(t)
			sessiontest.Run(t, func(t *testing.T) *session.Session { return open(t, url, sealer) })
		})
	}
}

func TestNoWindowLacksATurnAsTimePasses(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	sessiontest.Interleave(t, open(t, "redis://"+m.Addr(), sealtest.New(t)), m.FastForward)
}

// TestKeysBeginWithTheTenant looks at what is in Redis, and that all of it expires:
// windows after a day, what stands in their place sooner.
func TestKeysBeginWithTheTenant(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	s, sc := open(t, "redis://"+m.Addr(), sealtest.New(t)), tenanttest.Scope("abc")
	there := func(what string, life time.Duration) {
		t.Helper()
		keys := m.Keys()
		if len(keys) != 1 || !strings.HasPrefix(keys[0], "abc#") || m.TTL(keys[0]) <= 0 || m.TTL(keys[0]) > life {
			t.Errorf("%s: keys %q, the first for %v", what, keys, m.TTL(keys[0]))
		}
	}
	sessiontest.Put(t, s, sc, "c", "x")
	there("a window", 24*time.Hour)
	sessiontest.Window(t, s, sc, "c")
	there("a mark", 10*time.Minute)
	if err := s.Put(t.Context(), sc, "c", session.Token{}); err != nil {
		t.Fatal(err)
	}
	there("unsettled", time.Minute)
}

// TestADeadRedisIsDialledOnce: its failure is one failure, not a series of tries.
func TestADeadRedisIsDialledOnce(t *testing.T) {
	t.Parallel()
	var dials atomic.Int32
	o, err := redissession.Options("redis://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	o.Dialer = func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		return nil, fmt.Errorf("refused")
	}
	s := redissession.Open(redis.NewClient(o), sealtest.New(t))
	defer s.Close()
	for range 20 {
		if _, _, err := s.Take(t.Context(), tenanttest.Scope("abc"), "c"); err == nil {
			t.Fatal("no error from a dead Redis")
		}
	}
	if n := dials.Load(); n > 2 { // one call, which the client tries twice
		t.Errorf("a dead Redis was dialled %d times in 20 calls", n)
	}
}
