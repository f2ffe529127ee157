package tabletest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/table"
)

func testSizeLimits(t *testing.T, s *suite) {
	sc := fresh()
	full := bytes.Repeat([]byte{0xff, 0}, table.MaxBody/2)
	longest := table.Key{Kind: "abcdefghijklmnop", Parent: strings.Repeat("é", table.MaxParent/2), ID: strings.Repeat("😀", table.MaxID/4)}
	s.write(t, sc, table.Create(longest, full))
	wantItem(t, s.get(t, sc, longest), string(full), nil, 1)
	s.write(t, sc, table.Add(longest, counts{strings.Repeat("n", 32): 1}))
	wantItem(t, s.refused(t, sc, 0, table.Create(longest, nil)), string(full), counts{strings.Repeat("n", 32): 1}, 2)
	if got, _ := s.list(t, sc, table.Query{Kind: longest.Kind, Parent: longest.Parent, From: longest.ID}); !slices.Equal(got, []string{longest.ID}) {
		t.Errorf("the longest key is listed as %q", got)
	}
	wantKind(t, s.Write(t.Context(), sc, table.Put(key("a"), append(full, 0))), problem.Invalid)
	wantAbsent(t, s.get(t, sc, key("a")))

	ops := make([]table.Op, table.MaxOps)
	for i := range ops {
		ops[i] = table.Create(key(fmt.Sprint("op", i)), bytes.Repeat([]byte("x"), 1000))
	}
	s.write(t, sc, ops...)
	if got, _ := s.list(t, sc, table.Query{Kind: kind, Parent: "p"}); len(got) != table.MaxOps {
		t.Errorf("%d of %d operations are there", len(got), table.MaxOps)
	}
	if err := s.Write(t.Context(), sc, append(ops, table.Create(key("more"), nil))...); err == nil {
		t.Error("a write of more than MaxOps operations was accepted")
	}
	share := table.MaxWrite / 10
	for i := range 10 {
		ops[i] = table.Put(key(fmt.Sprint("op", i)), full[:share])
	}
	s.write(t, sc, ops[:10]...)
	ops[0] = table.Put(key("op0"), full[:share+1])
	wantKind(t, s.Write(t.Context(), sc, ops[:10]...), problem.Invalid)
}

// odd are strings that break a store that pastes, trims, folds or splits.
var odd = []string{
	"😀", "👩‍👩‍👧‍👦", "a\nb", "\r\n", "\t", "'", "''; DROP TABLE items; --", `"`, "`", `\`, `\x00`, "#", "##", "#a#", "%", "%_", "%25", "%00",
	"_", "*", "?", "[a-z]", ".", "..", "../../etc/passwd", "/", "//", "a/b", "~", "$HOME", "${x}", "{{.}}", "<script>", "&amp;", "null", "NULL",
	"true", "0", "-0", "1e9", "NaN", " ", "  ", " lead", "trail ", "\u00a0", "\u200b", "\ufeff", "\u202e", "\x01", "\x1f", "\x7f", "é", "e\u0301",
	"İ", "ı", "ſ", "\uffff", "\U0010FFFF", "日本語", "עברית", "CON",
}

func testOddStrings(t *testing.T, s *suite) {
	sc := fresh()
	for chunk := range slices.Chunk(odd, table.MaxOps/2) {
		var ops []table.Op
		for _, o := range chunk {
			ops = append(ops, table.Create(table.Key{Kind: kind, Parent: "odd", ID: o}, []byte(o)),
				table.Create(table.Key{Kind: kind, Parent: o, ID: "x"}, []byte(o)))
		}
		s.write(t, sc, ops...)
	}
	for _, o := range odd {
		wantItem(t, s.get(t, sc, table.Key{Kind: kind, Parent: "odd", ID: o}), o, nil, 1)
		wantItem(t, s.refused(t, sc, 0, table.Create(table.Key{Kind: kind, Parent: o, ID: "x"}, nil)), o, nil, 1)
		if got, _ := s.list(t, sc, table.Query{Kind: kind, Parent: o}); !slices.Equal(got, []string{"x"}) {
			t.Errorf("parent %q holds %q", o, got)
		}
	}
	want := slices.Clone(odd)
	slices.Sort(want)
	if got, _ := s.all(t, sc, table.Query{Kind: kind, Parent: "odd", Limit: 7}); !slices.Equal(got, want) {
		t.Errorf("listed\n%q, want\n%q", got, want)
	}
	changes, _ := s.follow(t, sc, "", 100, func(last map[table.Key]table.Item) bool { return len(last) >= 2*len(odd) })
	for _, c := range changes {
		if o := string(c.Item.Body); c.Key.ID != o && c.Key.Parent != o {
			t.Errorf("the feed has %q under %s", o, c.Key)
		}
	}
}

func testMalformed(t *testing.T, s *suite) {
	sc := fresh()
	good := key("a")
	s.write(t, sc, table.Create(good, nil))
	for _, k := range []table.Key{
		{}, {Kind: kind}, {Parent: "p", ID: "a"}, {Kind: "Test", ID: "a"}, {Kind: "te#st", ID: "a"}, {Kind: "te-st", ID: "a"}, {Kind: "test1", ID: "a"},
		{Kind: "abcdefghijklmnopq", ID: "a"}, {Kind: kind, ID: strings.Repeat("x", table.MaxID+1)},
		{Kind: kind, Parent: strings.Repeat("x", table.MaxParent+1), ID: "a"}, {Kind: kind, ID: "\xff"}, {Kind: kind, Parent: "\xc3", ID: "a"},
	} {
		_, err := s.Get(t.Context(), sc, k)
		wantKind(t, err, problem.Internal)
		wantKind(t, s.Write(t.Context(), sc, table.Put(k, nil)), problem.Internal)
		if k.Kind != kind || len(k.Parent) > table.MaxParent {
			_, err = s.List(t.Context(), sc, table.Query{Kind: k.Kind, Parent: k.Parent})
			wantKind(t, err, problem.Internal)
		}
	}
	for name, ops := range map[string][]table.Op{
		"nothing": nil, "the zero operation": {{}}, "one key twice": {table.Put(good, nil), table.Check(table.Item{Key: good})},
		"unread replace": {table.Replace(table.Item{Key: good}, nil)}, "unread delete": {table.Delete(table.Item{Key: good})},
		"no counters": {table.Add(good, nil)}, "counter name": {table.Add(good, counts{"A": 1})}, "no counter name": {table.Add(good, counts{"": 1})},
	} {
		if err := s.Write(t.Context(), sc, ops...); !problem.Is(err, problem.Internal) {
			t.Errorf("%s: %v, want internal", name, err)
		}
	}
	for _, q := range []table.Query{{Kind: kind, From: "\xff"}, {Kind: kind, To: "a\xff"}, {Kind: kind, From: strings.Repeat("x", table.MaxID+5)}} {
		_, err := s.List(t.Context(), sc, q)
		wantKind(t, err, problem.Internal)
	}
	wantItem(t, s.get(t, sc, good), "", nil, 1)
}
