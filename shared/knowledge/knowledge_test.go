package knowledge_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/company"
	"switchboard/shared/knowledge"
	"switchboard/shared/search"
	"switchboard/shared/search/memsearch"
	"switchboard/shared/tenant/tenanttest"
)

func TestDocument(t *testing.T) {
	t.Parallel()
	d := knowledge.Document(company.Article{ID: "a", Title: "T", URL: "https://x.example", Text: "Intro.\n\n## One\ntext\n\n- list\n- of two\n\n### Deep\n```\n## not a heading\n\nstill code\n```\n## One\nagain\n## Empty\n# Top\nlast"})
	want := []search.Passage{
		{ID: "a#top", Text: "Intro."},
		{ID: "a#one", Heading: "One", Text: "text\n\n- list\n- of two"},
		{ID: "a#one-deep", Heading: "One > Deep", Text: "```\n## not a heading\n\nstill code\n```"},
		{ID: "a#one-2", Heading: "One", Text: "again"},
		{ID: "a#top-2", Heading: "Top", Text: "last"},
	}
	for i := range want {
		want[i].Document, want[i].Title, want[i].URL = "a", "T", "https://x.example"
	}
	if diff := cmp.Diff(want, d.Passages); diff != "" {
		t.Error(diff)
	}
}

func TestLongSectionsAreCutBetweenBlocks(t *testing.T) {
	t.Parallel()
	par := strings.TrimSpace(strings.Repeat("word ", 100))
	d := knowledge.Document(company.Article{ID: "a", Text: strings.Repeat(par+"\n\n", 7)})
	if len(d.Passages) != 4 {
		t.Fatalf("%d passages", len(d.Passages))
	}
	for _, p := range d.Passages {
		if len(p.Text)%len(par) > 4 || !strings.HasPrefix(p.Text, par) {
			t.Errorf("cut within a block: %d bytes", len(p.Text))
		}
	}
}

func TestSync(t *testing.T) {
	t.Parallel()
	x, sc := memsearch.New(), tenanttest.Scope("abc")
	sync := func(want knowledge.Changes, articles ...company.Article) {
		t.Helper()
		got, err := knowledge.Sync(t.Context(), sc, x, articles)
		if err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	a, b := company.Article{ID: "a", Text: "heron"}, company.Article{ID: "b", Text: "egret"}
	sync(knowledge.Changes{Added: 2}, a, b)
	sync(knowledge.Changes{Unchanged: 2}, a, b)
	b.Text = "stork"
	sync(knowledge.Changes{Unchanged: 1, Changed: 1}, a, b)
	sync(knowledge.Changes{Unchanged: 1, Removed: 1}, b)
	for q, want := range map[string]int{"heron": 0, "egret": 0, "stork": 1} {
		if hits, err := x.Query(t.Context(), sc, q, 5); err != nil || len(hits) != want {
			t.Errorf("%s: %v, %v", q, hits, err)
		}
	}
}

func FuzzDocument(f *testing.F) {
	f.Add("# a\n\n## b\ntext\n```\ncode")
	f.Fuzz(func(t *testing.T, text string) {
		seen := make(map[string]bool)
		for _, p := range knowledge.Document(company.Article{ID: "a", Text: text}).Passages {
			if seen[p.ID] || strings.TrimSpace(p.Text) == "" {
				t.Errorf("passage %q is empty or its id occurs twice", p.ID)
			}
			seen[p.ID] = true
		}
	})
}
