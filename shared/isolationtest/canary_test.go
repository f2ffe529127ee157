package isolationtest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// root begins every canary, so that one search finds whether there is any.
const root = "zqvwxjk"

// canary is a word that stands in something of one company's, or one person's.
type canary struct {
	word    string
	project string
	person  string // "" = the whole company's
	public  bool   // of what the company shows its visitors: its knowledge, its name
}

// forms are all spellings of a text that an answer might carry.
func forms(text string) (out [][]byte) {
	out = [][]byte{[]byte(text), []byte(hex.EncodeToString([]byte(text))), []byte(strings.ToUpper(hex.EncodeToString([]byte(text))))}
	for shift := range 3 {
		// What of the encoding does not depend on the bytes before and after.
		padded := append(bytes.Repeat([]byte{0}, shift), text...)
		for len(padded)%3 != 0 {
			padded = padded[:len(padded)-1]
		}
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := e.EncodeToString(padded)
			if shift > 0 {
				s = s[shift+1:]
			}
			out = append(out, []byte(s))
		}
	}
	return out
}

// scanner finds canaries in bytes.
type scanner struct {
	roots    [][]byte
	canaries []canary
	forms    [][][]byte
}

func newScanner(cs []canary) *scanner {
	s := &scanner{roots: forms(root), canaries: cs}
	for _, c := range cs {
		s.forms = append(s.forms, forms(c.word))
	}
	return s
}

// find returns the canaries in b, in whatever spelling.
func (s *scanner) find(b []byte) (found []canary) {
	for _, v := range views(b) {
		hit := false
		for _, r := range s.roots {
			hit = hit || bytes.Contains(v, r)
		}
		for i := range s.canaries {
			for _, f := range s.forms[i] {
				if hit && bytes.Contains(v, f) {
					found = append(found, s.canaries[i])
					break
				}
			}
		}
	}
	return found
}

// views are the bytes as they are, and with each escaping undone that may be there.
func views(b []byte) [][]byte {
	out := [][]byte{b}
	if bytes.IndexByte(b, '%') >= 0 {
		if s, err := url.PathUnescape(string(b)); err == nil {
			out = append(out, []byte(s))
		}
	}
	if bytes.Contains(b, []byte(`\u`)) {
		if plain, err := jsontext.AppendUnquote(nil, append(append([]byte{'"'}, bytes.ReplaceAll(b, []byte{'"'}, nil)...), '"')); err == nil {
			out = append(out, plain)
		}
	}
	if i := bytes.Index(b, []byte{0x1f, 0x8b, 8}); i >= 0 {
		if z, err := gzip.NewReader(bytes.NewReader(b[i:])); err == nil {
			plain, _ := io.ReadAll(io.LimitReader(z, 1<<20)) // what there is of it
			out = append(out, plain)
		}
	}
	return out
}

// TestCanariesAreFound is the control of every search: each spelling is seen.
func TestCanariesAreFound(t *testing.T) {
	t.Parallel()
	c := canary{word: root + "onecanary"}
	s := newScanner([]canary{c, {word: root + "another"}})
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte("before " + c.word + " after"))
	z.Close()
	texts := map[string]string{
		"plain": "x" + c.word, "hex": hex.EncodeToString([]byte("ab" + c.word + "c")), "gzip": "head" + zipped.String(),
		"url": "a=" + strings.ReplaceAll(c.word, "z", "%7a"), "JSON": `{"a":"` + strings.ReplaceAll(c.word, "q", `\u0071`) + `"}`,
	}
	for _, before := range []string{"", "1", "12", "123", "1234"} {
		for _, after := range []string{"", "1", "12"} {
			texts["base64 "+before+after] = base64.StdEncoding.EncodeToString([]byte(before + c.word + after))
			texts["base64url "+before+after] = base64.RawURLEncoding.EncodeToString([]byte(before + c.word + after))
		}
	}
	for name, text := range texts {
		if got := s.find([]byte(text)); len(got) != 1 || got[0] != c {
			t.Errorf("%s: %v in %q", name, got, text)
		}
	}
	if got := s.find([]byte("nothing of " + root[1:])); got != nil {
		t.Errorf("control: %v", got)
	}
}
