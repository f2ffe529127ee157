package company

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The largest files read. They bound what one folder can cost at start-up.
const (
	maxManifest  = 64 << 10 // also of front matter
	maxAssistant = 256 << 10
	maxArticle   = 256 << 10 // what one item of a table holds
	maxFile      = max(maxManifest, maxAssistant, maxArticle)
)

// source is one file while it is read: its text, and where its mistakes go.
type source struct {
	name   string
	text   string // without byte order mark, lines ended by \n alone
	report *report
}

func (s *source) wrong(at place, format string, args ...any) {
	s.report.add(s.name, at, format, args...)
}

// source returns the file's text, read at most limit bytes long; false means its
// mistake is reported.
func (r *report) source(file, text string, limit int) (*source, bool) {
	s := &source{name: file, text: unmarked(text), report: r}
	if len(text) > limit {
		s.wrong(place{}, "is too large; expected at most %d KiB", limit>>10)
		return nil, false
	}
	return s, s.plain()
}

// unmarked is a text without what an editor may put into it: a byte order mark, and \r
// before \n.
func unmarked(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
}

// plain reports the first byte that is not text. A control character is refused
// because what a person sees in review must be what the model gets.
func (s *source) plain() bool {
	at := place{1, 1}
	for i, c := range s.text {
		switch {
		case c == utf8.RuneError && !strings.HasPrefix(s.text[i:], "\ufffd"):
			s.wrong(at, "byte %#02x is not valid UTF-8; expected the file to be saved as UTF-8", s.text[i])
			return false
		case c == '\n':
			at = place{at.line + 1, 0}
		case c != '\t' && unicode.IsControl(c):
			s.wrong(at, "control character %U; expected text", c)
			return false
		}
		at.column++
	}
	return true
}
