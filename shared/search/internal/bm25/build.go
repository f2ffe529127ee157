package bm25

import (
	"math"
	"slices"
	"strings"

	"switchboard/shared/search"
	"switchboard/shared/search/internal/driver"
)

// New returns an index of the passages, which it sorts and keeps: the caller
// gives them away.
func New(passages []driver.Passage) *Index {
	slices.SortFunc(passages, byID)
	b := builder{numbers: make(map[string]uint32), known: make(map[string]uint32)}
	lengths := make([]float64, len(passages))
	for i := range passages {
		lengths[i] = b.add(uint32(i), &passages[i])
	}
	x := &Index{passages: passages, damping: damping(lengths)}
	x.words, x.postings = b.invert(len(passages))
	x.size = x.estimate()
	return x
}

// builder counts words, one passage after another.
type builder struct {
	numbers map[string]uint32 // of stems, in the order of their appearance
	known   map[string]uint32 // the same by words as they stand: most come again
	count   []uint32          // passages that have the stem, by its number
	found   []found
	freq    []float32 // within the passage at hand, by the stem's number
	touched []uint32  // the stems of the passage at hand
}

// found is a posting before it is with the others of its word.
type found struct {
	stem uint32
	posting
}

// add counts a passage's words and returns its weighted length.
func (b *builder) add(n uint32, p *driver.Passage) (length float64) {
	for _, f := range [...]struct {
		text   string
		weight float64
	}{{p.Title, driver.TitleWeight}, {p.Heading, driver.HeadingWeight}, {p.Text, driver.TextWeight}} {
		for _, w := range search.Words(f.text) {
			stem := b.number(w)
			if b.freq[stem] == 0 {
				b.touched = append(b.touched, stem)
			}
			b.freq[stem] += float32(f.weight)
			length += f.weight
		}
	}
	for _, stem := range b.touched {
		b.found = append(b.found, found{stem, posting{n, b.freq[stem]}})
		b.count[stem]++
		b.freq[stem] = 0
	}
	b.touched = b.touched[:0]
	return length
}

// number returns the number of the word's stem. A new stem is copied: it is a piece
// of a text, and would keep all of it in memory.
func (b *builder) number(w string) uint32 {
	if n, ok := b.known[w]; ok {
		return n
	}
	stem := search.Stem(w)
	n, ok := b.numbers[stem]
	if !ok {
		n = uint32(len(b.count))
		b.numbers[strings.Clone(stem)] = n
		b.count = append(b.count, 0)
		b.freq = append(b.freq, 0)
	}
	b.known[w] = n
	return n
}

// invert sorts what was found by stem; within one it is in the order of passages.
func (b *builder) invert(passages int) (map[string]word, []posting) {
	words := make(map[string]word, len(b.numbers))
	start := make([]uint32, len(b.count)) // where the stem's next posting goes
	var at uint32
	for stem, n := range b.count {
		start[stem] = at
		at += n
	}
	for stem, number := range b.numbers {
		from, n := start[number], b.count[number]
		words[stem] = word{from, from + n, idf(passages, int(n))}
	}
	postings := make([]posting, len(b.found))
	for _, f := range b.found {
		postings[start[f.stem]] = f.posting
		start[f.stem]++
	}
	return words, postings
}

// idf is what a word says that n of all passages have: the rarer, the more. It is
// above zero even where every passage has the word.
func idf(all, n int) float64 {
	return math.Log(1 + (float64(all-n)+0.5)/(float64(n)+0.5))
}

// damping is k1, more for passages that are longer than the mean.
func damping(lengths []float64) []float64 {
	var mean float64
	for _, l := range lengths {
		mean += l
	}
	mean /= max(1, float64(len(lengths)))
	out := make([]float64, len(lengths))
	for i, l := range lengths {
		out[i] = k1
		if mean > 0 {
			out[i] = k1 * (1 - b + b*l/mean)
		}
	}
	return out
}

// What the parts of an index take, in bytes, with what the allocator and the map
// add to them.
const (
	passageSize = 6*16 + 8 + 64 // six strings and the damping
	wordSize    = 2 * (16 + 16)
	postingSize = 8
)

func (x *Index) estimate() int {
	n := 512 + len(x.passages)*passageSize + len(x.words)*wordSize + len(x.postings)*postingSize
	for stem := range x.words {
		n += max(8, len(stem))
	}
	for i := range x.passages {
		p := &x.passages[i]
		n += len(p.ID) + len(p.Document) + len(p.Title) + len(p.Heading) + len(p.URL) + len(p.Text)
	}
	return n
}
