package redissession_test

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"switchboard/shared/seal"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/session"
	"switchboard/shared/session/sessiontest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

const canary = "a canary: 2a77c1"

var a, b = tenanttest.Scope("abc"), tenanttest.Scope("abd")

// TestWindowsAreSealed looks at what is in Redis, and then puts what is there in
// other places: nothing is believed but what is where it was put.
func TestWindowsAreSealed(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(m *miniredis.Miniredis, value string) (tenant.Scope, string){
		"another tenant's": func(m *miniredis.Miniredis, value string) (tenant.Scope, string) {
			m.Lpush("abd#window#{c}", value)
			return b, "c"
		},
		"another conversation's": func(m *miniredis.Miniredis, value string) (tenant.Scope, string) {
			m.Lpush("abc#window#{d}", value)
			return a, "d"
		},
		"twice": func(m *miniredis.Miniredis, value string) (tenant.Scope, string) {
			m.Lpush("abc#window#{c}", value)
			return a, "c"
		},
		"in the clear": func(m *miniredis.Miniredis, _ string) (tenant.Scope, string) {
			m.Del("abc#window#{c}")
			m.Lpush("abc#window#{c}", `{"q":"planted"}`)
			return a, "c"
		},
		"cut": func(m *miniredis.Miniredis, value string) (tenant.Scope, string) {
			m.Del("abc#window#{c}")
			m.Lpush("abc#window#{c}", value[:len(value)-1])
			return a, "c"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := miniredis.RunT(t)
			s := open(t, "redis://"+m.Addr(), sealtest.New(t))
			sessiontest.Put(t, s, a, "c", canary, "second")
			sessiontest.Put(t, s, a, "control", "x")
			list, err := m.List("abc#window#{c}")
			if err != nil || len(list) != 1 || strings.Contains(list[0], canary[:6]) {
				t.Fatalf("in Redis: %q, %v", list, err)
			}
			sc, conversation := move(m, list[0])
			if got := sessiontest.Window(t, s, sc, conversation); got != nil {
				t.Errorf("it is believed: %q", got)
			}
			sessiontest.Put(t, s, sc, conversation, "whole")
			if got := sessiontest.Window(t, s, sc, conversation); len(got) != 1 {
				t.Errorf("afterwards: %q", got)
			}
			if got := sessiontest.Window(t, s, a, "control"); len(got) != 1 || got[0] != "x" {
				t.Errorf("another window: %q", got)
			}
		})
	}
}

// TestASealerIsNeeded: a session that nobody gave one keeps nothing, in the clear or
// otherwise.
func TestASealerIsNeeded(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	s := open(t, "redis://"+m.Addr(), nil)
	if err := s.Put(t.Context(), a, "c", session.Token{}, []byte(canary)); err == nil || len(m.Keys()) != 0 {
		t.Errorf("kept without a sealer: %v, %v", err, m.Keys())
	}
	sessiontest.Put(t, open(t, "redis://"+m.Addr(), seal.Unsealed()), a, "c", canary) // the control
	if len(m.Keys()) != 1 {
		t.Error("control: nothing is kept")
	}
}
