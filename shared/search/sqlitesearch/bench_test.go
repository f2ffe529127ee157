package sqlitesearch_test

import (
	"testing"

	integrations "switchboard/company-integrations"
	"switchboard/shared/company"
	"switchboard/shared/knowledge"
	"switchboard/shared/tenant/tenanttest"
)

func BenchmarkQuery(b *testing.B) {
	companies, err := company.Load(integrations.FS)
	if err != nil {
		b.Fatal(err)
	}
	x := open(b, b.TempDir())
	sc := tenanttest.Scope("abc")
	for _, c := range companies {
		if _, err := knowledge.Sync(b.Context(), sc, x, append(companies[0].Knowledge, c.Knowledge...)); err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]string{
		"absent": "turn 17. Say hello for a benchmark.",
		"common": "How much does a 200 amp panel upgrade cost?",
		"one":    "warranty",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := x.Query(b.Context(), sc, q, 4); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
