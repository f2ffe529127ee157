package sqlitesearch

import (
	"context"
	"strings"

	"switchboard/shared/search/internal/bm25"
	"switchboard/shared/search/internal/driver"
	"switchboard/shared/tenant"
)

// Query takes no lock for a tenant that is held in memory.
func (s *store) Query(ctx context.Context, sc tenant.Scope, terms []string, limit int) (hits []driver.Hit, err error) {
	const op = "sqlitesearch.Query"
	if err := sc.Check(op); err != nil {
		return nil, err
	}
	if x := s.held.get(sc.Project()); x != nil {
		return x.Query(terms, limit), ctx.Err()
	}
	err = s.with(ctx, sc, op, func(f *file) error {
		x, err := s.index(f, sc.Project())
		switch {
		case err != nil:
			return err
		case x != nil:
			hits = x.Query(terms, limit)
			return nil
		}
		hits, err = f.search(terms, limit)
		return err
	})
	return hits, err
}

// index returns the project's passages to be ranked in memory, or nil if they are
// too many. f is the project's file, and locked.
func (s *store) index(f *file, id tenant.ID) (*bm25.Index, error) {
	if x := s.held.get(id); x != nil || f.large { // somebody read it meanwhile
		return x, nil
	}
	passages, ok, err := f.passages(s.small)
	if err != nil {
		return nil, err
	}
	if !ok {
		f.large = true
		return nil, nil
	}
	x := bm25.New(passages)
	if f.large = !s.held.put(id, x); f.large {
		return nil, nil
	}
	return x, nil
}

// forget is called when a file's content may have changed, with the file locked.
func (s *store) forget(f *file, id tenant.ID) {
	f.large = false
	s.held.drop(id)
}

// passages reads all passages, unless they are more than the bound.
func (f *file) passages(bound Options) (all []driver.Passage, ok bool, err error) {
	st, _, err := f.conn.Prepare(`SELECT id, document, title, heading, url, text FROM passage`)
	if err != nil {
		return nil, false, err
	}
	defer st.Close()
	size := 0
	for st.Step() {
		p := driver.Passage{
			ID: st.ColumnText(0), Document: st.ColumnText(1), Title: st.ColumnText(2),
			Heading: st.ColumnText(3), URL: st.ColumnText(4), Text: st.ColumnText(5),
		}
		size += len(p.ID) + len(p.Document) + len(p.Title) + len(p.Heading) + len(p.URL) + len(p.Text)
		if len(all) == bound.Passages || size > bound.Text {
			return nil, false, nil
		}
		if n := len(all); n > 0 {
			last := &all[n-1]
			p.Document, p.Title, p.URL = once(last.Document, p.Document), once(last.Title, p.Title), once(last.URL, p.URL)
		}
		all = append(all, p)
	}
	return all, true, st.Err()
}

// once returns the older of two strings if they are equal, so that one copy is
// kept: passages of a document have a title and an address in common.
func once(old, new string) string {
	if old == new {
		return old
	}
	return new
}

// search ranks by FTS5.
func (f *file) search(terms []string, limit int) (hits []driver.Hit, err error) {
	st := f.query
	defer st.Reset()
	if err := st.BindText(1, expression(terms)); err != nil {
		return nil, err
	}
	if err := st.BindInt(2, limit); err != nil {
		return nil, err
	}
	for st.Step() {
		hits = append(hits, driver.Hit{Passage: driver.Passage{
			ID: st.ColumnText(0), Document: st.ColumnText(1), Title: st.ColumnText(2),
			Heading: st.ColumnText(3), URL: st.ColumnText(4), Text: st.ColumnText(5),
		}, Score: st.ColumnFloat(6)})
	}
	return hits, st.Err()
}

// expression is an FTS5 query for any of the terms. Each is a quoted string, in
// which nothing is an operator.
func expression(terms []string) string {
	var b strings.Builder
	for i, t := range terms {
		if i > 0 {
			b.WriteString(" OR ")
		}
		b.WriteString(`"` + strings.ReplaceAll(t, `"`, `""`) + `"`)
	}
	return b.String()
}
