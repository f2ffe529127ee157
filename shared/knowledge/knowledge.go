// Package knowledge is what a company knows: articles cut into passages that can
// be found and cited.
//
// shared/app imports it to bring a company's folder into the search index. Its
// one promise: a passage's id depends on its place in the document alone, and
// [Sync] touches only documents that changed, so what was cited yesterday is
// still there tomorrow.
package knowledge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"switchboard/shared/company"
	"switchboard/shared/search"
	"switchboard/shared/tenant"
)

// Changes is what a [Sync] did, in documents.
type Changes struct{ Added, Changed, Removed, Unchanged int }

// Sync makes the tenant's index hold these articles and no others.
func Sync(ctx context.Context, sc tenant.Scope, index *search.Index, articles []company.Article) (Changes, error) {
	have, err := index.Versions(ctx, sc)
	if err != nil {
		return Changes{}, err
	}
	var (
		n    Changes
		docs []search.Document
	)
	for _, a := range articles {
		d := Document(a)
		switch old, known := have[d.ID]; {
		case known && old == d.Version:
			n.Unchanged++
		case known:
			n.Changed++
			docs = append(docs, d)
		default:
			n.Added++
			docs = append(docs, d)
		}
		delete(have, d.ID)
	}
	var gone []string
	for id := range have {
		gone = append(gone, id)
	}
	n.Removed = len(gone)
	return n, index.Replace(ctx, sc, docs, gone)
}

// chunking names the way articles are cut; a change of it re-indexes everything.
const chunking = "chunk/1"

// Document cuts an article into passages.
func Document(a company.Article) search.Document {
	sum := sha256.New()
	for _, s := range []string{chunking, a.Title, a.URL, a.Text} {
		sum.Write([]byte(s))
		sum.Write([]byte{0})
	}
	d := search.Document{ID: a.ID, Version: hex.EncodeToString(sum.Sum(nil)[:12])}
	for _, c := range cut(a.Text) {
		d.Passages = append(d.Passages, search.Passage{
			ID: a.ID + "#" + c.anchor, Document: a.ID, Title: a.Title, Heading: c.heading, URL: a.URL, Text: c.text,
		})
	}
	return d
}
