package sealtest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing/synctest"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/tenant"
)

// broken is a sealer whose provider a test can take away, or a part of it.
type broken struct {
	*seal.Sealer
	away  atomic.Pointer[map[string]bool] // methods that fail
	whose atomic.Pointer[tenant.ID]       // nil: everybody's
	calls atomic.Int32                    // that failed
}

var errAway = errors.New("away")

func (t *suite) broken() *broken {
	b := &broken{}
	b.Sealer = Observe(t.process(), func(_ context.Context, sc tenant.Scope, method string) error {
		methods, whose := b.away.Load(), b.whose.Load()
		if methods == nil || !(*methods)[method] || whose != nil && *whose != sc.Project() {
			return nil
		}
		b.calls.Add(1)
		return errAway
	})
	t.opened = append(t.opened, b.Sealer)
	return b
}

func (b *broken) fail(methods ...string) {
	m := map[string]bool{}
	for _, name := range methods {
		m[name] = true
	}
	b.away.Store(&m)
}

// lasts returns how long the sealer goes on, used each second, until it answers
// Unavailable; whatever else it answers is an error.
func (t *suite) lasts(s *seal.Sealer, sealed []byte) time.Duration {
	t.Helper()
	began := time.Now()
	for time.Since(began) < time.Hour {
		plain, err := s.Open(t.Context(), one, at, sealed)
		if err != nil {
			if plain != nil || !problem.Is(err, problem.Unavailable) || problem.From(err).RetryAfter == 0 {
				t.Errorf("in an outage: %q, %v", plain, err)
			}
			if b, err := s.Seal(t.Context(), one, at, []byte(secret)); b != nil || !problem.Is(err, problem.Unavailable) {
				t.Errorf("in an outage: %q, %v", b, err)
			}
			return time.Since(began)
		}
		time.Sleep(time.Second)
	}
	t.Fatal("it never ends")
	return 0
}

func (t *suite) keysAway() {
	b := t.broken()
	sealed := t.seal(b.Sealer, one, at)
	b.fail("Generate", "Unwrap")
	if d := t.lasts(b.Sealer, sealed); d < 4*time.Minute || d > 5*time.Minute {
		t.Errorf("a held key lasts %v without its provider", d)
	}
	// No storm: a tenant that is refused asks once a second, however many ask.
	b.calls.Store(0)
	for range 100 {
		t.shut(b.Sealer, one, at, sealed, problem.Unavailable)
	}
	if n := b.calls.Load(); n > 1 {
		t.Errorf("100 refusals asked %d times", n)
	}
	b.away.Store(nil)
	time.Sleep(2 * time.Second)
	t.opens(b.Sealer, one, at, sealed)
}

func (t *suite) ringsAway() {
	b := t.broken()
	sealed := t.seal(b.Sealer, one, at)
	b.fail("Load", "Save")
	if d := t.lasts(b.Sealer, sealed); d < 20*time.Second || d > within {
		t.Errorf("a key lasts %v where nobody says that it was not shredded", d)
	}
	b.away.Store(nil)
	time.Sleep(2 * time.Second)
	t.opens(b.Sealer, one, at, sealed)
}

// oneTenantsOutage holds that who is refused is whose key is away.
func (t *suite) oneTenantsOutage() {
	b := t.broken()
	id := one.Project()
	b.whose.Store(&id)
	b.fail("Load", "Save", "Generate", "Unwrap")
	for range 3 {
		if _, err := b.Seal(t.Context(), one, at, []byte(secret)); !problem.Is(err, problem.Unavailable) {
			t.Errorf("one: %v", err)
		}
		t.opens(b.Sealer, two, at, t.seal(b.Sealer, two, at))
	}
}

// renewed holds that nobody waits for a renewal while what is held may be used, for
// an hour of use.
func (t *suite) renewed() {
	var asked atomic.Int32
	s := Observe(t.process(), func(_ context.Context, _ tenant.Scope, method string) error {
		if method == "Unwrap" {
			asked.Add(1)
		}
		time.Sleep(500 * time.Millisecond) // a slow provider
		return nil
	})
	t.opened = append(t.opened, s)
	sealed := t.seal(s, one, at)
	for range 3600 {
		began := time.Now()
		t.opens(s, one, at, sealed)
		if d := time.Since(began); d != 0 {
			t.Fatalf("a use waited %v", d)
		}
		time.Sleep(time.Second)
	}
	if n := asked.Load(); n < 12 || n > 20 {
		t.Errorf("the key was unwrapped %d times in an hour", n)
	}
	synctest.Wait()
}
