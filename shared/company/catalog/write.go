package catalog

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"switchboard/shared/company"
	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// Edit makes the text of a file from what it is now, "" where there is none.
type Edit func(old string) (string, error)

// Mode says what has to be there.
type Mode int

// The modes of a Put.
const (
	Update Mode = iota // the file; else NotFound
	Create             // none; a Conflict if there is another
	Upsert             // whatever is
)

// Put stores what edit makes of a file as its next version, and returns it. What is the
// same already is not stored again. A mistake in it is Invalid.
func (c *Catalog) Put(ctx context.Context, sc tenant.Scope, path string, mode Mode, edit Edit) (File, error) {
	const op = "catalog.Put"
	if err := company.CheckName(path); err != nil && mode != Update {
		return File{}, refused(err, false)
	}
	return c.change(ctx, sc, path, func(old File) (File, bool, error) {
		there := old.item.Version > 0
		if mode == Update && !there {
			return File{}, false, unknownFile()
		}
		before := old.Text
		if !there { // what was deleted is no beginning
			before = ""
		}
		text, err := edit(before)
		if err == nil {
			err = refused(company.Check(path, text), false)
		}
		// A retry finds what the first has done; what is made need not be spelled the same.
		if err != nil || there && (text == old.Text || mode == Create && same(path, text, old.Text)) {
			return old, false, err
		}
		if mode == Create && there {
			return File{}, false, problem.New(problem.Conflict, op, "There is one of this name already, and it is another.")
		}
		return File{Path: path, Text: text, Synced: old.Synced}, true, nil
	})
}

// same reports whether two texts of a file say the same.
func same(path, a, b string) bool {
	x, errX := company.JSON(path, a)
	y, errY := company.JSON(path, b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// Delete removes a file; its versions stay. One that is not there is NotFound; the
// manifest cannot go.
func (c *Catalog) Delete(ctx context.Context, sc tenant.Scope, path string) (File, error) {
	if path == company.Manifest {
		return File{}, problem.New(problem.Internal, "catalog.Delete", "a company without a manifest")
	}
	return c.change(ctx, sc, path, func(old File) (File, bool, error) {
		if old.item.Version == 0 {
			if old.Deleted { // a retry finds what the first has done
				return old, false, nil
			}
			return File{}, false, unknownFile()
		}
		return File{Path: path, Deleted: true, Synced: old.Synced}, true, nil
	})
}

// Rollback stores the text of an earlier version as the file's next one, also of a file
// that is gone.
func (c *Catalog) Rollback(ctx context.Context, sc tenant.Scope, path string, version int) (File, error) {
	then, err := c.File(ctx, sc, path, max(version, 0))
	if err != nil {
		return File{}, err
	}
	if version <= 0 || then.Deleted {
		return File{}, problem.Bad("catalog.Rollback", "version", `field "version" is the number of a version that has a text`)
	}
	return c.change(ctx, sc, path, func(old File) (File, bool, error) {
		if old.item.Version > 0 && old.Text == then.Text {
			return old, false, nil
		}
		// What was right once may not be any more.
		return File{Path: path, Text: then.Text, Synced: old.Synced}, true, refused(company.Check(path, then.Text), false)
	})
}

// change writes one file, and looks again where somebody else changed it meanwhile.
func (c *Catalog) change(ctx context.Context, sc tenant.Scope, path string, edit func(old File) (next File, write bool, err error)) (File, error) {
	if company.CheckName(path) != nil {
		return File{}, unknownFile() // nobody's, whatever it looks like
	}
	// Also where there is nothing to write: another process may have written it, and what
	// is done next is to see that.
	defer c.held.Forget(sc.Project().String())
	for {
		s, err := c.definitions(ctx, sc)
		if err != nil {
			return File{}, err
		}
		old, err := c.current(ctx, sc, s, path)
		if err != nil {
			return File{}, err
		}
		next, write, err := edit(old)
		if err != nil || !write {
			return next, err
		}
		next, err = c.store(ctx, sc, s, old, next)
		if _, raced := errors.AsType[*table.Conflict](err); !raced || ctx.Err() != nil {
			return next, err
		}
	}
}

// current returns the file as it is; of one that is gone its last version, without an item.
func (c *Catalog) current(ctx context.Context, sc tenant.Scope, s *state, path string) (File, error) {
	if f, ok := s.files[path]; ok {
		return f, nil
	}
	if kindOf(path) == articles {
		it, err := c.table.Get(ctx, sc, table.Key{Kind: articles, ID: path})
		if err != nil {
			return File{}, err
		}
		if it.Version > 0 {
			return parse(path, it)
		}
	}
	last, _, err := c.Versions(ctx, sc, path, 1, "")
	if err != nil || len(last) == 0 {
		return File{Path: path}, err
	}
	last[0].item = table.Item{}
	return last[0], nil
}

// store writes the next version of one file.
func (c *Catalog) store(ctx context.Context, sc tenant.Scope, s *state, old, next File) (File, error) {
	if old.item.Version == 0 && !next.Deleted {
		if err := s.room(map[string]bool{next.Path: true}, nil); err != nil {
			return File{}, err
		}
	}
	next, ops, err := revise(sc, old, next)
	if err != nil {
		return File{}, err
	}
	if kindOf(next.Path) == articles {
		ops = append(ops, stampOp())
	}
	return next, c.table.Write(ctx, sc, ops...)
}

// stampOp says that articles were written.
func stampOp() table.Op { return table.Put(table.Key{Kind: definitions, ID: stamp}, []byte("{}")) }

// revise returns the next version, complete, and what stores it.
func revise(sc tenant.Scope, old, next File) (File, []table.Op, error) {
	next.Version, next.Changed, next.By = old.Version+1, time.Now().UTC().Truncate(time.Millisecond), sc.Actor()
	body, err := next.body()
	if err != nil {
		return File{}, nil, err
	}
	ops := []table.Op{table.Create(table.Key{Kind: revisions, Parent: next.Path, ID: versionID(next.Version)}, body)}
	switch there := old.item.Version > 0; {
	case next.Deleted:
		ops = append(ops, table.Delete(old.item))
	case there:
		ops = append(ops, table.Replace(old.item, body))
	default:
		ops = append(ops, table.Create(table.Key{Kind: kindOf(next.Path), ID: next.Path}, body))
	}
	return next, ops, nil
}

// room refuses a change by which a company would have more files than it can. One that
// has too many already, because two who made one did so at once, can change the rest.
func (s *state) room(added, removed map[string]bool) error {
	after := maps.Clone(added)
	for path := range s.files {
		if !removed[path] {
			after[path] = true
		}
	}
	before := map[string]bool{}
	for path := range s.files {
		before[path] = true
	}
	for _, l := range []struct {
		what string
		most int
		is   func(string) bool
	}{
		{"assistants", MaxAssistants, func(path string) bool { _, ok := company.AssistantOf(path); return ok }},
		{"articles", MaxArticles, company.IsArticle},
	} {
		if n := countOf(after, l.is); n > l.most && n > countOf(before, l.is) {
			return problem.New(problem.Conflict, "catalog.room", "A company has at most %d %s.", l.most, l.what)
		}
	}
	return nil
}

func countOf(paths map[string]bool, is func(string) bool) (n int) {
	for path := range paths {
		if is(path) {
			n++
		}
	}
	return n
}

// refused is what company.Check found as a problem; nil for nil. The places of the
// mistakes are for somebody who has the files before them.
func refused(err error, places bool) error {
	const op, most = "catalog.refused", 10
	if err == nil {
		return nil
	}
	var all []*company.Mistake
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if m, ok := errors.AsType[*company.Mistake](e); ok {
				all = append(all, m)
			}
		}
	}
	if len(all) == 0 {
		return err
	}
	var lines []string
	for _, m := range all[:min(len(all), most)] {
		line := m.Message
		if places || m.Line == 0 {
			line = m.Error()
		}
		lines = append(lines, line)
	}
	if len(all) > most {
		lines = append(lines, "and more")
	}
	field := all[0].Field()
	if i := slices.IndexFunc(all, func(m *company.Mistake) bool { return m.Field() != "" }); field == "" && i >= 0 {
		field = all[i].Field()
	}
	if field == "" {
		field = "body"
	}
	return problem.Bad(op, field, "%s", strings.Join(lines, "\n"))
}
