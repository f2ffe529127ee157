package bm25_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"switchboard/shared/search/internal/bm25"
	"switchboard/shared/search/internal/driver"
)

// made returns passages of about 180 words, drawn as a language draws them.
func made(n int) []driver.Passage {
	r := rand.New(rand.NewPCG(1, 1))
	z := rand.NewZipf(r, 1.1, 8, 20_000)
	var out []driver.Passage
	for i := range n {
		var b strings.Builder
		for b.Len() < 1100 {
			fmt.Fprintf(&b, "w%x ", z.Uint64()*7919)
		}
		out = append(out, driver.Passage{ID: fmt.Sprintf("d#%d", i), Title: "A title", Heading: "A heading", Text: b.String()})
	}
	return out
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{100, 2000} {
		passages := made(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bm25.New(slices.Clone(passages))
			}
		})
	}
}

// BenchmarkQuery asks for a common word, two less common ones and one of the rarest.
func BenchmarkQuery(b *testing.B) {
	for _, n := range []int{100, 500, 2000} {
		x := bm25.New(made(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Query([]string{"w0", "w6ccd6", "wd9ac", "wf7f1"}, 4)
			}
		})
	}
}
