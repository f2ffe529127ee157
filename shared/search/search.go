// Package search finds passages of one tenant's knowledge: text in, passages out.
//
// shared/knowledge fills an [Index] and shared/chat asks it; only shared/app
// imports a driver (sqlitesearch, memsearch). Its one promise: a passage found is
// the asker's own, because the namespace comes from the Scope and there is no
// query without one.
package search

import (
	"context"
	"errors"

	"switchboard/shared/problem"
	"switchboard/shared/search/internal/driver"
	"switchboard/shared/tenant"
)

type (
	// Passage is a piece of a document, small enough to be cited.
	Passage = driver.Passage
	// Document is what is indexed and replaced as one.
	Document = driver.Document
	// Hit is a passage that matches, with its score.
	Hit = driver.Hit
)

// Limits of an index.
const (
	MaxHits  = 50
	maxTerms = 16 // words of a question that are searched for; the longest ones
)

// Index is the knowledge of many tenants, each in its own namespace.
type Index struct{ d driver.Driver }

// New returns an Index over a driver.
func New(d driver.Driver) *Index { return &Index{d} }

// Replace makes the documents' passages these and removes the documents in gone,
// all or nothing. After it returns the old passages cannot be found.
func (x *Index) Replace(ctx context.Context, sc tenant.Scope, docs []Document, gone []string) error {
	const op = "search.Replace"
	if err := sc.Check(op); err != nil {
		return err
	}
	if len(docs) == 0 && len(gone) == 0 {
		return nil
	}
	return classify(op, x.d.Replace(ctx, sc, docs, gone))
}

// Versions returns the version of every indexed document by its id.
func (x *Index) Versions(ctx context.Context, sc tenant.Scope) (map[string]string, error) {
	const op = "search.Versions"
	if err := sc.Check(op); err != nil {
		return nil, err
	}
	v, err := x.d.Versions(ctx, sc)
	return v, classify(op, err)
}

// Query returns up to limit passages that match the text, best first. Text
// without a word that says anything ("what is it?") matches nothing.
func (x *Index) Query(ctx context.Context, sc tenant.Scope, text string, limit int) ([]Hit, error) {
	const op = "search.Query"
	if err := sc.Check(op); err != nil {
		return nil, err
	}
	terms := Terms(text)
	if len(terms) == 0 || limit <= 0 {
		return nil, nil
	}
	hits, err := x.d.Query(ctx, sc, terms, min(limit, MaxHits))
	return hits, classify(op, err)
}

// Close releases what the driver holds.
func (x *Index) Close() error { return x.d.Close() }

func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*problem.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return problem.Wrap(problem.Unavailable, op, err)
}

// Decorate returns x over the driver that wrap makes of its own. The parameter's
// type can be named by the packages below this one alone: it is for searchtest.
func Decorate(x *Index, wrap func(driver.Driver) driver.Driver) *Index { return &Index{wrap(x.d)} }
