package company_test

import (
	"testing"

	integrations "switchboard/company-integrations"
)

// The companies in the box load without a mistake and are worth showing.
func TestShippedCompanies(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"lenhart-electric": "company", "incharge-electric": "company",
		"outside-client-a": "client", "personal-example": "personal",
	}
	articles := 0
	for _, c := range mustLoad(t, integrations.FS) {
		kind, shipped := want[c.ID.String()]
		if shipped && string(c.Kind) != kind {
			t.Errorf("%s is a %s, want a %s", c.ID, c.Kind, kind)
		}
		delete(want, c.ID.String())
		if shipped && len(c.Assistants) < 2 {
			t.Errorf("%s has %d assistants, want at least two", c.ID, len(c.Assistants))
		}
		articles += len(c.Knowledge)
	}
	if len(want) > 0 {
		t.Errorf("not shipped: %v", want)
	}
	if articles < 25 {
		t.Errorf("%d articles, want at least 25", articles)
	}
}
