// Package extractmodel answers without a language model: it quotes the best
// passages of the company's own knowledge, says that it does so, and cites them.
//
// Only shared/app imports it; it is what an assistant uses when no provider's key
// is set. Its one promise: every sentence of substance is a quotation of a source
// in the request, and where the sources do not answer it says that plainly.
package extractmodel

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"switchboard/shared/model"
	"switchboard/shared/search"
	"switchboard/shared/tenant"
)

// New returns the model.
func New() model.Model { return extract{} }

type extract struct{}

const (
	found    = "Here is what our own information says:"
	notFound = "I could not find that in the information I have been given, so I would rather not guess. Try asking it in other words, or contact us directly."
	empty    = "Hello! Ask me a question, and I will answer from our own information."
)

// Stream implements [model.Model]. It counts no tokens: nobody was paid.
func (extract) Stream(ctx context.Context, sc tenant.Scope, req model.Request) iter.Seq2[model.Part, error] {
	return func(yield func(model.Part, error) bool) {
		if err := sc.Check("extractmodel.Stream"); err != nil {
			yield(model.Part{}, err)
			return
		}
		for _, text := range answer(question(req), req.Sources) {
			if err := ctx.Err(); err != nil {
				yield(model.Part{}, err)
				return
			}
			if !yield(model.Part{Text: text}, nil) {
				return
			}
		}
		if yield(model.Part{Usage: &model.Usage{}}, nil) {
			yield(model.Part{Stop: model.StopEnd}, nil)
		}
	}
}

// question is the text of the last message of the user.
func question(req model.Request) string {
	for i := len(req.Messages) - 1; i >= 0; i-- {
		if req.Messages[i].Role == model.User {
			return req.Messages[i].Text
		}
	}
	return ""
}

// answer returns the pieces of an answer, in order.
func answer(question string, sources []model.Source) []string {
	terms := search.Terms(question)
	if len(terms) == 0 {
		return []string{empty}
	}
	picked := pick(terms, sources)
	if len(picked) == 0 {
		return []string{notFound}
	}
	out := []string{found}
	for _, s := range picked {
		title := s.Title
		if s.Heading != "" {
			title += " > " + s.Heading
		}
		out = append(out, fmt.Sprintf("\n\n**%s** [%d]\n\n", title, s.Number))
		out = append(out, excerpt(terms, s.Text))
	}
	return out
}

const (
	// maxPicked is how many passages an answer quotes at most.
	maxPicked = 2
	// enough is the share of the question's words that a passage must have to
	// count as an answer, and closeToBest the share of the best one's merit that
	// the second must have to be quoted too.
	enough      = 0.5
	closeToBest = 0.7
)

// pick chooses the sources that answer, best first. Merit is the search's score
// times the share of the question's words that occur: a passage that has one rare
// word of the question ranks high in search and answers nothing.
func pick(terms []string, sources []model.Source) []model.Source {
	type candidate struct {
		model.Source
		merit float64
	}
	var all []candidate
	for _, s := range sources {
		if c := coverage(terms, s.Title+" "+s.Heading+" "+s.Text); c >= enough {
			all = append(all, candidate{s, c * s.Score})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.merit, a.merit) })
	var out []model.Source
	for _, c := range all[:min(maxPicked, len(all))] {
		if c.merit >= closeToBest*all[0].merit {
			out = append(out, c.Source)
		}
	}
	return out
}

// coverage is the share of the terms that occur in the text, by stem.
func coverage(terms []string, text string) float64 {
	have := stems(text)
	n := 0
	for _, t := range terms {
		if have[search.Stem(t)] {
			n++
		}
	}
	return float64(n) / float64(len(terms))
}

func stems(text string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range search.Words(text) {
		m[search.Stem(w)] = true
	}
	return m
}

// maxExcerpt is how long a passage may be, in bytes, to be quoted whole.
const maxExcerpt = 900

// excerpt quotes a passage: whole if it is short, else its first block and the
// blocks that have most of the question's words, in their order.
func excerpt(terms []string, text string) string {
	text = strings.TrimSpace(text)
	if len(text) <= maxExcerpt {
		return text
	}
	blocks := strings.Split(text, "\n\n")
	keep, size := make([]bool, len(blocks)), 0
	for size < maxExcerpt {
		best, score := -1, 0.0
		for i, b := range blocks {
			if c := coverage(terms, b); !keep[i] && (best < 0 || c > score) {
				best, score = i, c
			}
		}
		if best < 0 || (size > 0 && (score == 0 || size+len(blocks[best]) > maxExcerpt)) {
			break
		}
		keep[best] = true
		size += len(blocks[best])
	}
	var out []string
	for i, b := range blocks {
		if keep[i] {
			out = append(out, b)
		}
	}
	return strings.Join(out, "\n\n")
}
