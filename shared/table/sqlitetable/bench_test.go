package sqlitetable_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
)

// turn is about the size of a turn's item.
var turn = make([]byte, 2500)

// benchmark opens a table whose syncs are counted and reported.
func benchmark(b *testing.B) (*table.Table, func()) {
	b.Helper()
	var d disk
	tbl := open(b, b.TempDir(), &sqlitetable.Options{Sync: d.Sync})
	if _, err := tbl.Get(b.Context(), one, item("warm")); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	return tbl, func() { b.ReportMetric(float64(d.syncs.Load())/float64(b.N), "fsyncs/op") }
}

func turnKey(i int64) table.Key {
	return table.Key{Kind: "turn", Parent: fmt.Sprintf("%026d", i/10), ID: fmt.Sprintf("%026d", i)}
}

func BenchmarkCreate(b *testing.B) {
	tbl, report := benchmark(b)
	for i := int64(0); b.Loop(); i++ {
		if err := tbl.Write(b.Context(), one, table.Create(turnKey(i), turn)); err != nil {
			b.Fatal(err)
		}
	}
	report()
}

func BenchmarkCreateRelaxed(b *testing.B) {
	tbl, report := benchmark(b)
	for i := int64(0); b.Loop(); i++ {
		if err := tbl.Write(b.Context(), one, table.Create(turnKey(i), turn).Relaxed()); err != nil {
			b.Fatal(err)
		}
	}
	report()
}

func BenchmarkCreateParallel(b *testing.B) {
	tbl, report := benchmark(b)
	var next atomic.Int64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := tbl.Write(b.Context(), one, table.Create(turnKey(next.Add(1)), turn)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	report()
}

func BenchmarkGet(b *testing.B) {
	tbl, report := benchmark(b)
	const items = 1000
	for i := range int64(items) {
		if err := tbl.Write(b.Context(), one, table.Create(turnKey(i), turn).Relaxed()); err != nil {
			b.Fatal(err)
		}
	}
	for i := int64(0); b.Loop(); i++ {
		if it, err := tbl.Get(b.Context(), one, turnKey(i*7919%items)); err != nil || it.Version != 1 {
			b.Fatal(it.Version, err)
		}
	}
	report()
}

func BenchmarkList(b *testing.B) {
	tbl, report := benchmark(b)
	for i := range int64(1000) {
		if err := tbl.Write(b.Context(), one, table.Create(turnKey(i), turn).Relaxed()); err != nil {
			b.Fatal(err)
		}
	}
	q := table.Query{Kind: "turn", Parent: turnKey(420).Parent}
	for b.Loop() {
		if page, err := tbl.List(b.Context(), one, q); err != nil || len(page.Items) != 10 {
			b.Fatal(len(page.Items), err)
		}
	}
	report()
}
