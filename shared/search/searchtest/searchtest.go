// Package searchtest is the conformance suite of search drivers. Only their tests
// import it. Its one promise: a driver that passes is interchangeable with the
// others, and its tenants are strangers.
package searchtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/problem"
	"switchboard/shared/search"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// Run runs the suite; open returns an empty index, which a test may close.
func Run(t *testing.T, open func(t *testing.T) *search.Index) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *search.Index)
	}{
		{"ZeroScopeIsRefused", zeroScope},
		{"TenantsAreStrangers", strangers},
		{"Finds", finds},
		{"Replaces", replaces},
		{"OddStrings", oddStrings},
		{"Concurrent", concurrent},
		{"OldOrNewWhole", oldOrNew},
		{"EqualsComeByID", equals},
		{"Canceled", canceled},
		{"Closed", closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

func doc(id, version string, texts ...string) search.Document {
	d := search.Document{ID: id, Version: version}
	for i, text := range texts {
		d.Passages = append(d.Passages, search.Passage{
			ID: fmt.Sprintf("%s#%d", id, i), Document: id, Title: "About " + id, Heading: "Part", URL: "https://x.example/" + id, Text: text,
		})
	}
	return d
}

func put(t *testing.T, x *search.Index, sc tenant.Scope, docs ...search.Document) {
	t.Helper()
	if err := x.Replace(t.Context(), sc, docs, nil); err != nil {
		t.Fatal(err)
	}
}

func ids(t *testing.T, x *search.Index, sc tenant.Scope, text string) []string {
	t.Helper()
	hits, err := x.Query(t.Context(), sc, text, 10)
	if err != nil {
		t.Fatalf("query %q: %v", text, err)
	}
	var out []string
	for i, h := range hits {
		if i > 0 && h.Score > hits[i-1].Score {
			t.Errorf("query %q: hit %d scores more than the one before", text, i)
		}
		out = append(out, h.ID)
	}
	return out
}

func zeroScope(t *testing.T, x *search.Index) {
	var zero tenant.Scope
	_, verr := x.Versions(t.Context(), zero)
	_, qerr := x.Query(t.Context(), zero, "panel", 3)
	for name, err := range map[string]error{
		"Replace":  x.Replace(t.Context(), zero, []search.Document{doc("d", "1", "panel")}, nil),
		"Versions": verr,
		"Query":    qerr,
	} {
		if !problem.Is(err, problem.Internal) {
			t.Errorf("%s with the zero scope: %v", name, err)
		}
	}
	put(t, x, tenanttest.Scope("abc"), doc("d", "1", "panel")) // the control
}

func strangers(t *testing.T, x *search.Index) {
	a, b := tenanttest.Scope("abc"), tenanttest.Scope("abc-d")
	put(t, x, a, doc("shared-id", "a1", "canary alpha wiring"))
	put(t, x, b, doc("shared-id", "b1", "canary bravo wiring"))
	for sc, want := range map[tenant.Scope]string{a: "alpha", b: "bravo"} {
		hits, err := x.Query(t.Context(), sc, "canary wiring alpha bravo", 10)
		if err != nil || len(hits) != 1 || !strings.Contains(hits[0].Text, want) {
			t.Errorf("%s finds %v, %v", sc.Project(), hits, err)
		}
	}
	if err := x.Replace(t.Context(), b, nil, []string{"shared-id"}); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, x, a, "canary"); len(got) != 1 {
		t.Errorf("b's removal left a with %v", got)
	}
	if v, _ := x.Versions(t.Context(), b); len(v) != 0 {
		t.Errorf("b sees versions %v", v)
	}
}

func finds(t *testing.T, x *search.Index) {
	sc := tenanttest.Scope("abc")
	put(t, x, sc,
		doc("panels", "1", "A panel upgrade to 200 amps takes one day.", "Permits are included in the price."),
		doc("hours", "1", "We are open from Monday to Friday."),
		doc("wiring", "1", "Aluminum wiring needs special connectors. A panel is something else."))
	for _, c := range []struct {
		query string
		want  []string // in order; only the first is compared when it ends in "..."
	}{
		{"How long does a panel upgrade take?", []string{"panels#0", "..."}},
		{"upgrades", []string{"panels#0"}},
		{"WIRING", []string{"wiring#0"}},
		{"permitted", []string{"panels#1"}},
		{"hours", []string{"hours#0"}}, // in the title alone
		{"zebra", nil},
		{"what is it?", nil},
		{"", nil},
	} {
		got := ids(t, x, sc, c.query)
		if n := len(c.want); n > 0 && c.want[n-1] == "..." && len(got) > 0 {
			got, c.want = got[:1], c.want[:1]
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.query, diff)
		}
	}
	hits, err := x.Query(t.Context(), sc, "permits", 1)
	want := search.Passage{ID: "panels#1", Document: "panels", Title: "About panels", Heading: "Part", URL: "https://x.example/panels", Text: "Permits are included in the price."}
	if err != nil || len(hits) != 1 || hits[0].Passage != want || hits[0].Score <= 0 {
		t.Errorf("got %+v, %v", hits, err)
	}
}

func replaces(t *testing.T, x *search.Index) {
	sc := tenanttest.Scope("abc")
	put(t, x, sc, doc("a", "1", "old heron", "old second heron"), doc("b", "1", "other heron"))
	if err := x.Replace(t.Context(), sc, []search.Document{doc("a", "2", "new egret")}, []string{"b", "unknown"}); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, x, sc, "heron"); got != nil {
		t.Errorf("what was replaced is still found: %v", got)
	}
	if got := ids(t, x, sc, "egret"); !slices.Equal(got, []string{"a#0"}) {
		t.Errorf("found %v", got)
	}
	v, err := x.Versions(t.Context(), sc)
	if diff := cmp.Diff(map[string]string{"a": "2"}, v); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func oddStrings(t *testing.T, x *search.Index) {
	sc := tenanttest.Scope("abc")
	put(t, x, sc, doc("odd", "1", `quotes " and ' and * NEAR(a b) AND OR NOT col:val -minus ^caret résumé 北京 🙂 café`))
	for _, q := range []string{`"`, `'`, `quotes"`, `NEAR(quotes`, `quotes AND`, `NOT quotes`, `val*`, `text:quotes`, `-quotes`, `^quotes`, `{quotes}`, "quotes\x00", "quotes;drop table", "北京", strings.Repeat("quotes ", 2000)} {
		if _, err := x.Query(t.Context(), sc, q, 3); err != nil {
			t.Errorf("%.40q: %v", q, err)
		}
	}
	for _, q := range []string{"résumé", "café", "quotes", "RESUME", "cafe", "cafe\u0301"} {
		if got := ids(t, x, sc, q); len(got) != 1 {
			t.Errorf("%q found %v", q, got)
		}
	}
}

func concurrent(t *testing.T, x *search.Index) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			sc := tenanttest.Scope(fmt.Sprintf("tenant-%d", i%4))
			mark := fmt.Sprintf("mark%dq", i%4)
			for range 10 {
				if err := x.Replace(t.Context(), sc, []search.Document{doc("d", "1", "heron "+mark)}, nil); err != nil {
					t.Error(err)
				}
				hits, err := x.Query(t.Context(), sc, "heron", 5)
				if err != nil || len(hits) != 1 || !strings.Contains(hits[0].Text, mark) {
					t.Errorf("tenant %d got %v, %v", i%4, hits, err)
				}
			}
		})
	}
	wg.Wait()
}

// edition is a document all of whose passages say which edition it is, and have
// "heron" in them; an odd one has fewer passages.
func edition(n int) search.Document {
	texts := make([]string, 3+2*(1-n%2))
	for i := range texts {
		texts[i] = fmt.Sprintf("heron edition%d", n)
	}
	return doc("d", fmt.Sprint(n), texts...)
}

// whole returns the edition that a query sees, which must be one alone, and all of
// it.
func whole(ctx context.Context, x *search.Index, sc tenant.Scope) (int, error) {
	hits, err := x.Query(ctx, sc, "heron", 20)
	if err != nil || len(hits) == 0 {
		return 0, fmt.Errorf("%d hits, %v", len(hits), err)
	}
	n := 0
	if _, err := fmt.Sscanf(hits[0].Text, "heron edition%d", &n); err != nil {
		return 0, err
	}
	for _, h := range hits {
		if want := edition(n).Passages; h.Text != want[0].Text || len(hits) != len(want) {
			return 0, fmt.Errorf("%d hits of edition %d, one is %q", len(hits), n, h.Text)
		}
	}
	return n, nil
}

// oldOrNew asks while the passages are replaced, and by other tenants, for whom the
// driver may make room.
func oldOrNew(t *testing.T, x *search.Index) {
	const editions = 50
	sc := tenanttest.Scope("abc")
	put(t, x, sc, edition(0))
	var (
		wg   sync.WaitGroup
		over atomic.Bool // the last edition may have failed
	)
	for i := range 4 {
		neighbour := tenanttest.Scope(fmt.Sprintf("neighbour-%d", i))
		put(t, x, neighbour, edition(1000+i))
		wg.Go(func() {
			for last := 0; last < editions && !over.Load(); {
				n, err := whole(t.Context(), x, sc)
				if err != nil || n < last {
					t.Errorf("edition %d after %d, %v", n, last, err)
					return
				}
				last = n
				if n, err := whole(t.Context(), x, neighbour); n != 1000+i || err != nil {
					t.Errorf("neighbour %d sees edition %d, %v", i, n, err)
					return
				}
			}
		})
	}
	for n := 1; n <= editions; n++ {
		if err := x.Replace(t.Context(), sc, []search.Document{edition(n)}, nil); err != nil {
			t.Error(err)
		}
		if got, err := whole(t.Context(), x, sc); got != n || err != nil {
			t.Errorf("after edition %d: %d, %v", n, got, err)
		}
	}
	over.Store(true)
	wg.Wait()
}

func equals(t *testing.T, x *search.Index) {
	sc := tenanttest.Scope("abc")
	put(t, x, sc, doc("c", "1", "heron"), doc("a", "1", "heron", "heron"), doc("b", "1", "heron"))
	for range 2 {
		if diff := cmp.Diff([]string{"a#0", "a#1", "b#0", "c#0"}, ids(t, x, sc, "heron")); diff != "" {
			t.Error(diff)
		}
	}
}

func closed(t *testing.T, x *search.Index) {
	sc := tenanttest.Scope("abc")
	put(t, x, sc, doc("d", "1", "heron"))
	ids(t, x, sc, "heron") // it may be held in memory now
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	_, verr := x.Versions(t.Context(), sc)
	_, qerr := x.Query(t.Context(), sc, "heron", 3)
	for name, err := range map[string]error{
		"Replace": x.Replace(t.Context(), sc, []search.Document{doc("d", "2", "heron")}, nil), "Versions": verr, "Query": qerr,
	} {
		if !problem.Is(err, problem.Unavailable) {
			t.Errorf("%s of a closed index: %v", name, err)
		}
	}
}

func canceled(t *testing.T, x *search.Index) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Query(ctx, tenanttest.Scope("abc"), "panel", 3); err == nil {
		t.Error("a cancelled query answered")
	}
}
