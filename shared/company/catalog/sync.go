package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"

	"switchboard/shared/company"
	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// Folder is a company's folder as it is brought here.
type Folder struct {
	Hashes map[string]string // of every file in it, by path, as [Hash] makes them
	Files  company.Files     // the texts of those that are to be stored; the rest may be left out
	// Force stores the folder's text also where the file was changed here since the
	// folder last was.
	Force bool
}

// Hash is a text's SHA-256, in hex.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// FolderOf is a folder with all of its texts.
func FolderOf(files company.Files) Folder {
	f := Folder{Hashes: make(map[string]string, len(files)), Files: files}
	for path, text := range files {
		f.Hashes[path] = Hash(text)
	}
	return f
}

// Change is what becomes, or became, of one file.
type Change struct {
	Path string `json:"path"`
	What What   `json:"change"`
	// Wanted says that the file is to be stored and its text was not given. Until nothing
	// is wanted nothing is removed: a file may have been given another name.
	Wanted bool `json:"wanted,omitzero"`
}

// What becomes of a file.
type What string

// What becomes of the files of a folder. One that the folder left as it was is not told
// of, unless it was changed here since.
const (
	Added   What = "added"
	Changed What = "changed"
	Removed What = "removed"
	Kept    What = "kept" // it was changed here; the folder's did not change since it was brought last
)

// Sync brings a folder here, or with dry says what that would do. A file that the folder
// has changed since it was last here is stored, over whatever was changed here meanwhile:
// that stays among its versions. One that it no longer has is removed if it came from
// it. Nothing is stored if any text has a mistake, which is Invalid. What fails half-way
// is done by the next Sync: each write is whole, the definitions before the articles.
func (c *Catalog) Sync(ctx context.Context, sc tenant.Scope, f Folder, dry bool) ([]Change, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	for {
		s, err := c.all(ctx, sc)
		if err != nil {
			return nil, err
		}
		p, err := c.plan(ctx, sc, s, f)
		if err != nil || dry {
			return p.changes, err
		}
		if slices.ContainsFunc(p.changes, func(c Change) bool { return c.Wanted }) {
			p.changes = slices.DeleteFunc(p.changes, func(c Change) bool { return c.What == Removed })
			p.steps = slices.DeleteFunc(p.steps, func(s step) bool { return s.next.Deleted })
		}
		err = c.apply(ctx, sc, s, p.steps)
		if _, raced := errors.AsType[*table.Conflict](err); !raced || ctx.Err() != nil {
			return p.changes, err
		}
	}
}

// check refuses a folder with a mistake in it.
func (f Folder) check() error {
	const op = "catalog.check"
	var mistakes []error
	for path, text := range f.Files {
		if f.Hashes[path] != Hash(text) {
			return problem.Bad(op, "hashes", "the hash of %q is not that of its text", path)
		}
		if err := company.Check(path, text); err != nil {
			mistakes = append(mistakes, unwrapped(err)...)
		}
	}
	for path, hash := range f.Hashes {
		if _, ok := f.Files[path]; ok {
			continue
		}
		if raw, err := hex.DecodeString(hash); err != nil || len(raw) != sha256.Size || hex.EncodeToString(raw) != hash {
			return problem.Bad(op, "hashes", "the hash of %q is no SHA-256 in hex", path)
		}
		if err := company.CheckName(path); err != nil {
			mistakes = append(mistakes, unwrapped(err)...)
		}
	}
	if _, ok := f.Hashes[company.Manifest]; !ok {
		mistakes = append(mistakes, &company.Mistake{File: company.Manifest, Message: "is missing"})
	}
	slices.SortFunc(mistakes, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return refused(errors.Join(mistakes...), true)
}

func unwrapped(err error) []error { return err.(interface{ Unwrap() []error }).Unwrap() }

// plan is what a folder makes of a state.
type plan struct {
	changes []Change
	steps   []step
}

// step is one file to be written. Without a new text it only notes what the folder has.
type step struct{ old, next File }

func (c *Catalog) plan(ctx context.Context, sc tenant.Scope, s *state, f Folder) (p plan, err error) {
	added := map[string]bool{}
	_, began := s.files[company.Manifest] // no company is without one, and none has a past before it
	for _, path := range slices.Sorted(maps.Keys(f.Hashes)) {
		hash := f.Hashes[path]
		old := File{Path: path}
		if began {
			if old, err = c.current(ctx, sc, s, path); err != nil {
				return p, err
			}
		}
		there := old.item.Version > 0
		same := there && Hash(old.Text) == hash
		text, given := f.Files[path]
		switch next := (File{Path: path, Text: text, Synced: hash}); {
		case same && old.Synced == hash:
		case same:
			next.Text = old.Text
			p.steps = append(p.steps, step{old, next})
		case old.Synced == hash && !f.Force:
			p.changes = append(p.changes, Change{Path: path, What: Kept})
		default:
			what := Changed
			if !there {
				what, added[path] = Added, true
			}
			p.changes = append(p.changes, Change{path, what, !given})
			if given {
				p.steps = append(p.steps, step{old, next})
			}
		}
	}
	removed := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(s.files)) {
		if _, has := f.Hashes[path]; !has && s.files[path].Synced != "" {
			removed[path] = true
			p.changes = append(p.changes, Change{Path: path, What: Removed})
			p.steps = append(p.steps, step{s.files[path], File{Path: path, Deleted: true}})
		}
	}
	return p, s.room(added, removed)
}

// ops is what stores the step.
func (st step) ops(sc tenant.Scope) ([]table.Op, error) {
	if !st.next.Deleted && st.old.item.Version > 0 && st.next.Text == st.old.Text {
		noted := st.old
		noted.Synced = st.next.Synced
		body, err := noted.body()
		return []table.Op{table.Replace(st.old.item, body)}, err
	}
	_, ops, err := revise(sc, st.old, st.next)
	return ops, err
}

// apply writes the steps, as many together as one write takes.
func (c *Catalog) apply(ctx context.Context, sc tenant.Scope, s *state, steps []step) error {
	defer c.held.Forget(sc.Project().String())
	slices.SortStableFunc(steps, func(a, b step) int {
		return strings.Compare(string(kindOf(b.next.Path)), string(kindOf(a.next.Path))) // definitions first
	})
	var batch []table.Op
	size, stamped := 0, false
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := c.table.Write(ctx, sc, batch...)
		batch, size, stamped = nil, 0, false
		return err
	}
	for _, st := range steps {
		ops, err := st.ops(sc)
		if err != nil {
			return err
		}
		bytes := 2 * (len(st.next.Text) + 512)
		if len(batch)+len(ops)+1 > table.MaxOps || size+bytes > table.MaxWrite {
			if err := flush(); err != nil {
				return err
			}
		}
		if company.IsArticle(st.next.Path) && !stamped {
			batch, stamped = append(batch, stampOp()), true
		}
		batch, size = append(batch, ops...), size+bytes
	}
	return flush()
}
