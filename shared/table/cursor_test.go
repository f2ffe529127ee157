package table_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant/tenanttest"
)

// two is a driver with two items, so that a page of one has a cursor.
func two(id string) *script {
	return &script{items: []driver.Item{
		{Key: driver.Key{Kind: "test", ID: id}, Version: 1}, {Key: driver.Key{Kind: "test", ID: "z"}, Version: 1},
	}}
}

// cursor returns the cursor behind the first item.
func cursor(t testing.TB, tbl *table.Table, q table.Query) string {
	t.Helper()
	page, err := tbl.List(t.Context(), sc, q)
	if err != nil || len(page.Items) != 1 || page.Cursor == "" {
		t.Fatalf("List: %+v, %v", page, err)
	}
	return page.Cursor
}

func TestCursorExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := two("a")
		tbl := newTable(t, s)
		q := table.Query{Kind: "test", Limit: 1}
		q.Cursor = cursor(t, tbl, q)
		time.Sleep(24*time.Hour - time.Second)
		if _, err := tbl.List(t.Context(), sc, q); err != nil || s.ranges[1].After != "a" {
			t.Errorf("a second before its end: after %q, %v", s.ranges[1].After, err)
		}
		time.Sleep(time.Second)
		if _, err := tbl.List(t.Context(), sc, q); !problem.Is(err, problem.Invalid) || problem.From(err).Field != "cursor" {
			t.Errorf("at its end: %v", err)
		}
	})
}

// TestCursorHidesItsContents: an ID may be somebody's name.
func TestCursorHidesItsContents(t *testing.T) {
	t.Parallel()
	const id = "jane.doe@example.com"
	q := table.Query{Kind: "test", Limit: 1}
	tbl := newTable(t, two(id))
	c := cursor(t, tbl, q)
	raw, err := base64.RawURLEncoding.DecodeString(c)
	if err != nil || strings.Contains(string(raw), "jane") || strings.Contains(c, base64.RawURLEncoding.EncodeToString([]byte(id))[4:12]) {
		t.Errorf("cursor %q shows the ID, %v", c, err)
	}
	if again := cursor(t, tbl, q); again == c {
		t.Error("the same cursor twice: its nonce is not fresh")
	}
}

func TestCursorNeedsItsKey(t *testing.T) {
	t.Parallel()
	q := table.Query{Kind: "test", Limit: 1}
	q.Cursor = cursor(t, newTable(t, two("a")), q)
	if _, err := newTable(t, two("a")).List(t.Context(), sc, q); err != nil {
		t.Errorf("another process with the same key: %v", err)
	}
	other, err := table.New(two("a"), []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.List(t.Context(), sc, q); !problem.Is(err, problem.Invalid) {
		t.Errorf("with another key: %v", err)
	}
}

// TestCursorContextIsInjective moves bytes between the parts a cursor is bound
// to: the parts are told apart by length, so none of these is the other.
func TestCursorContextIsInjective(t *testing.T) {
	t.Parallel()
	tbl := newTable(t, two("a"))
	queries := []table.Query{
		{Kind: "test", Parent: "ab"}, {Kind: "test", Parent: "a", From: "b"}, {Kind: "test", From: "ab"}, {Kind: "test", From: "a", To: "b"},
		{Kind: "test", To: "ab"}, {Kind: "testa", Parent: "b"}, {Kind: "testab"}, {Kind: "test", Parent: "ab", Reverse: true}, {Kind: "test", Parent: "ab", To: "r"},
	}
	for i, from := range queries {
		from.Limit = 1
		c := cursor(t, tbl, from)
		for j, q := range queries {
			q.Cursor = c
			if _, err := tbl.List(t.Context(), sc, q); (err == nil) != (i == j) {
				t.Errorf("cursor of %+v for %+v: %v", queries[i], queries[j], err)
			}
		}
		from.Cursor = c
		if _, err := tbl.List(t.Context(), tenanttest.Scope("other"), from); err == nil {
			t.Error("another tenant's cursor opened")
		}
	}
}

// FuzzCursor: bytes from a client are refused, whatever they are, or are a
// cursor that was sealed here (fuzzing runs in several processes with one key)
// and says what was sealed.
func FuzzCursor(f *testing.F) {
	driver := two("a")
	tbl := newTable(f, driver)
	genuine := cursor(f, tbl, table.Query{Kind: "test", Limit: 1})
	for _, seed := range []string{"a", genuine, genuine + "=", genuine[1:], "\n" + genuine, strings.Repeat("A", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, c string) {
		driver.ranges = nil
		_, err := tbl.List(t.Context(), sc, table.Query{Kind: "test", Limit: 1, Cursor: c})
		switch {
		case err == nil && c != "" && (len(c) != len(genuine) || driver.ranges[0].After != "a"):
			t.Errorf("%q opened as %q", c, driver.ranges[0].After)
		case err != nil && (c == "" || c == genuine || !problem.Is(err, problem.Invalid) || driver.ranges != nil):
			t.Errorf("%q: %v", c, err)
		}
	})
}
