package memsearch_test

import (
	"testing"

	"switchboard/shared/search"
	"switchboard/shared/search/memsearch"
	"switchboard/shared/search/searchtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, func(*testing.T) *search.Index { return memsearch.New() })
}
