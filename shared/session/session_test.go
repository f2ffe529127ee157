package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/session"
	"switchboard/shared/session/memsession"
	"switchboard/shared/session/sessiontest"
	"switchboard/shared/tenant"
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

// fail has a turn of each conversation end while the store is away.
func (f *failing) fail(t *testing.T, sc tenant.Scope, conversations int) {
	t.Helper()
	f.away = true
	for i := range conversations {
		if err := f.Put(t.Context(), sc, fmt.Sprint(i), session.Token{}, []byte("x")); err == nil {
			t.Fatal("no error while the store is away")
		}
	}
	f.away = false
	time.Sleep(2 * time.Second)
}

// TestADoubtIsTheTenantsOwn: however many windows of one tenant are in doubt, another
// one's are believed; and of the one who has too many, all are doubted, for as long as
// the store may hold one that lacks a turn.
func TestADoubtIsTheTenantsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, a, b := newFailing(), tenanttest.Scope("abc"), tenanttest.Scope("xyz")
		believed := func(when string, sc tenant.Scope, want bool) {
			t.Helper()
			sessiontest.Put(t, f.Session, sc, "c", "x")
			if got := sessiontest.Window(t, f.Session, sc, "c"); got != nil != want {
				t.Errorf("%s, of %s: %q", when, sc.Project(), got)
			}
		}
		f.fail(t, a, 1000)
		believed("after some doubts", a, true)
		f.fail(t, a, 10_000)
		believed("after too many", a, false)
		believed("after too many of another's", b, true)
		time.Sleep(25 * time.Hour)
		believed("a day later", a, true)
		f.fail(t, a, 1000)
		believed("after some more", a, true)
	})
}

func TestADoubtExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for later, want := range map[time.Duration]bool{23 * time.Hour: false, 25 * time.Hour: true} {
			f, sc := newFailing(), tenanttest.Scope("abc")
			f.fail(t, sc, 1)
			time.Sleep(later)
			if err := f.Put(t.Context(), sc, "0", session.Token{}, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if got := sessiontest.Window(t, f.Session, sc, "0"); got != nil != want {
				t.Errorf("%v later: %q", later, got)
			}
		}
	})
}

// TestANewDoubtIsNotSettled: a turn that cannot put, while another takes what was in
// doubt before, leaves a doubt of its own.
func TestANewDoubtIsNotSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, fails := tenanttest.Scope("abc"), true
		var during func()
		s := sessiontest.Observe(memsession.New(0), func(_ context.Context, method string) error {
			if method == "Put" && fails {
				return context.Canceled // which does not have the store rest
			}
			if method == "Take" && during != nil {
				during()
			}
			return nil
		})
		put := func(token session.Token) { s.Put(t.Context(), sc, "c", token, []byte("x")) }
		put(session.Token{}) // the old doubt
		time.Sleep(time.Second)
		during = func() { put(session.Token{}) } // the new one
		_, token, _ := s.Take(t.Context(), sc, "c")
		fails, during = false, nil
		put(token)
		if got := sessiontest.Window(t, s, sc, "c"); got != nil {
			t.Errorf("%q lacks the turn that could not put", got)
		}
		sessiontest.Put(t, s, sc, "c", "whole")
		if got := sessiontest.Window(t, s, sc, "c"); len(got) != 1 {
			t.Errorf("the control: %q", got)
		}
	})
}

// TestAHangUpIsNoDoubt: whoever sends requests and closes costs nobody a window.
func TestAHangUpIsNoDoubt(t *testing.T) {
	t.Parallel()
	f, sc := newFailing(), tenanttest.Scope("abc")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	sessiontest.Put(t, f.Session, sc, "0", "x")
	asked := f.asked
	for i := range 10_000 {
		if _, _, err := f.Take(gone, sc, fmt.Sprint(i)); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if f.asked != asked {
		t.Errorf("the store was asked %d times for nobody", f.asked-asked)
	}
	if got := sessiontest.Window(t, f.Session, sc, "0"); len(got) != 1 {
		t.Errorf("the window: %q", got)
	}
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
