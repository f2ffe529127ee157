package sqlitesearch_test

import (
	"testing"

	integrations "switchboard/company-integrations"
	"switchboard/shared/company"
	"switchboard/shared/knowledge"
	"switchboard/shared/search"
	"switchboard/shared/search/sqlitesearch"
	"switchboard/shared/tenant/tenanttest"
)

// BenchmarkQuery asks the articles of all shipped companies, held in memory and in
// the file. FTS5 takes 25 to 55 times as long as what is held, on a quiet machine
// and on a busy one.
func BenchmarkQuery(b *testing.B) {
	for _, way := range []struct {
		name    string
		options *sqlitesearch.Options
	}{{"held", nil}, {"fts5", &sqlitesearch.Options{Text: 1}}} {
		x := openWith(b, b.TempDir(), way.options)
		fill(b, x)
		for _, q := range []struct{ name, text string }{
			{"absent", "turn 17. Say hello for a benchmark."},
			{"common", "How much does a 200 amp panel upgrade cost?"},
			{"one", "warranty"},
		} {
			b.Run(way.name+"/"+q.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := x.Query(b.Context(), tenanttest.Scope("abc"), q.text, 4); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkFirstQuery is what a query takes that finds the passages not in memory.
func BenchmarkFirstQuery(b *testing.B) {
	x := openWith(b, b.TempDir(), nil)
	n := fill(b, x)
	for b.Loop() {
		sqlitesearch.Forget(x, tenanttest.Scope("abc"))
		if _, err := x.Query(b.Context(), tenanttest.Scope("abc"), "warranty", 4); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n), "passages")
}

// fill gives one tenant all companies' articles and returns the number of passages.
func fill(b *testing.B, x *search.Index) (n int) {
	b.Helper()
	companies, err := company.Load(integrations.FS)
	if err != nil {
		b.Fatal(err)
	}
	var docs []search.Document
	for _, c := range companies {
		for _, a := range c.Knowledge {
			d := knowledge.Document(a)
			d.ID = c.ID.String() + "/" + d.ID
			for i := range d.Passages {
				d.Passages[i].ID, d.Passages[i].Document = c.ID.String()+"/"+d.Passages[i].ID, d.ID
			}
			docs, n = append(docs, d), n+len(d.Passages)
		}
	}
	replace(b, x, tenanttest.Scope("abc"), docs)
	return n
}
