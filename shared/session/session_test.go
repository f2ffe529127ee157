package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/session"
	"switchboard/shared/session/memsession"
	"switchboard/shared/session/sessiontest"
	"switchboard/shared/tenant/tenanttest"
)

// failing is a session whose store fails while away is set, and how often it was
// asked.
type failing struct {
	*session.Session
	away  bool
	asked int
}

func newFailing() *failing {
	f := &failing{}
	f.Session = sessiontest.Observe(memsession.New(0), func(context.Context, string) error {
		f.asked++
		if f.away {
			return errors.New("away")
		}
		return nil
	})
	return f
}

// TestAWindowInDoubtIsNotBelieved: the store was away for a whole turn and comes
// back with the window from before it.
func TestAWindowInDoubtIsNotBelieved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, sc := newFailing(), tenanttest.Scope("abc")
		sessiontest.Put(t, f.Session, sc, "c", "old")
		sessiontest.Put(t, f.Session, sc, "other", "other")
		f.away = true
		if _, _, err := f.Take(t.Context(), sc, "c"); err == nil {
			t.Error("no error while the store is away")
		}
		if err := f.Put(t.Context(), sc, "c", session.Token{}, []byte("old"), []byte("new")); err == nil {
			t.Error("no error while the store is away")
		}
		f.away = false
		time.Sleep(2 * time.Second) // of the bubble's time: the store is asked again
		if got := sessiontest.Window(t, f.Session, sc, "c"); got != nil {
			t.Errorf("the window from before is believed: %q", got)
		}
		if got := sessiontest.Window(t, f.Session, sc, "other"); len(got) != 1 {
			t.Errorf("another conversation's window: %q", got)
		}
		if got := sessiontest.Window(t, f.Session, tenanttest.Scope("abd"), "c"); got != nil {
			t.Errorf("another tenant's window: %q", got)
		}
		sessiontest.Put(t, f.Session, sc, "c", "whole")
		if got := sessiontest.Window(t, f.Session, sc, "c"); len(got) != 1 {
			t.Errorf("the window made after: %q", got)
		}
	})
}

func TestNilSessionIsEmpty(t *testing.T) {
	t.Parallel()
	var s *session.Session
	sessiontest.Put(t, s, tenanttest.Scope("abc"), "c", "x")
	if got := sessiontest.Window(t, s, tenanttest.Scope("abc"), "c"); got != nil {
		t.Error(got)
	}
}

// TestAFailingStoreRests: a store that is down is asked once, and then not for a
// second; and then once more.
func TestAFailingStoreRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, sc := newFailing(), tenanttest.Scope("abc")
		f.away = true
		for second := 1; second <= 3; second++ {
			for range 20 {
				if _, _, err := f.Take(t.Context(), sc, "c"); err == nil {
					t.Fatal("no error from a dead store")
				}
			}
			if f.asked != second {
				t.Errorf("asked %d times in %d s", f.asked, second)
			}
			time.Sleep(1100 * time.Millisecond)
		}
	})
}
