// Package driver is what a search index has to do. Only the packages below
// shared/search can import it. Its one promise: a driver ranks and stores, and
// decides nothing; which words of a question count is decided once, above it.
package driver

import (
	"context"

	"switchboard/shared/tenant"
)

// Passage is a piece of a document, small enough to be cited.
type Passage struct {
	ID       string // stable while the passage's place in its document is
	Document string
	Title    string // of the document
	Heading  string // path of headings in the document, joined by " > "
	URL      string // where a person can read it; may be empty
	Text     string // Markdown
}

// Document is what is indexed and replaced as one.
type Document struct {
	ID       string
	Version  string // changes with the content
	Passages []Passage
}

// Hit is a passage that matches a query.
type Hit struct {
	Passage
	Score float64 // BM25 over title, heading and text; higher is better
}

// Driver keeps one namespace for each tenant, taken from the Scope alone. Every
// method refuses the zero Scope. Methods are safe for concurrent use.
type Driver interface {
	// Replace makes the documents' passages these, and removes every document
	// in gone. It is atomic.
	Replace(ctx context.Context, sc tenant.Scope, docs []Document, gone []string) error
	// Versions returns the version of every document by its id.
	Versions(ctx context.Context, sc tenant.Scope) (map[string]string, error)
	// Query returns up to limit passages that have at least one of the terms,
	// best first, by id where two score alike. Terms are lower-case words, at least one.
	Query(ctx context.Context, sc tenant.Scope, terms []string, limit int) ([]Hit, error)
	// Close releases what the driver holds.
	Close() error
}

// The weights of a passage's fields in BM25.
const (
	TitleWeight   = 2.0
	HeadingWeight = 2.0
	TextWeight    = 1.0
)
