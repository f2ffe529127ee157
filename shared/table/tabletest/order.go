package tabletest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// fill creates the items and returns their IDs in order.
func (s *suite) fill(t *testing.T, sc tenant.Scope, ids ...string) []string {
	t.Helper()
	for chunk := range slices.Chunk(ids, table.MaxOps) {
		ops := make([]table.Op, len(chunk))
		for i, id := range chunk {
			ops[i] = table.Create(key(id), []byte(id))
		}
		s.write(t, sc, ops...)
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return ids
}

func numbered(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%04d", i)
	}
	return ids
}

func testRanges(t *testing.T, s *suite) {
	sc := fresh()
	s.fill(t, sc, "b", "d", "a", "c", "ca")
	s.write(t, sc, table.Create(table.Key{Kind: kind, Parent: "q", ID: "aa"}, nil), // neighbours that must not appear
		table.Create(table.Key{Kind: kind, Parent: "", ID: "aa"}, nil), table.Create(table.Key{Kind: "testx", Parent: "p", ID: "aa"}, nil))
	for _, c := range []struct{ from, to, want string }{
		{"", "", "a b c ca d"}, {"b", "", "b c ca d"}, {"", "c", "a b"}, {"b", "d", "b c ca"}, {"bb", "cb", "c ca"},
		{"c", "c", ""}, {"d", "b", ""}, {"e", "", ""}, {"", "a", ""}, {"", "0", ""}, {"c", "c\x00", "c"}, {"d", "z", "d"},
		{"a", "\U0010FFFF", "a b c ca d"},
	} {
		want := strings.Fields(c.want)
		q := table.Query{Kind: kind, Parent: "p", From: c.from, To: c.to}
		if got, cur := s.list(t, sc, q); !slices.Equal(got, want) || cur != "" {
			t.Errorf("[%q,%q): %q, want %q", c.from, c.to, got, want)
		}
		slices.Reverse(want)
		q.Reverse = true
		if got, cur := s.list(t, sc, q); !slices.Equal(got, want) || cur != "" {
			t.Errorf("[%q,%q) reversed: %q, want %q", c.from, c.to, got, want)
		}
	}
	for _, q := range []table.Query{{Kind: kind, Parent: "none"}, {Kind: "none", Parent: "p"}, {Kind: kind, Parent: "none", Reverse: true}} {
		if got, cur := s.list(t, sc, q); len(got) != 0 || cur != "" {
			t.Errorf("%+v: %q", q, got)
		}
	}
}

// testPageBoundaries pages with limits just below, at and above the number of
// items: a last page that is full has no cursor, and no page is empty.
func testPageBoundaries(t *testing.T, s *suite) {
	sc := fresh()
	ids := s.fill(t, sc, numbered(6)...)
	for _, limit := range []int{1, 2, 3, 4, 5, 6, 7} {
		for _, reverse := range []bool{false, true} {
			want := slices.Clone(ids)
			if reverse {
				slices.Reverse(want)
			}
			q := table.Query{Kind: kind, Parent: "p", Limit: limit, Reverse: reverse}
			got, pages := s.all(t, sc, q)
			if !slices.Equal(got, want) || pages != (len(ids)+limit-1)/limit {
				t.Errorf("limit %d reverse %v: %q in %d pages", limit, reverse, got, pages)
			}
		}
	}
	q := table.Query{Kind: kind, Parent: "p", Limit: 2, From: ids[1], To: ids[5]}
	if got, pages := s.all(t, sc, q); !slices.Equal(got, ids[1:5]) || pages != 2 {
		t.Errorf("part of the range: %q in %d pages", got, pages)
	}
}

// all pages through a query.
func (s *suite) all(t tb, sc tenant.Scope, q table.Query) (ids []string, pages int) {
	t.Helper()
	for {
		page, cur := s.list(t, sc, q)
		ids = append(ids, page...)
		pages++
		if cur == "" {
			return ids, pages
		}
		if len(page) == 0 || pages > 10_000 {
			t.Fatalf("page %d is empty or without end", pages)
		}
		q.Cursor = cur
	}
}

// testByteOrder uses IDs that other orders (case-blind, locale, UTF-16, trimmed,
// numeric) would sort or merge differently.
func testByteOrder(t *testing.T, s *suite) {
	sc := fresh()
	ids := s.fill(t, sc, "A", "a", "B", "b", "Z", "_", "-", "0", "10", "2", "02", "~", " ", " a", "a ", "a\x00", "a\x01",
		"aa", "é", "e\u0301", "ß", "ss", "\u00ff", "\u0100", "\uffff", "\ue000", "\U0001F600", "\U0010FFFF", "😀😀", "日本", "日", "#", "%", "\n")
	for _, limit := range []int{3, 100} {
		q := table.Query{Kind: kind, Parent: "p", Limit: limit}
		if got, _ := s.all(t, sc, q); !slices.Equal(got, ids) {
			t.Errorf("order with limit %d:\n got %q\nwant %q", limit, got, ids)
		}
	}
	for i, from := range ids {
		if got, _ := s.list(t, sc, table.Query{Kind: kind, Parent: "p", From: from}); !slices.Equal(got, ids[i:]) {
			t.Errorf("from %q: %q, want %q", from, got, ids[i:])
		}
		if got, _ := s.list(t, sc, table.Query{Kind: kind, Parent: "p", To: from, Reverse: true, Limit: 1}); i > 0 && (len(got) != 1 || got[0] != ids[i-1]) {
			t.Errorf("last before %q: %q, want %q", from, got, ids[i-1])
		}
	}
}

// testBigPages reads more bytes than a store may hand out in one answer
// (DynamoDB: 1 MB), the default limit, and a limit past the greatest.
func testBigPages(t *testing.T, s *suite) {
	sc := fresh()
	big := []byte(strings.Repeat("x", 300_000))
	for i := range 6 {
		s.write(t, sc, table.Create(table.Key{Kind: kind, Parent: "big", ID: fmt.Sprint(i)}, big))
	}
	for _, limit := range []int{5, 6, 100} {
		page, err := s.List(t.Context(), sc, table.Query{Kind: kind, Parent: "big", Limit: limit})
		if err != nil || len(page.Items) != min(limit, 6) || (page.Cursor == "") != (limit >= 6) {
			t.Fatalf("limit %d: %d items, cursor %q, %v", limit, len(page.Items), page.Cursor, err)
		}
		for _, it := range page.Items {
			wantItem(t, it, string(big), nil, 1)
		}
	}
	ids := s.fill(t, sc, numbered(120)...)
	got, cur := s.list(t, sc, table.Query{Kind: kind, Parent: "p"})
	if !slices.Equal(got, ids[:100]) || cur == "" {
		t.Errorf("the default limit gave %d items", len(got))
	}
	got, cur = s.list(t, sc, table.Query{Kind: kind, Parent: "p", Limit: 1 << 30})
	if !slices.Equal(got, ids) || cur != "" {
		t.Errorf("a limit past the greatest gave %d items", len(got))
	}
}
