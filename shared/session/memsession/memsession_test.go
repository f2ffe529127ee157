package memsession_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"switchboard/shared/session"
	"switchboard/shared/session/memsession"
	"switchboard/shared/session/sessiontest"
	"switchboard/shared/tenant/tenanttest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	s := memsession.New(0)
	sessiontest.Run(t, func(*testing.T) *session.Session { return s })
}

func TestItHoldsNoMoreThanItIsGiven(t *testing.T) {
	t.Parallel()
	sc := tenanttest.Scope("abc")
	s := memsession.New(100 << 10)
	entry := strings.Repeat("x", 10<<10)
	for i := range 30 {
		sessiontest.Put(t, s, sc, fmt.Sprint(i), entry)
	}
	for i := range 30 {
		if got, kept := len(sessiontest.Window(t, s, sc, fmt.Sprint(i))), i >= 21; got == 1 != kept {
			t.Errorf("window %d: %d entries", i, got)
		}
	}
	sessiontest.Put(t, s, sc, "small", "x")
	sessiontest.Put(t, s, sc, "too large", strings.Repeat(entry, 11))
	if got := sessiontest.Window(t, s, sc, "too large"); got != nil {
		t.Error("a window larger than all there is was kept")
	}
	for i := range 9 { // all room is there again
		sessiontest.Put(t, s, sc, fmt.Sprint(i), entry)
	}
	if got := sessiontest.Window(t, s, sc, "0"); len(got) != 1 {
		t.Error("room was lost")
	}
}

func TestAWindowExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, sc := memsession.New(0), tenanttest.Scope("abc")
		sessiontest.Put(t, s, sc, "old", "x")
		sessiontest.Put(t, s, sc, "older", "x")
		time.Sleep(23 * time.Hour)
		if got := sessiontest.Window(t, s, sc, "old"); len(got) != 1 { // the control
			t.Error("gone before its time")
		}
		time.Sleep(2 * time.Hour)
		if got := sessiontest.Window(t, s, sc, "older"); got != nil {
			t.Errorf("after a day and an hour: %q", got)
		}
		sessiontest.Put(t, s, sc, "older", "new") // what has expired is no other turn's window
		if got := sessiontest.Window(t, s, sc, "older"); len(got) != 1 {
			t.Errorf("the new window: %q", got)
		}
	})
}

// TestWhatIsCutOffIsNotHeld: entries beyond a window's last turns are not counted, so
// they must not be held either. As chat does: 16 turns, the first long, and a new one.
func TestWhatIsCutOffIsNotHeld(t *testing.T) {
	t.Parallel()
	s, entries := memsession.New(0), make([][]byte, session.MaxTurns+1)
	for i := range entries {
		entries[i] = bytes.Repeat([]byte("s"), 64)
	}
	entries[0] = make([]byte, 96<<10)
	cut, kept := weak.Make(&entries[0][0]), weak.Make(&entries[1][0])
	if err := s.Put(t.Context(), tenanttest.Scope("abc"), "c", session.Token{}, entries...); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	if cut.Value() != nil || kept.Value() == nil {
		t.Errorf("the entry that is in no window is held: %v; the control is: %v", cut.Value() != nil, kept.Value() != nil)
	}
	runtime.KeepAlive(s)
}

func TestNoWindowLacksATurnAsTimePasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { sessiontest.Interleave(t, memsession.New(0), time.Sleep) })
}

// TestAMarkExpires: whoever took, and did not put in time, does not put any more.
func TestAMarkExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, sc := memsession.New(0), tenanttest.Scope("abc")
		for after, kept := range map[time.Duration]bool{9 * time.Minute: true, 11 * time.Minute: false} {
			conv := fmt.Sprint(after)
			_, token, err := s.Take(t.Context(), sc, conv)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(after)
			if err := s.Put(t.Context(), sc, conv, token, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if got := sessiontest.Window(t, s, sc, conv); got != nil != kept {
				t.Errorf("put after %v: %q", after, got)
			}
		}
	})
}
