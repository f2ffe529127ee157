package catalog

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"switchboard/shared/company"
	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// File is one version of one of a company's files.
type File struct {
	Path    string
	Text    string
	Version int       // from 1
	Changed time.Time // when it was stored
	By      string    // who stored it: a credential's id, or a work of the platform's own
	Deleted bool      // this version is that the file is gone
	// Synced is the SHA-256 of the text that a folder had here last, in hex; "" = none
	// had. What is changed here since stays until the folder changes.
	Synced string

	item table.Item // that holds it; zero where there is none
}

// head is what of a File stands in the first line of its item, before the text.
type head struct {
	Version int       `json:"version"`
	Changed time.Time `json:"changed"`
	By      string    `json:"by"`
	Deleted bool      `json:"deleted,omitzero"`
	Synced  string    `json:"synced,omitzero"`
}

// body is the file as an item holds it: a text as JSON would take twice its room.
func (f File) body() ([]byte, error) {
	line, err := json.Marshal(head{f.Version, f.Changed, f.By, f.Deleted, f.Synced})
	if err != nil {
		return nil, problem.Wrap(problem.Internal, "catalog.body", err)
	}
	return append(append(line, '\n'), f.Text...), nil
}

// parse reads the file that an item holds.
func parse(path string, it table.Item) (File, error) {
	line, text, found := bytes.Cut(it.Body, []byte("\n"))
	var h head
	err := json.Unmarshal(line, &h)
	if err != nil || !found {
		return File{}, problem.Wrap(problem.Internal, "catalog.parse", fmt.Errorf("%s does not read: %w", it.Key, err))
	}
	return File{path, string(text), h.Version, h.Changed, h.By, h.Deleted, h.Synced, it}, nil
}

// kindOf is where a file's present version is.
func kindOf(path string) table.Kind {
	if company.IsArticle(path) {
		return articles
	}
	return definitions
}

// versionID orders a file's versions.
func versionID(n int) string { return fmt.Sprintf("%08d", n) }

// state is what is stored of a company at a time.
type state struct {
	files map[string]File
	stamp string // names the last write of articles; "" = there was none
}

// definitions reads the manifest, the assistants and the stamp.
func (c *Catalog) definitions(ctx context.Context, sc tenant.Scope) (*state, error) {
	page, err := c.table.List(ctx, sc, table.Query{Kind: definitions, Limit: table.MaxPage})
	if err != nil {
		return nil, err
	}
	s := &state{files: make(map[string]File, len(page.Items))}
	for _, it := range page.Items {
		if it.Key.ID == stamp {
			s.stamp = it.Token
			continue
		}
		if s.files[it.Key.ID], err = parse(it.Key.ID, it); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// list reads all files of a kind.
func (c *Catalog) list(ctx context.Context, sc tenant.Scope, kind table.Kind) (out []File, err error) {
	for cursor := ""; ; {
		page, err := c.table.List(ctx, sc, table.Query{Kind: kind, Limit: table.MaxPage, Cursor: cursor})
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			f, err := parse(it.Key.ID, it)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
		if cursor = page.Cursor; cursor == "" {
			return out, nil
		}
	}
}

// all reads everything that a company has.
func (c *Catalog) all(ctx context.Context, sc tenant.Scope) (*state, error) {
	s, err := c.definitions(ctx, sc)
	if err != nil {
		return nil, err
	}
	known, err := c.list(ctx, sc, articles)
	for _, f := range known {
		s.files[f.Path] = f
	}
	return s, err
}

// Files returns the company's files as they are now, with the articles or without.
func (c *Catalog) Files(ctx context.Context, sc tenant.Scope, withArticles bool) (map[string]File, error) {
	read := c.definitions
	if withArticles {
		read = c.all
	}
	s, err := read(ctx, sc)
	if err != nil {
		return nil, err
	}
	return s.files, nil
}

// File returns a version of a file; 0 is the present one. A file that is not there, or a
// version that it never had, is NotFound.
func (c *Catalog) File(ctx context.Context, sc tenant.Scope, path string, version int) (File, error) {
	if err := company.CheckName(path); err != nil {
		return File{}, unknownFile()
	}
	key := table.Key{Kind: kindOf(path), ID: path}
	if version != 0 {
		key = table.Key{Kind: revisions, Parent: path, ID: versionID(version)}
	}
	it, err := c.table.Get(ctx, sc, key)
	if err != nil {
		return File{}, err
	}
	if it.Version == 0 {
		return File{}, unknownFile()
	}
	return parse(path, it)
}

func unknownFile() error {
	return problem.New(problem.NotFound, "catalog.File", "There is no such assistant or version.")
}

// Versions returns a page of a file's versions, the last one first, and the cursor of
// the next ("" = there is none). A file that never was has none.
func (c *Catalog) Versions(ctx context.Context, sc tenant.Scope, path string, limit int, cursor string) ([]File, string, error) {
	if err := company.CheckName(path); err != nil {
		return nil, "", unknownFile()
	}
	page, err := c.table.List(ctx, sc, table.Query{Kind: revisions, Parent: path, Reverse: true, Limit: limit, Cursor: cursor})
	if err != nil {
		return nil, "", err
	}
	var out []File
	for _, it := range page.Items {
		f, err := parse(path, it)
		if err != nil {
			return nil, "", err
		}
		out = append(out, f)
	}
	return out, page.Cursor, nil
}
