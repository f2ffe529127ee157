package memsearch_test

import (
	"context"
	"errors"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/search"
	"switchboard/shared/search/memsearch"
	"switchboard/shared/search/searchtest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, func(*testing.T) *search.Index { return memsearch.New() })
}

func TestFilledOnFirstUse(t *testing.T) {
	t.Parallel()
	loads, version := 0, "1"
	x := memsearch.Filled(func(context.Context, tenant.Scope) (string, error) { return version, nil }, func(_ context.Context, sc tenant.Scope) ([]search.Document, error) {
		if loads++; loads == 1 {
			return nil, errors.New("not yet")
		}
		text := "heron " + version + " of " + sc.Project().String()
		return []search.Document{{ID: "d", Version: "1", Passages: []search.Passage{{ID: "d#1", Text: text}}}}, nil
	})
	sc := tenanttest.Scope("abc")
	if _, err := x.Query(t.Context(), sc, "heron", 1); !problem.Is(err, problem.Unavailable) {
		t.Errorf("a failed load: %v", err)
	}
	for range 3 {
		if hits, err := x.Query(t.Context(), sc, "heron", 1); err != nil || len(hits) != 1 || hits[0].Text != "heron 1 of abc" {
			t.Errorf("got %v, %v", hits, err)
		}
	}
	if loads != 2 {
		t.Errorf("loaded %d times", loads)
	}
	version = "2"
	for range 3 {
		if hits, err := x.Query(t.Context(), sc, "heron", 1); err != nil || len(hits) != 1 || hits[0].Text != "heron 2 of abc" {
			t.Errorf("after a change: %v, %v", hits, err)
		}
	}
	if loads != 3 {
		t.Errorf("loaded %d times", loads)
	}
	if err := x.Replace(t.Context(), sc, nil, []string{"d"}); err == nil {
		t.Error("what comes from elsewhere was written")
	}
}
