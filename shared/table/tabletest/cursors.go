package tabletest

import (
	"slices"
	"strings"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

func testCursors(t *testing.T, s *suite) {
	sc := fresh()
	ids := s.fill(t, sc, numbered(25)...)
	for _, limit := range []int{1, 4, 25, 26} {
		q := table.Query{Kind: kind, Parent: "p", Limit: limit}
		if got, _ := s.all(t, sc, q); !slices.Equal(got, ids) {
			t.Errorf("limit %d: %q", limit, got)
		}
		q.Reverse = true
		got, _ := s.all(t, sc, q)
		slices.Reverse(got)
		if !slices.Equal(got, ids) {
			t.Errorf("limit %d reversed: %q", limit, got)
		}
	}
	// The page size may change on the way.
	first, cur := s.list(t, sc, table.Query{Kind: kind, Parent: "p", Limit: 3})
	rest, _ := s.list(t, sc, table.Query{Kind: kind, Parent: "p", Limit: 100, Cursor: cur})
	if !slices.Equal(append(first, rest...), ids) {
		t.Errorf("3 then the rest: %q then %q", first, rest)
	}
	// The longest ID fits into a cursor that opens.
	long := strings.Repeat("z", table.MaxID)
	s.fill(t, sc, long, "zz")
	_, cur = s.list(t, sc, table.Query{Kind: kind, Parent: "p", Reverse: true, Limit: 1})
	if got, _ := s.list(t, sc, table.Query{Kind: kind, Parent: "p", Reverse: true, Limit: 1, Cursor: cur}); !slices.Equal(got, []string{"zz"}) {
		t.Errorf("after the longest ID: %q", got)
	}
}

// testCursorsAreBound tries cursors that were edited, made up, or given for
// another list or another tenant. The control is that the original opens.
func testCursorsAreBound(t *testing.T, s *suite) {
	a, b := neighbours()
	for _, sc := range []tenant.Scope{a, b} {
		s.fill(t, sc, numbered(5)...)
	}
	q := table.Query{Kind: kind, Parent: "p", From: "0000", To: "9", Limit: 2}
	_, cur := s.list(t, a, q)
	with := func(change func(*table.Query)) table.Query {
		q := q
		q.Cursor = cur
		change(&q)
		return q
	}
	if got, _ := s.list(t, a, with(func(*table.Query) {})); !slices.Equal(got, numbered(5)[2:4]) {
		t.Fatalf("the control: %q", got)
	}
	s.noCursor(t, b, "another tenant", with(func(*table.Query) {}))
	for name, q := range map[string]table.Query{
		"another kind":     with(func(q *table.Query) { q.Kind = "other" }),
		"another parent":   with(func(q *table.Query) { q.Parent = "q" }),
		"another start":    with(func(q *table.Query) { q.From = "" }),
		"another end":      with(func(q *table.Query) { q.To = "8" }),
		"start as end":     with(func(q *table.Query) { q.From, q.To = "", "00009" }),
		"other direction":  with(func(q *table.Query) { q.Reverse = true }),
		"garbage":          with(func(q *table.Query) { q.Cursor = "garbage" }),
		"not base64":       with(func(q *table.Query) { q.Cursor = "%%%" }),
		"an ID":            with(func(q *table.Query) { q.Cursor = "0001" }),
		"cut":              with(func(q *table.Query) { q.Cursor = cur[:len(cur)-4] }),
		"longer":           with(func(q *table.Query) { q.Cursor = cur + "AAAA" }),
		"doubled":          with(func(q *table.Query) { q.Cursor = cur + cur }),
		"endless":          with(func(q *table.Query) { q.Cursor = strings.Repeat("A", 1<<20) }),
		"with white space": with(func(q *table.Query) { q.Cursor = cur[:4] + "\n" + cur[4:] }),
	} {
		s.noCursor(t, a, name, q)
	}
	for i := range cur {
		s.noCursor(t, a, "one character changed", with(func(q *table.Query) { q.Cursor = cur[:i] + flip(cur[i]) + cur[i+1:] }))
	}
}

// flip returns another base64 character, different in its highest bit so that
// the decoded bytes differ even at the end.
func flip(c byte) string {
	if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'f' {
		return "_"
	}
	return "A"
}

func (s *suite) noCursor(t *testing.T, sc tenant.Scope, name string, q table.Query) {
	t.Helper()
	page, err := s.List(t.Context(), sc, q)
	if !problem.Is(err, problem.Invalid) || problem.From(err).Field != "cursor" || len(page.Items) != 0 {
		t.Errorf("%s: %d items, %v; want invalid at cursor", name, len(page.Items), err)
	}
}

// testCursorsSurviveWrites holds that a cursor is a position, not a count: items
// written or deleted on the way neither hide nor repeat others.
func testCursorsSurviveWrites(t *testing.T, s *suite) {
	sc := fresh()
	s.fill(t, sc, "b", "d", "f", "h")
	q := table.Query{Kind: kind, Parent: "p", Limit: 2}
	_, q.Cursor = s.list(t, sc, q)
	s.fill(t, sc, "a", "e") // before and behind the position
	s.write(t, sc, table.Delete(s.get(t, sc, key("d"))))
	if got, _ := s.all(t, sc, q); !slices.Equal(got, []string{"e", "f", "h"}) {
		t.Errorf("after the position: %q", got)
	}
}
