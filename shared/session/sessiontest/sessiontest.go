// Package sessiontest is the conformance suite of session drivers, and what tests
// of other packages need to look at a session from inside.
//
// Tests import it. Its one promise: what passes here keeps windows apart by tenant
// and conversation, and never shows one that lacks a turn.
package sessiontest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"switchboard/shared/problem"
	"switchboard/shared/session"
	"switchboard/shared/session/internal/driver"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// Run runs the suite. open returns a Session over a store that other tests may use
// at the same time.
func Run(t *testing.T, open func(*testing.T) *session.Session) {
	for name, test := range map[string]func(*testing.T, *session.Session){
		"AWindowIsTakenOut":     testTaken,
		"TwoTurnsAtOnce":        testTwoAtOnce,
		"TheFirstTurn":          testFirst,
		"ATurnThatIsForgotten":  testForgotten,
		"NoWindowLacksATurn":    func(t *testing.T, s *session.Session) { Interleave(t, s, nil) },
		"TheLastTurnsAreKept":   testLast,
		"NoEntriesDropIt":       testDrop,
		"TenantsAreStrangers":   testStrangers,
		"ZeroScopeIsRefused":    testZeroScope,
		"AnEndedContextIsAMiss": testEnded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Window takes a conversation's window out.
func Window(t testing.TB, s *session.Session, sc tenant.Scope, conversation string) []string {
	t.Helper()
	got, _ := take(t, s, sc, conversation)
	return got
}

func take(t testing.TB, s *session.Session, sc tenant.Scope, conversation string) (out []string, token session.Token) {
	t.Helper()
	got, token, err := s.Take(t.Context(), sc, conversation)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range got {
		out = append(out, string(e))
	}
	return out, token
}

// Put makes entries the window, as a turn does: it takes what is there before.
func Put(t testing.TB, s *session.Session, sc tenant.Scope, conversation string, entries ...string) {
	t.Helper()
	_, token := take(t, s, sc, conversation)
	put(t, s, sc, conversation, token, entries...)
}

func put(t testing.TB, s *session.Session, sc tenant.Scope, conversation string, token session.Token, entries ...string) {
	t.Helper()
	var bytes [][]byte
	for _, e := range entries {
		bytes = append(bytes, []byte(e))
	}
	if err := s.Put(t.Context(), sc, conversation, token, bytes...); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, s *session.Session, sc tenant.Scope, conversation string, entries ...string) {
	t.Helper()
	if diff := cmp.Diff(entries, Window(t, s, sc, conversation)); diff != "" {
		t.Errorf("%s of %s: -want +got\n%s", conversation, sc.Project(), diff)
	}
}

func testTaken(t *testing.T, s *session.Session) {
	sc, conv := tenanttest.Scope("abc"), ulid.Make().String()
	entries := []string{"1", "2\r\n\x00", "", strings.Repeat("x", 200<<10)}
	want(t, s, sc, conv)
	Put(t, s, sc, conv, entries...)
	want(t, s, sc, conv, entries...)
	want(t, s, sc, conv) // it was taken
}

// The window of the first of two turns to end lacks the second and the other way
// round, so there is none, and for a moment none is made.
func testTwoAtOnce(t *testing.T, s *session.Session) {
	sc := tenanttest.Scope("abc")
	for name, end := range map[string]func(conv string, one, two session.Token){
		"the one that began first": func(conv string, one, two session.Token) {
			put(t, s, sc, conv, one, "0", "one")
			want(t, s, sc, conv)
			put(t, s, sc, conv, two, "0", "two")
		},
		"the one that began last": func(conv string, one, two session.Token) {
			put(t, s, sc, conv, two, "0", "two")
			put(t, s, sc, conv, one, "0", "one")
		},
	} {
		conv := ulid.Make().String()
		put(t, s, sc, conv, session.Token{}, "0")
		_, one := take(t, s, sc, conv)
		_, two := take(t, s, sc, conv)
		end(conv, one, two)
		want(t, s, sc, conv)
		Put(t, s, sc, conv, "0", "one", "two", "three")
		if got := Window(t, s, sc, conv); got != nil {
			t.Errorf("%s ends first: the window %q was made while the table may lack a turn", name, got)
		}
	}
}

// A conversation's first turn takes no window, and puts only where nobody was.
func testFirst(t *testing.T, s *session.Session) {
	sc := tenanttest.Scope("abc")
	for name, before := range map[string]func(conv string){
		"a window":        func(conv string) { put(t, s, sc, conv, session.Token{}, "x") },
		"a mark":          func(conv string) { take(t, s, sc, conv) },
		"it is unsettled": func(conv string) { put(t, s, sc, conv, session.Token{}) },
	} {
		conv := ulid.Make().String()
		before(conv)
		put(t, s, sc, conv, session.Token{}, "first")
		if got := Window(t, s, sc, conv); got != nil {
			t.Errorf("where there is %s: %q", name, got)
		}
	}
	conv := ulid.Make().String()
	put(t, s, sc, conv, session.Token{}, "first") // the control
	want(t, s, sc, conv, "first")
}

// A and B overlap, and C, which took the window that A left, ends without a word. B's
// window would be believed, and lacks A.
func testForgotten(t *testing.T, s *session.Session) {
	sc, conv := tenanttest.Scope("abc"), ulid.Make().String()
	put(t, s, sc, conv, session.Token{}, "0")
	_, b := take(t, s, sc, conv)
	_, a := take(t, s, sc, conv)
	put(t, s, sc, conv, a, "0", "A")
	want(t, s, sc, conv, "0", "A") // C
	put(t, s, sc, conv, b, "0", "B")
	want(t, s, sc, conv)
}

func testLast(t *testing.T, s *session.Session) {
	sc, conv := tenanttest.Scope("abc"), ulid.Make().String()
	var many []string
	for i := range session.MaxTurns + 5 {
		many = append(many, fmt.Sprint(i))
	}
	Put(t, s, sc, conv, many...)
	want(t, s, sc, conv, many[5:]...)
}

func testDrop(t *testing.T, s *session.Session) {
	sc, conv, other := tenanttest.Scope("abc"), ulid.Make().String(), ulid.Make().String()
	Put(t, s, sc, conv, "a")
	Put(t, s, sc, other, "b")
	Put(t, s, sc, conv)
	want(t, s, sc, conv)
	want(t, s, sc, other, "b")
}

func testStrangers(t *testing.T, s *session.Session) {
	conv := ulid.Make().String()
	a, b := tenanttest.Scope("abc"), tenanttest.Scope("abc-d")
	Put(t, s, a, conv, "a's")
	want(t, s, b, conv)
	Put(t, s, b, conv, "b's")
	Put(t, s, b, conv)
	want(t, s, a, conv, "a's")
	Put(t, s, a, "d#window#{"+conv+"}", "odd")
	want(t, s, b, conv)
}

func testZeroScope(t *testing.T, s *session.Session) {
	var zero tenant.Scope
	_, _, err := s.Take(t.Context(), zero, "c")
	for name, err := range map[string]error{"Take": err, "Put": s.Put(t.Context(), zero, "c", session.Token{}, []byte("x"))} {
		if !problem.Is(err, problem.Internal) {
			t.Errorf("%s with the zero scope: %v", name, err)
		}
	}
	// The driver refuses it too, should the session ever not.
	session.Decorate(s, func(d driver.Driver) driver.Driver {
		_, err := d.Take(t.Context(), zero, "c", "m")
		for name, err := range map[string]error{"Take": err, "Put": d.Put(t.Context(), zero, "c", "m", [][]byte{[]byte("x")})} {
			if !problem.Is(err, problem.Internal) {
				t.Errorf("the driver's %s with the zero scope: %v", name, err)
			}
		}
		return d
	})
	Put(t, s, tenanttest.Scope("abc"), ulid.Make().String(), "x") // the control
}

func testEnded(t *testing.T, s *session.Session) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sc, conv := tenanttest.Scope("abc"), ulid.Make().String()
	Put(t, s, sc, conv, "x")
	if got, _, err := s.Take(ctx, sc, conv); err == nil || got != nil {
		t.Errorf("%q, %v after the end", got, err)
	}
	want(t, s, sc, conv, "x") // nobody was asked, and no turn has ended
}

// Observe returns s with before called ahead of each call of its driver. An error it
// returns is the call's; it may wait, to make a store slow.
func Observe(s *session.Session, before func(ctx context.Context, method string) error) *session.Session {
	return session.Decorate(s, func(d driver.Driver) driver.Driver { return observed{d, before} })
}

type observed struct {
	driver.Driver
	before func(context.Context, string) error
}

func (o observed) Take(ctx context.Context, sc tenant.Scope, conversation, mark string) ([][]byte, error) {
	if err := o.before(ctx, "Take"); err != nil {
		return nil, err
	}
	return o.Driver.Take(ctx, sc, conversation, mark)
}

func (o observed) Put(ctx context.Context, sc tenant.Scope, conversation, mark string, entries [][]byte) error {
	if err := o.before(ctx, "Put"); err != nil {
		return err
	}
	return o.Driver.Put(ctx, sc, conversation, mark, entries)
}
