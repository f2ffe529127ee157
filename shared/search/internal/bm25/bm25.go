// Package bm25 ranks passages in memory: BM25 over their titles, headings and
// texts, by an inverted index, so that a query looks only at passages that have
// one of its words.
//
// memsearch and sqlitesearch import it, and so rank alike. Its one promise: an
// [Index] never changes after it was made, so queries share it without a lock and
// each sees one state of the passages, whole.
package bm25

import (
	"cmp"
	"math"

	"switchboard/shared/search"
	"switchboard/shared/search/internal/driver"
)

// BM25's usual parameters; those of SQLite's FTS5 too.
const (
	k1 = 1.2
	b  = 0.75
)

// Index is passages ready to be ranked.
type Index struct {
	passages []driver.Passage // by id: of two that score alike the first comes first
	damping  []float64        // of each passage: more than k1 for a long one
	words    map[string]word  // by stem
	postings []posting        // of one word after another
	size     int
}

// word is what the index knows of a stem. Its postings are from:to.
type word struct {
	from, to uint32
	idf      float64
}

// posting says that a passage has the word.
type posting struct {
	passage uint32
	freq    float32 // weighted occurrences
}

// Size is an estimate of the memory it takes, in bytes.
func (x *Index) Size() int { return x.size }

// list is what is left to be looked at of a word's postings.
type list struct {
	passage uint32 // of the first posting; none if there is none
	freq    float32
	rest    []posting
	idf     float64
}

const none = math.MaxUint32

// step goes to the next posting.
func (l *list) step() {
	if len(l.rest) == 0 {
		l.passage = none
		return
	}
	l.passage, l.freq, l.rest = l.rest[0].passage, l.rest[0].freq, l.rest[1:]
}

// Query returns up to limit passages that have at least one of the terms, best
// first, by id where two score alike.
func (x *Index) Query(terms []string, limit int) []driver.Hit {
	var few [16]list // on the stack: a question has no more terms
	lists := few[:0]
	for _, t := range terms {
		if w, ok := x.words[search.Stem(t)]; ok {
			l := list{rest: x.postings[w.from:w.to], idf: w.idf}
			l.step()
			lists = append(lists, l)
		}
	}
	var room [search.MaxHits]ranked // on the stack too
	best := room[:0]
	for {
		r := x.next(lists)
		if r.passage == none {
			break
		}
		best = keep(best, r, limit)
	}
	if len(best) == 0 {
		return nil
	}
	hits := make([]driver.Hit, len(best))
	for i, r := range best {
		hits[i] = driver.Hit{Passage: x.passages[r.passage], Score: r.score}
	}
	return hits
}

// next scores the first passage of all lists and takes it off them. All lists are
// in the order of passages, so no scores have to be kept beside them.
func (x *Index) next(lists []list) ranked {
	r := ranked{passage: none}
	for i := range lists {
		r.passage = min(r.passage, lists[i].passage)
	}
	if r.passage == none {
		return r
	}
	damping := x.damping[r.passage]
	for i := range lists {
		if l := &lists[i]; l.passage == r.passage {
			f := float64(l.freq)
			r.score += l.idf * f * (k1 + 1) / (f + damping)
			l.step()
		}
	}
	return r
}

type ranked struct {
	passage uint32
	score   float64
}

// keep puts r into its place among the best, of which there are at most limit.
// Passages come in the order of their ids, so of equals the one here first stays
// first.
func keep(best []ranked, r ranked, limit int) []ranked {
	if len(best) < limit {
		best = append(best, r)
	} else if limit <= 0 || r.score <= best[limit-1].score {
		return best
	}
	i := len(best) - 1
	for ; i > 0 && best[i-1].score < r.score; i-- {
		best[i] = best[i-1]
	}
	best[i] = r
	return best
}

// byID orders passages. Ids are unique within a tenant; where they are not, the
// documents' ids decide.
func byID(a, b driver.Passage) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Document, b.Document))
}
