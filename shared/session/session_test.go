package session_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"

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
	got, err := s.Window(t.Context(), sc, conv)
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
			must(t, s.Append(t.Context(), a, conv, []byte("lost")))
			if got := window(t, s, a, conv); got != nil {
				t.Errorf("appending to no window made one: %q", got)
			}
			must(t, s.Reset(t.Context(), a, conv, []byte("1"), []byte("2\r\n\x00")))
			must(t, s.Append(t.Context(), a, conv, []byte("3")))
			if diff := cmp.Diff([]string{"1", "2\r\n\x00", "3"}, window(t, s, a, conv)); diff != "" {
				t.Error(diff)
			}
			if got := window(t, s, b, conv); got != nil {
				t.Errorf("a stranger reads %q", got)
			}
			must(t, s.Reset(t.Context(), b, conv))
			if got := window(t, s, a, conv); len(got) != 3 {
				t.Errorf("a stranger's reset left %q", got)
			}
			for i := range session.MaxTurns {
				must(t, s.Append(t.Context(), a, conv, fmt.Append(nil, i)))
			}
			if got := window(t, s, a, conv); len(got) != session.MaxTurns || got[0] != "0" {
				t.Errorf("the window grew to %d, from %q", len(got), got[0])
			}
			must(t, s.Reset(t.Context(), a, conv))
			if got := window(t, s, a, conv); got != nil {
				t.Errorf("an empty reset left %q", got)
			}
		})
	}
}

func TestZeroScopeIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, "redis://"+miniredis.RunT(t).Addr())
	var zero tenant.Scope
	_, err := s.Window(t.Context(), zero, "c")
	for name, err := range map[string]error{
		"Window": err,
		"Append": s.Append(t.Context(), zero, "c", nil),
		"Reset":  s.Reset(t.Context(), zero, "c"),
	} {
		if !problem.Is(err, problem.Internal) {
			t.Errorf("%s with the zero scope: %v", name, err)
		}
	}
	must(t, s.Reset(t.Context(), tenanttest.Scope("abc"), "c")) // the control
}

func TestNilSessionIsEmpty(t *testing.T) {
	t.Parallel()
	var s *session.Session
	must(t, s.Reset(t.Context(), tenanttest.Scope("abc"), "c", []byte("x")))
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
		if _, err := s.Window(t.Context(), tenanttest.Scope("abc"), "c"); err == nil {
			t.Fatal("no error from a dead Redis")
		}
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("a dead Redis was dialled %d times in 20 calls", n)
	}
}
