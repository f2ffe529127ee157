package search_test

import (
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/search"
)

func TestTerms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"How much does a panel upgrade cost?":             {"panel", "upgrade", "cost"},
		"What's the company's 200-amp warranty?":          {"company", "200", "amp", "warranty"},
		"Do you do panel Panel PANEL?":                    {"panel"},
		"Señora Gómez' cafe\u0301, ça ne va pas, 北京 Łódź": {"senora", "gomez", "cafe", "ca", "ne", "va", "pas", "北京", "łodz"},
		"what is it": nil,
		"":           nil,
	} {
		if diff := cmp.Diff(want, search.Terms(in)); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
}

func TestStem(t *testing.T) {
	t.Parallel()
	for _, group := range [][]string{
		{"upgrade", "upgrades", "upgraded", "upgrading"},
		{"install", "installs", "installed", "installing", "installation", "installer"},
		{"warranty", "warranties"},
		{"charge", "charger", "chargers", "charging"},
		{"plug", "plugs"},
	} {
		for _, w := range group[1:] {
			if search.Stem(w) != search.Stem(group[0]) {
				t.Errorf("%s -> %s, but %s -> %s", group[0], search.Stem(group[0]), w, search.Stem(w))
			}
		}
	}
}

func FuzzTerms(f *testing.F) {
	f.Add("How much?")
	f.Add("\xff''’s’")
	f.Add("É e\u0301 İ K Å ŉ x's's")
	f.Fuzz(func(t *testing.T, s string) {
		for _, w := range search.Terms(s) {
			if w == "" || (utf8.ValidString(s) && !utf8.ValidString(w)) {
				t.Errorf("%q gives %q", s, w)
			}
			if again := search.Words(w); len(again) != 1 || again[0] != w {
				t.Errorf("%q gives %q, which gives %q", s, w, again)
			}
			search.Stem(w)
		}
	})
}
