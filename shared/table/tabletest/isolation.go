package tabletest

import (
	"fmt"
	"strings"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

func testZeroScope(t *testing.T, s *suite) {
	var zero tenant.Scope
	_, err := s.Get(t.Context(), zero, key("a"))
	wantKind(t, err, problem.Internal)
	_, err = s.List(t.Context(), zero, table.Query{Kind: kind})
	wantKind(t, err, problem.Internal)
	_, _, err = s.Changes(t.Context(), zero, "", 10)
	wantKind(t, err, problem.Internal)
	read := table.Item{Key: key("a"), Version: 1}
	for name, op := range map[string]table.Op{
		"Create": table.Create(key("a"), nil), "Replace": table.Replace(read, nil),
		"Put": table.Put(key("a"), nil), "Delete": table.Delete(read), "Check": table.Check(read),
		"Add": table.Add(key("a"), map[string]int64{"n": 1}),
	} {
		if err := s.Write(t.Context(), zero, op); !problem.Is(err, problem.Internal) {
			t.Errorf("%s with the zero scope: %v, want internal", name, err)
		}
	}
}

// neighbours are projects whose ids are easily confused: one is the other's
// prefix.
func neighbours() (a, b tenant.Scope) {
	name := freshName()
	return tenanttest.Scope(name), tenanttest.Scope(name + "-d")
}

// strangeParents are parents made to look like another partition.
func strangeParents(other tenant.Scope) []string {
	p := other.Project().String()
	return []string{"", "p", "#", "##", "p#q", "#" + string(kind) + "#p", p, p + "#" + string(kind) + "#p", "-d#" + string(kind) + "#p"}
}

func testStrangers(t *testing.T, s *suite) {
	a, b := neighbours()
	for who, pair := range map[string][2]tenant.Scope{"prefix": {a, b}, "longer": {b, a}} {
		me, other := pair[0], pair[1]
		for i, parent := range strangeParents(other) {
			k := table.Key{Kind: kind, Parent: parent, ID: "x"}
			s.write(t, me, table.Create(k, []byte(who+"-canary")), table.Add(table.Key{Kind: "count", Parent: parent, ID: "x"}, map[string]int64{"n": int64(i + 1)}))
		}
	}
	for _, parent := range strangeParents(b) {
		s.strangers(t, a, b, table.Key{Kind: kind, Parent: parent, ID: "x"}, "prefix-canary", "longer-canary")
	}
	for _, parent := range strangeParents(a) {
		s.strangers(t, b, a, table.Key{Kind: kind, Parent: parent, ID: "x"}, "longer-canary", "prefix-canary")
	}
	s.onlyOwnChanges(t, a, "longer-canary")
	s.onlyOwnChanges(t, b, "prefix-canary")
}

// strangers tries every method on k as me, and looks for what is the other's.
func (s *suite) strangers(t *testing.T, me, other tenant.Scope, k table.Key, mine, theirs string) {
	t.Helper()
	before := s.get(t, other, k)
	it := s.get(t, me, k)
	wantItem(t, it, mine, nil, 1)
	if now := s.refused(t, me, 0, table.Create(k, nil)); string(now.Body) != mine {
		t.Fatalf("conflict on %s shows %q", k, now.Body)
	}
	page, err := s.List(t.Context(), me, table.Query{Kind: k.Kind, Parent: k.Parent})
	if err != nil || len(page.Items) != 1 || string(page.Items[0].Body) != mine {
		t.Fatalf("List %s: %v, %v", k, page.Items, err)
	}
	s.write(t, me, table.Replace(it, []byte(mine)))
	s.write(t, me, table.Put(k, []byte(mine)))
	s.write(t, me, table.Add(k, map[string]int64{"n": 1}))
	s.write(t, me, table.Check(s.get(t, me, k)))
	s.write(t, me, table.Delete(s.get(t, me, k)))
	wantAbsent(t, s.get(t, me, k))
	after := s.get(t, other, k)
	wantItem(t, after, string(before.Body), before.Counts, before.Version)
	if before.Version != 0 && string(before.Body) != theirs {
		t.Fatalf("%s of the other is %q", k, before.Body)
	}
	// What one read of the other's item opens nothing here.
	stolen := before
	stolen.Version = max(1, stolen.Version)
	stolen.Key = k
	for _, op := range []table.Op{table.Replace(stolen, nil), table.Delete(stolen), table.Check(stolen)} {
		wantAbsent(t, s.refused(t, me, 0, op))
	}
	s.write(t, me, table.Create(k, []byte(mine)))
}

// onlyOwnChanges reads me's whole feed, looking for the other's canary.
func (s *suite) onlyOwnChanges(t *testing.T, me tenant.Scope, canary string) {
	t.Helper()
	want := 2 * len(strangeParents(me))
	changes, _ := s.follow(t, me, "", 7, func(last map[table.Key]table.Item) bool { return len(last) >= want })
	for _, c := range changes {
		if strings.Contains(string(c.Item.Body), canary) {
			t.Errorf("the feed shows %s with %q", c.Key, c.Item.Body)
		}
	}
}

// testKeysAreStrangers holds that no two keys of a tenant are one item, however
// their parts are spelled.
func testKeysAreStrangers(t *testing.T, s *suite) {
	sc := fresh()
	keys := []table.Key{
		{Kind: "k", Parent: "", ID: "a#b#c"}, {Kind: "k", Parent: "a", ID: "b#c"}, {Kind: "k", Parent: "a#b", ID: "c"},
		{Kind: "k", Parent: "#a", ID: "b"}, {Kind: "k", Parent: "a#", ID: "b"}, {Kind: "kk", Parent: "a", ID: "b#c"},
		{Kind: "k", Parent: "A", ID: "b#c"}, {Kind: "k", Parent: "a", ID: "B#c"}, {Kind: "k", Parent: "a ", ID: "b#c"},
		{Kind: "k", Parent: "a", ID: "b#c "}, {Kind: "k", Parent: "k#a", ID: "b#c"}, {Kind: "k", Parent: "é", ID: "x"},
		{Kind: "k", Parent: "e\u0301", ID: "x"}, {Kind: "k", Parent: "1", ID: "1"}, {Kind: "k", Parent: "01", ID: "1"},
		{Kind: "k", Parent: "1", ID: "1.0"}, {Kind: "k", Parent: "1", ID: "1e0"},
	}
	for i, k := range keys {
		s.write(t, sc, table.Create(k, fmt.Append(nil, i)))
	}
	for i, k := range keys {
		wantItem(t, s.get(t, sc, k), fmt.Sprint(i), nil, 1)
		ids, _ := s.list(t, sc, table.Query{Kind: k.Kind, Parent: k.Parent})
		for _, other := range keys {
			same := other.Kind == k.Kind && other.Parent == k.Parent
			if has := contains(ids, other.ID); same && !has {
				t.Errorf("List of %s lacks %s", k, other)
			}
		}
	}
}

func contains(ids []string, id string) bool {
	for _, s := range ids {
		if s == id {
			return true
		}
	}
	return false
}
