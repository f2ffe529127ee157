// Package catalog keeps the companies: each one's files in its own part of the table,
// sealed under its own key, with every version that they have had.
//
// The admin API writes it; chat, the gate and the demo pages read it, by way of
// shared/app. Its one promise: a company that is served is one whole state of its
// files, each of which was checked before it was stored, and whatever was stored once
// can be had back.
package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"switchboard/shared/cache"
	"switchboard/shared/company"
	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// The kinds of the items. What an assistant answers from is one range, so that it is
// read with one query; articles, which are many and large, are another.
const (
	definitions = table.Kind("definition") // by path: the manifest and the assistants; and the stamp
	articles    = table.Kind("article")    // by path
	revisions   = table.Kind("revision")   // Parent: the path; ID: the version
)

// Kinds are those of all items of this package.
func Kinds() []table.Kind { return []table.Kind{definitions, articles, revisions} }

// stamp is the definition whose every write says that articles were written.
const stamp = "knowledge"

// Limits of one company.
const (
	MaxAssistants = 100
	MaxArticles   = 2000
)

// Catalog keeps companies in a table.
type Catalog struct {
	table *table.Table
	held  *cache.Cache[tenant.Scope, company.Entry]
}

// New returns the catalog in t. It holds companies whose files have about most bytes
// together in memory, and the rest is read when it is asked for.
func New(t *table.Table, most int) *Catalog {
	c := &Catalog{table: t}
	c.held = cache.New(cache.Config[tenant.Scope, company.Entry]{
		What: "company", Read: c.read, Weight: weight, Most: most, MostAbsent: 4000,
	})
	return c
}

// weight is about what a company's definitions take in memory, in bytes.
func weight(e company.Entry) int {
	n := 4 << 10
	for _, a := range e.Assistants {
		n += 1<<10 + len(a.Instructions) + len(a.Greeting)
	}
	return n
}

// Company returns the scope's own company, from memory where that will do: a change
// elsewhere shows within [cache.Stale], one of this process at once. A project without
// a manifest is NotFound.
func (c *Catalog) Company(ctx context.Context, sc tenant.Scope) (company.Entry, error) {
	const op = "catalog.Company"
	if err := sc.Check(op); err != nil {
		return company.Entry{}, err
	}
	e, err := c.held.Get(ctx, sc, sc.Project().String())
	if err == nil && e.Version == "" {
		err = problem.New(problem.NotFound, op, "This project has no assistants.")
	}
	return e, err
}

// read reads a company's definitions, with one query.
func (c *Catalog) read(ctx context.Context, sc tenant.Scope, _ string) (company.Entry, bool, error) {
	s, err := c.definitions(ctx, sc)
	if err != nil || s.files[company.Manifest].item.Version == 0 {
		return company.Entry{}, false, err
	}
	files := company.Files{}
	for path, f := range s.files {
		files[path] = f.Text
	}
	co, err := company.Parse(sc.Project(), files)
	if err != nil {
		return company.Entry{}, false, err
	}
	sum := sha256.Sum256([]byte(company.Version(co) + "\n" + s.stamp))
	return company.Entry{Company: co, Version: hex.EncodeToString(sum[:])[:12], Learned: s.stamp}, true, nil
}

// Articles returns all that the company knows.
func (c *Catalog) Articles(ctx context.Context, sc tenant.Scope) ([]company.Article, error) {
	all, err := c.list(ctx, sc, articles)
	if err != nil {
		return nil, err
	}
	files := company.Files{company.Manifest: "name: " + sc.Project().String()}
	for _, f := range all {
		files[f.Path] = f.Text
	}
	co, err := company.Parse(sc.Project(), files)
	return co.Knowledge, err
}
