package company

import (
	"regexp"
	"strings"
)

// Article is one file of knowledge/.
type Article struct {
	ID    string // the file's name without .md
	Title string // of the front matter, else the first heading, else after the file's name
	URL   string // where a person can read it; may be empty
	Tags  []string
	Text  string // Markdown without front matter, never empty
}

// article reads the whole file; id is its name.
func (s *source) article(id string) Article {
	a := Article{ID: id}
	f, body, ok := s.matter()
	if !ok {
		return a
	}
	f.text("title", &a.Title, line(200))
	f.text("url", &a.URL, aPage)
	f.texts("tags", &a.Tags, 50, line(60))
	f.done()
	if a.Text = strings.Trim(body, "\n"); strings.TrimSpace(a.Text) == "" {
		s.wrong(place{1, 1}, "article is empty; expected text")
	}
	if a.Title == "" {
		a.Title = firstHeading(a.Text)
	}
	if a.Title == "" {
		a.Title = nameFromFile(id)
	}
	return a
}

var (
	headingForm = regexp.MustCompile(`^ {0,3}#[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$`)
	codeForm    = regexp.MustCompile("^ {0,3}(```+|~~~+)")
)

// firstHeading returns the first level-one heading outside code, or "".
func firstHeading(text string) string {
	code := ""
	for line := range strings.SplitSeq(text, "\n") {
		mark := codeForm.FindStringSubmatch(line)
		switch {
		case code == "" && mark != nil:
			code = mark[1]
		case code != "":
			if mark != nil && strings.HasPrefix(mark[1], code) {
				code = ""
			}
		default:
			if m := headingForm.FindStringSubmatch(line); m != nil && m[1] != "" {
				return m[1]
			}
		}
	}
	return ""
}
