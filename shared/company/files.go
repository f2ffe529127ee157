package company

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"switchboard/shared/tenant"
)

// Files are a company's texts by their path in its folder, of which there are three
// kinds: [Manifest], "assistants/NAME.md" and "knowledge/NAME.md".
type Files map[string]string

// Manifest is the file that says who a company is.
const Manifest = "company.yaml"

// The parts of a folder.
const (
	assistants  = "assistants"
	knowledge   = "knowledge"
	markdownExt = ".md"
)

// AssistantFile is the path of an assistant's file.
func AssistantFile(id string) string { return assistants + "/" + id + markdownExt }

// AssistantOf returns the id of the assistant whose file has the path.
func AssistantOf(file string) (id string, ok bool) { return cutName(file, assistants) }

// IsArticle reports whether the path is that of an article, well named or not.
func IsArticle(file string) bool { _, ok := cutName(file, knowledge); return ok }

func cutName(file, part string) (name string, ok bool) {
	rest, of := strings.CutPrefix(file, part+"/")
	name, md := strings.CutSuffix(rest, markdownExt)
	return name, of && md
}

// Parse returns what the files say. The error joins a *Mistake for each thing that is
// wrong in any of them, and then there is no company.
func Parse(id tenant.ID, files Files) (Company, error) {
	r := &report{}
	if _, ok := files[Manifest]; !ok {
		r.add(Manifest, place{}, "is missing")
	}
	c := r.company(id, "", files)
	if err := r.err(); err != nil {
		return Company{}, err
	}
	return c, nil
}

// Check returns what is wrong in the file, as [Parse] does.
func Check(file, text string) error {
	r := &report{}
	r.company(tenant.ID{}, "", Files{file: text})
	return r.err()
}

// CheckName returns what is wrong with a file's path, as [Parse] does.
func CheckName(file string) error {
	r := &report{}
	r.name(file, file)
	return r.err()
}

// name reports a path that no file of a company has.
func (r *report) name(file, name string) {
	assistant, isAssistant := cutName(name, assistants)
	article, isArticle := cutName(name, knowledge)
	complaint := ""
	switch {
	case name == Manifest:
	case isAssistant:
		complaint = anAssistantID(assistant)
	case isArticle:
		complaint = anArticleID(article)
	default:
		r.add(file, place{}, "is no file of a company; expected %s, %s/NAME.md or %s/NAME.md", Manifest, assistants, knowledge)
	}
	if complaint != "" {
		r.add(file, place{}, "file's name without .md %s", complaint)
	}
}

// company reads the files of a folder.
func (r *report) company(id tenant.ID, folder string, files Files) Company {
	c := defaults()
	c.ID = id
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file, text := path.Join(folder, name), files[name]
		r.name(file, name)
		if name == Manifest {
			if s, ok := r.source(file, text, maxManifest); ok {
				s.manifest(&c)
			}
		} else if id, ok := cutName(name, assistants); ok {
			if s, ok := r.source(file, text, maxAssistant); ok {
				c.Assistants = append(c.Assistants, s.assistant(id))
			}
		} else if id, ok := cutName(name, knowledge); ok {
			if s, ok := r.source(file, text, maxArticle); ok {
				c.Knowledge = append(c.Knowledge, s.article(id))
			}
		}
	}
	slices.SortFunc(c.Assistants, func(a, b Assistant) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(c.Knowledge, func(a, b Article) int { return cmp.Compare(a.ID, b.ID) })
	return c
}
