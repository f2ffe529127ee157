package company_test

import (
	"testing"
	"testing/fstest"

	"switchboard/shared/company"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

func TestCatalog(t *testing.T) {
	t.Parallel()
	c := company.Open(fstest.MapFS{
		"good-one/company.yaml":            {Data: []byte("name: Good")},
		"good-one/assistants/website.md":   {Data: []byte("Answer.")},
		"other-one/company.yaml":           {Data: []byte("name: Other")},
		"wrong-one/company.yaml":           {Data: []byte("name: Wrong\nsecret: x")},
		"good-one-twin/company.yaml":       {Data: []byte("name: Twin")},
		"good-one-twin/assistants/help.md": {Data: []byte("Help.")},
	})
	for range 2 { // read, then held
		e, err := c.Company(t.Context(), tenanttest.Scope("good-one"))
		if err != nil || e.Name != "Good" || e.Version != company.Version(e.Company) || len(e.Assistants) != 1 {
			t.Errorf("got %+v, %v", e, err)
		}
	}
	for project, kind := range map[string]problem.Kind{"unknown": problem.NotFound, "wrong-one": problem.Unavailable} {
		if _, err := c.Company(t.Context(), tenanttest.Scope(project)); !problem.Is(err, kind) {
			t.Errorf("%s: %v, want %v", project, err, kind)
		}
	}
	if _, err := c.Company(t.Context(), tenant.Scope{}); !problem.Is(err, problem.Internal) {
		t.Errorf("the zero scope: %v", err)
	}
}
