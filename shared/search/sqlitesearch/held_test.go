package sqlitesearch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	integrations "switchboard/company-integrations"
	"switchboard/shared/company"
	"switchboard/shared/knowledge"
	"switchboard/shared/problem"
	"switchboard/shared/search"
	"switchboard/shared/search/memsearch"
	"switchboard/shared/search/sqlitesearch"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

func replace(t testing.TB, x *search.Index, sc tenant.Scope, docs []search.Document, gone ...string) {
	t.Helper()
	if err := x.Replace(t.Context(), sc, docs, gone); err != nil {
		t.Fatal(err)
	}
}

// found returns the ids of what a query finds, joined.
func found(t testing.TB, x *search.Index, sc tenant.Scope, text string) string {
	t.Helper()
	hits, err := x.Query(t.Context(), sc, text, 50)
	if err != nil {
		t.Fatalf("%s, %q: %v", sc.Project(), text, err)
	}
	var ids []string
	for _, h := range hits {
		ids = append(ids, h.ID)
	}
	return strings.Join(ids, " ")
}

// TestItRanksAsMemsearchDoes asks all shipped companies what they suggest to ask.
func TestItRanksAsMemsearchDoes(t *testing.T) {
	t.Parallel()
	companies, err := company.Load(integrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	lite, mem, asked := open(t, t.TempDir()), memsearch.New(), 0
	for _, c := range companies {
		sc := tenanttest.Scope(c.ID.String())
		for _, x := range []*search.Index{lite, mem} {
			if _, err := knowledge.Sync(t.Context(), sc, x, c.Knowledge); err != nil {
				t.Fatal(err)
			}
		}
		for _, a := range c.Assistants {
			for _, q := range a.Suggestions {
				want, merr := mem.Query(t.Context(), sc, q, search.MaxHits)
				got, lerr := lite.Query(t.Context(), sc, q, search.MaxHits)
				if d := cmp.Diff(want, got); d != "" || merr != nil || lerr != nil {
					t.Errorf("%s, %q: %v, %v (-memsearch +sqlitesearch)\n%s", c.ID, q, merr, lerr, d)
				}
				asked += min(1, len(got))
			}
		}
	}
	if asked < 10 {
		t.Errorf("control: %d questions were answered", asked)
	}
}

func TestNothingIsHeldBeforeItIsAskedFor(t *testing.T) {
	t.Parallel()
	x, a, b := open(t, t.TempDir()), tenanttest.Scope("abc"), tenanttest.Scope("other")
	for _, sc := range []tenant.Scope{a, b} {
		replace(t, x, sc, docs("d", "heron"))
		if _, err := x.Versions(t.Context(), sc); err != nil {
			t.Fatal(err)
		}
	}
	if who, size := sqlitesearch.Held(x); len(who) != 0 || size != 0 {
		t.Errorf("%v, %d bytes", who, size)
	}
	found(t, x, a, "heron")
	if who, size := sqlitesearch.Held(x); len(who) != 1 || !who["abc"] || size <= 0 {
		t.Errorf("%v, %d bytes", who, size)
	}
	replace(t, x, b, docs("d", "egret"))
	if who, _ := sqlitesearch.Held(x); !who["abc"] {
		t.Error("another tenant's Replace lets go of it")
	}
	replace(t, x, a, docs("d", "egret"))
	if who, size := sqlitesearch.Held(x); len(who) != 0 || size != 0 {
		t.Errorf("after Replace: %v, %d bytes", who, size)
	}
}

// TestAHeldTenantWaitsForNobody would not end if a query took the file's lock.
func TestAHeldTenantWaitsForNobody(t *testing.T) {
	t.Parallel()
	x, sc := open(t, t.TempDir()), tenanttest.Scope("abc")
	replace(t, x, sc, docs("d", "heron"))
	found(t, x, sc, "heron")
	done, err := sqlitesearch.Busy(x, sc)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if got := found(t, x, sc, "heron"); got != "d#1" {
		t.Errorf("found %q", got)
	}
}

// TestGrowingLargeAndSmallAgain tells the ways of ranking apart by a word that
// search.Stem knows better than FTS5's stemmer.
func TestGrowingLargeAndSmallAgain(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]sqlitesearch.Options{
		"by passages": {Passages: 3},
		"by text":     {Text: 200},
		"by memory":   {Memory: 2000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, sc := openWith(t, t.TempDir(), &o), tenanttest.Scope("abc")
			large := []search.Document{{ID: "b", Version: "1"}}
			for i := range 40 {
				large[0].Passages = append(large[0].Passages, search.Passage{ID: fmt.Sprintf("b#%02d", i), Document: "b", Text: "an egret"})
			}
			small := func(version string) {
				t.Helper()
				for range 2 { // the second from memory
					if got := found(t, x, sc, "week"); got != "a#1" {
						t.Errorf("%s small: found %q", version, got)
					}
					if got := found(t, x, sc, "egret"); got != "" {
						t.Errorf("%s small: found %q", version, got)
					}
				}
				if who, _ := sqlitesearch.Held(x); !who["abc"] {
					t.Errorf("%s small, and not held", version)
				}
			}
			replace(t, x, sc, docs("a", "heron weekly"))
			small("first")
			replace(t, x, sc, large)
			for range 2 {
				if a, b, c := found(t, x, sc, "weekly"), found(t, x, sc, "egrets"), found(t, x, sc, "week"); a != "a#1" || len(b) != 40*5-1 || c != "" {
					t.Errorf("large: found %q, %q, %q", a, b, c)
				}
			}
			if who, size := sqlitesearch.Held(x); len(who) != 0 || size != 0 {
				t.Errorf("large, and held: %v, %d bytes", who, size)
			}
			replace(t, x, sc, nil, "b")
			small("again")
		})
	}
}

func TestTheOneAskedForLongestAgoMakesRoom(t *testing.T) {
	t.Parallel()
	scopes := make([]tenant.Scope, 12)
	for i := range scopes {
		scopes[i] = tenanttest.Scope(fmt.Sprintf("tenant-%02d", i))
	}
	probe := open(t, t.TempDir())
	replace(t, probe, scopes[0], docs("d", "heron mark00q"))
	found(t, probe, scopes[0], "heron")
	_, one := sqlitesearch.Held(probe)

	x := openWith(t, t.TempDir(), &sqlitesearch.Options{Memory: 4 * one})
	for i, sc := range scopes {
		replace(t, x, sc, docs("d", fmt.Sprintf("heron mark%02dq", i)))
	}
	for range 3 {
		for i, sc := range scopes {
			hits, err := x.Query(t.Context(), sc, "heron", 5)
			if err != nil || len(hits) != 1 || hits[0].Text != fmt.Sprintf("heron mark%02dq", i) {
				t.Errorf("%s got %v, %v", sc.Project(), hits, err)
			}
			found(t, x, scopes[0], "heron") // it is asked all the time
			if who, size := sqlitesearch.Held(x); len(who) > 4 || size > 4*one || !who["tenant-00"] {
				t.Errorf("%v, %d bytes of %d", who, size, 4*one)
			}
		}
	}
}

// TestAFileWithAHoleIsNotAnsweredFromInPart breaks the middle of a file: it opens,
// and some of its passages could be read.
func TestAFileWithAHoleIsNotAnsweredFromInPart(t *testing.T) {
	t.Parallel()
	dir, bad, good := t.TempDir(), tenanttest.Scope("bad"), tenanttest.Scope("good")
	x := open(t, dir)
	for _, sc := range []tenant.Scope{bad, good} {
		d := search.Document{ID: "d", Version: "1"}
		for i := range 300 {
			d.Passages = append(d.Passages, search.Passage{ID: fmt.Sprintf("d#%03d", i), Document: "d", Text: strings.Repeat("heron ", 200)})
		}
		replace(t, x, sc, []search.Document{d})
	}
	if err := x.Close(); err != nil { // so that all of it is in the one file
		t.Fatal(err)
	}
	x = open(t, dir)
	name := filepath.Join(dir, "bad", "search.db")
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(content) / 3; i < len(content)*2/3; i++ {
		content[i] = 0xff
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if hits, err := x.Query(t.Context(), bad, "heron", 50); !problem.Is(err, problem.Unavailable) {
			t.Errorf("the bad one: %d hits, %v", len(hits), err)
		}
		if got := found(t, x, good, "heron"); len(got) != 50*6-1 {
			t.Errorf("the good one: %q", got)
		}
	}
	if who, _ := sqlitesearch.Held(x); len(who) != 1 || !who["good"] {
		t.Errorf("held: %v", who)
	}
}
