package company

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"switchboard/shared/tenant"
)

// Load reads every company in fsys, one for each top-level folder. Names that
// begin with . or _ and plain files at the top are left alone. The error is the
// tree's own, or joins a *Mistake for each thing that is wrong in any folder, and
// then no company is returned. No company at all is no error.
//
// Links are refused, but only fsys can keep a folder from being swapped for one
// while it is read: give it os.Root.FS, not os.DirFS, for a tree on disk.
func Load(fsys fs.FS) ([]Folder, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("company.Load: %w", err)
	}
	r := &report{}
	var folders []Folder
	for _, e := range entries {
		switch {
		case isSetAside(e.Name()) || e.Type().IsRegular():
		case !e.IsDir():
			r.add(e.Name(), place{}, "is a link or device; expected a folder")
		default:
			folders = append(folders, r.folder(fsys, e.Name()))
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	slices.SortFunc(folders, func(a, b Folder) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return folders, nil
}

// Folder is one company's folder: what it says, and its files as they are.
type Folder struct {
	Company
	Files Files
}

// isSetAside is for drafts, editors' files and the like.
func isSetAside(name string) bool { return name[0] == '.' || name[0] == '_' }

// folder reads one company, all of it even if its name or manifest is wrong.
func (r *report) folder(fsys fs.FS, name string) Folder {
	id, err := tenant.ParseID(name)
	if err != nil {
		r.add(name, place{}, "folder's name is not a project id; expected 3 to 40 of a-z 0-9 -, starting with a letter, with no double hyphen and none at the end")
	}
	files := r.files(fsys, name)
	return Folder{r.company(id, name, files), files}
}

// files reads the texts of a folder that a company is made of.
func (r *report) files(fsys fs.FS, name string) Files {
	files := Files{}
	entries, err := fs.ReadDir(fsys, name)
	if err != nil {
		r.add(name, place{}, "cannot be read: %v", err)
		return files
	}
	r.layout(name, entries)
	for _, e := range entries {
		switch {
		case e.Name() == Manifest && e.Type().IsRegular():
			r.open(fsys, name, Manifest, files)
		case (e.Name() == assistants || e.Name() == knowledge) && e.IsDir():
			r.markdown(fsys, name, e.Name(), files)
		}
	}
	return files
}

// layout reports what of a company's folder would silently not be read. Files
// that are not for this package, such as tools.yaml, are nobody's mistake here.
func (r *report) layout(folder string, entries []fs.DirEntry) {
	parts := []string{Manifest, assistants, knowledge}
	found := false
	for _, e := range entries {
		name, file := e.Name(), path.Join(folder, e.Name())
		found = found || name == Manifest
		near, _ := nearest(name, parts)
		switch {
		case slices.Contains(parts, name):
			r.kind(file, e, name != Manifest)
		case isSetAside(name):
		case near == Manifest || near != "" && e.IsDir():
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

// markdown reads each file of a folder's part. A file that is not Markdown is a
// mistake: its author believes that it is known.
func (r *report) markdown(fsys fs.FS, folder, part string, files Files) {
	entries, err := fs.ReadDir(fsys, path.Join(folder, part))
	if err != nil {
		r.add(path.Join(folder, part), place{}, "cannot be read: %v", err)
	}
	for _, e := range entries {
		name := path.Join(part, e.Name())
		switch {
		case isSetAside(e.Name()):
		case !e.Type().IsRegular() || !strings.HasSuffix(name, markdownExt):
			r.add(path.Join(folder, name), place{}, "is not read; expected only plain files that end in .md")
		default:
			r.open(fsys, folder, name, files)
		}
	}
}

// open reads a file into files.
func (r *report) open(fsys fs.FS, folder, name string, files Files) {
	file := path.Join(folder, name)
	f, err := fsys.Open(file)
	if err != nil {
		r.add(file, place{}, "cannot be read: %v", err)
		return
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		r.add(file, place{}, "cannot be read: %v", err)
		return
	}
	files[name] = string(data)
}
