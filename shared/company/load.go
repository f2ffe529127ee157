package company

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"switchboard/shared/tenant"
)

const manifestName = "company.yaml"

// Load reads every company in fsys, one for each top-level folder. Names that
// begin with . or _ and plain files at the top are left alone. The error is the
// tree's own, or joins a *Mistake for each thing that is wrong in any folder, and
// then no company is returned. No company at all is no error.
//
// Links are refused, but only fsys can keep a folder from being swapped for one
// while it is read: give it os.Root.FS, not os.DirFS, for a tree on disk.
func Load(fsys fs.FS) ([]Company, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("company.Load: %w", err)
	}
	r := &report{}
	var companies []Company
	for _, e := range entries {
		switch {
		case isSetAside(e.Name()) || e.Type().IsRegular():
		case !e.IsDir():
			r.add(e.Name(), place{}, "is a link or device; expected a folder")
		default:
			companies = append(companies, r.folder(fsys, e.Name()))
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	slices.SortFunc(companies, func(a, b Company) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return companies, nil
}

// IDs returns the ids of the companies in fsys without reading them: those of the
// folders that [Load] reads. A folder whose name is no id is nobody's company here.
func IDs(fsys fs.FS) ([]tenant.ID, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("company.IDs: %w", err)
	}
	var ids []tenant.ID
	for _, e := range entries {
		if id, err := tenant.ParseID(e.Name()); err == nil && e.IsDir() {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// isSetAside is for drafts, editors' files and the like.
func isSetAside(name string) bool { return name[0] == '.' || name[0] == '_' }

// folder reads one company, all of it even if its name or manifest is wrong.
func (r *report) folder(fsys fs.FS, name string) Company {
	c := defaults()
	id, err := tenant.ParseID(name)
	if err != nil {
		r.add(name, place{}, "folder's name is not a project id; expected 3 to 40 of a-z 0-9 -, starting with a letter, with no double hyphen and none at the end")
	}
	c.ID = id
	entries, err := fs.ReadDir(fsys, name)
	if err != nil {
		r.add(name, place{}, "cannot be read: %v", err)
		return c
	}
	r.layout(name, entries)
	for _, e := range entries {
		switch {
		case e.Name() == manifestName && e.Type().IsRegular():
			if s, ok := r.open(fsys, path.Join(name, manifestName), maxManifest); ok {
				s.manifest(&c)
			}
		case e.Name() == "assistants" && e.IsDir():
			c.Assistants = r.assistants(fsys, path.Join(name, e.Name()))
		case e.Name() == "knowledge" && e.IsDir():
			c.Knowledge = r.knowledge(fsys, path.Join(name, e.Name()))
		}
	}
	return c
}

// layout reports what of a company's folder would silently not be read. Files
// that are not for this package, such as tools.yaml, are nobody's mistake here.
func (r *report) layout(folder string, entries []fs.DirEntry) {
	parts := []string{manifestName, "assistants", "knowledge"}
	found := false
	for _, e := range entries {
		name, file := e.Name(), path.Join(folder, e.Name())
		found = found || name == manifestName
		near, _ := nearest(name, parts)
		switch {
		case slices.Contains(parts, name):
			r.kind(file, e, name != manifestName)
		case isSetAside(name):
		case near == manifestName || near != "" && e.IsDir():
			r.add(file, place{}, "is not read; did you mean %q?", near)
		}
	}
	if !found {
		r.add(folder, place{}, "no company.yaml in this folder; expected one, or a name that begins with . or _")
	}
}

func (r *report) kind(file string, e fs.DirEntry, folder bool) {
	switch {
	case folder && !e.IsDir():
		r.add(file, place{}, "is not a folder; expected a folder of .md files")
	case !folder && !e.Type().IsRegular():
		r.add(file, place{}, "is not a plain file; expected one")
	}
}

func (r *report) assistants(fsys fs.FS, dir string) []Assistant {
	list := markdown(r, fsys, dir, maxAssistant, anAssistantID, (*source).assistant)
	slices.SortFunc(list, func(a, b Assistant) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (r *report) knowledge(fsys fs.FS, dir string) []Article {
	list := markdown(r, fsys, dir, maxArticle, anArticleID, (*source).article)
	slices.SortFunc(list, func(a, b Article) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// markdown reads each file of dir. A file that is not Markdown is a mistake: its
// author believes that it is known.
func markdown[T any](r *report, fsys fs.FS, dir string, limit int, id rule, read func(*source, string) T) []T {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		r.add(dir, place{}, "cannot be read: %v", err)
	}
	var list []T
	for _, e := range entries {
		file := path.Join(dir, e.Name())
		name, isMarkdown := strings.CutSuffix(e.Name(), ".md")
		if isSetAside(e.Name()) {
			continue
		}
		if !e.Type().IsRegular() || !isMarkdown {
			r.add(file, place{}, "is not read; expected only plain files that end in .md")
			continue
		}
		if complaint := id(name); complaint != "" {
			r.add(file, place{}, "file's name without .md %s", complaint)
		}
		if s, ok := r.open(fsys, file, limit); ok {
			list = append(list, read(s, name))
		}
	}
	return list
}
