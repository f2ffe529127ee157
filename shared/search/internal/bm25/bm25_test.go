package bm25_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"switchboard/shared/search"
	"switchboard/shared/search/internal/bm25"
	"switchboard/shared/search/internal/driver"
)

// naive ranks as the package comment says, passage by passage: the definition that
// the index has to agree with.
func naive(passages []driver.Passage, terms []string, limit int) []driver.Hit {
	freq := make([]map[string]float64, len(passages))
	size := make([]float64, len(passages))
	with := map[string]float64{}
	var mean float64
	for i, p := range passages {
		freq[i] = map[string]float64{}
		for text, weight := range map[*string]float64{&p.Title: driver.TitleWeight, &p.Heading: driver.HeadingWeight, &p.Text: driver.TextWeight} {
			for _, w := range search.Words(*text) {
				freq[i][search.Stem(w)] += weight
				size[i] += weight
			}
		}
		for stem := range freq[i] {
			with[stem]++
		}
		mean += size[i] / float64(len(passages))
	}
	var hits []driver.Hit
	for i, p := range passages {
		h := driver.Hit{Passage: p}
		for _, t := range terms {
			f, n := freq[i][search.Stem(t)], with[search.Stem(t)]
			if f > 0 {
				h.Score += math.Log(1+(float64(len(passages))-n+0.5)/(n+0.5)) * f * 2.2 / (f + 1.2*(0.25+0.75*size[i]/mean))
			}
		}
		if h.Score > 0 {
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, func(a, b driver.Hit) int {
		if math.Abs(a.Score-b.Score) > 1e-9 {
			return cmp.Compare(b.Score, a.Score)
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return hits[:min(limit, len(hits))]
}

func same(t *testing.T, passages []driver.Passage, terms []string, limit int) int {
	t.Helper()
	want := naive(passages, terms, limit)
	got := bm25.New(slices.Clone(passages)).Query(terms, limit)
	if len(got) != len(want) {
		t.Fatalf("%v: %d hits, want %d", terms, len(got), len(want))
	}
	for i := range want {
		if got[i].Passage != want[i].Passage || math.Abs(got[i].Score-want[i].Score) > 1e-9 {
			t.Fatalf("%v, hit %d: %s %v, want %s %v", terms, i, got[i].ID, got[i].Score, want[i].ID, want[i].Score)
		}
	}
	return len(got)
}

func TestItRanksAsDefined(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("panel panels upgrade upgrading amp amps 200 warranty warranties heron café week weekly")
	text := func(n int) string {
		var out []string
		for range r.IntN(n + 1) {
			out = append(out, words[min(r.IntN(len(words)), r.IntN(len(words)))])
		}
		return strings.Join(out, " ")
	}
	hits := 0
	for range 200 {
		var passages []driver.Passage
		for i := range r.IntN(60) {
			passages = append(passages, driver.Passage{ID: fmt.Sprintf("p%02d", i), Title: text(2), Heading: text(2), Text: text(12)})
		}
		r.Shuffle(len(passages), func(i, j int) { passages[i], passages[j] = passages[j], passages[i] })
		terms := slices.Compact(strings.Fields(text(6) + " heron unheard"))
		for _, limit := range []int{1, 4, 50, 100} {
			hits += same(t, passages, terms, limit)
		}
	}
	if hits < 5000 {
		t.Errorf("control: %d hits", hits)
	}
}

func TestTheEmptyCases(t *testing.T) {
	t.Parallel()
	one := []driver.Passage{{ID: "p", Text: "heron"}}
	for _, c := range []struct {
		name     string
		passages []driver.Passage
		terms    []string
		limit    int
		want     int
	}{
		{"a control", one, []string{"heron"}, 1, 1},
		{"no passage", nil, []string{"heron"}, 1, 0},
		{"passages without words", []driver.Passage{{ID: "p", Text: "?!"}, {ID: "q"}}, []string{"heron"}, 1, 0},
		{"one of them", append([]driver.Passage{{ID: "q"}}, one...), []string{"heron"}, 5, 1},
		{"no term", one, nil, 1, 0},
		{"no limit", one, []string{"heron"}, 0, 0},
		{"a word twice", one, []string{"heron", "herons"}, 5, 1},
	} {
		if got := bm25.New(c.passages).Query(c.terms, c.limit); len(got) != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestAQueryAllocatesItsAnswer holds what makes a query cheap.
func TestAQueryAllocatesItsAnswer(t *testing.T) {
	var passages []driver.Passage
	for i := range 500 {
		passages = append(passages, driver.Passage{ID: fmt.Sprint(i), Text: strings.Repeat("panel upgrade ", i%7+1)})
	}
	x := bm25.New(passages)
	terms := []string{"panel", "upgrad", "unheard"}
	if n := testing.AllocsPerRun(100, func() { x.Query(terms, 4) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzQuery makes passages of the lines of a text and asks for words of another.
func FuzzQuery(f *testing.F) {
	f.Add("a panel upgrade\nheron's café\n\n200 amps", "Upgrading panels?", uint8(4))
	f.Add("\xff\nÉÉ ée", "é", uint8(0))
	f.Fuzz(func(t *testing.T, text, question string, limit uint8) {
		var passages []driver.Passage
		for line := range strings.Lines(text) {
			title, rest, _ := strings.Cut(line, ":")
			passages = append(passages, driver.Passage{ID: fmt.Sprintf("%09d", len(passages)), Title: title, Text: rest})
		}
		same(t, passages, search.Terms(question), int(limit))
	})
}
