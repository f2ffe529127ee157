package company

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The largest files read. They bound what one folder can cost at start-up.
const (
	maxManifest  = 64 << 10 // also of front matter
	maxAssistant = 256 << 10
	maxArticle   = 1 << 20
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

// open reads a file of at most limit bytes; false means its mistake is reported.
func (r *report) open(fsys fs.FS, name string, limit int) (*source, bool) {
	data, err := readAtMost(fsys, name, limit)
	if err != nil {
		r.add(name, place{}, "%v", err)
		return nil, false
	}
	s := &source{name: name, text: string(bytes.TrimPrefix(data, []byte("\ufeff"))), report: r}
	s.text = strings.ReplaceAll(s.text, "\r\n", "\n")
	return s, s.plain()
}

func readAtMost(fsys fs.FS, name string, limit int) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("is too large; expected at most %d KiB", limit>>10)
	}
	return data, nil
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
