package attack

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"html"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// forms are the spellings of a text that an answer might carry.
func forms(text string) (out [][]byte) {
	inHex := hex.EncodeToString([]byte(text))
	out = [][]byte{[]byte(text), []byte(inHex), []byte(strings.ToUpper(inHex))}
	for shift := range 3 {
		// What of the encoding does not depend on the bytes before and after.
		padded := append(bytes.Repeat([]byte{0}, shift), text...)
		padded = padded[:len(padded)-len(padded)%3]
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

// Scanner finds canaries in bytes: texts that stand in something of one company's, and
// nowhere else.
type Scanner[C any] struct {
	roots    [][]byte // of what every canary begins with: one search finds whether there is any
	canaries []C
	forms    [][][]byte
}

// NewScanner returns one of the canaries, of which spell says the texts that each is to be
// known by. All begin with one of the roots.
func NewScanner[C any](roots []string, canaries []C, spell func(C) []string) *Scanner[C] {
	s := &Scanner[C]{canaries: canaries}
	for _, r := range roots {
		s.roots = append(s.roots, forms(r)...)
	}
	for _, c := range canaries {
		var all [][]byte
		for _, text := range spell(c) {
			all = append(all, forms(text)...)
		}
		s.forms = append(s.forms, all)
	}
	return s
}

// Find returns the canaries in b, each once, in whatever spelling.
func (s *Scanner[C]) Find(b []byte) (found []C) {
	seen := make([]bool, len(s.canaries))
	for _, v := range views(b, 2) {
		if !containsAny(v, s.roots) {
			continue
		}
		for i, c := range s.canaries {
			if !seen[i] && containsAny(v, s.forms[i]) {
				seen[i], found = true, append(found, c)
			}
		}
	}
	return found
}

func containsAny(b []byte, texts [][]byte) bool {
	for _, t := range texts {
		if bytes.Contains(b, t) {
			return true
		}
	}
	return false
}

var (
	percent = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
	escape  = regexp.MustCompile(`\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}`)
)

// mostUnzipped bounds what is unpacked of one answer.
const mostUnzipped = 4 << 20

// views are the bytes as they are, and with each escaping undone that may be there, so
// many of them one in another.
func views(b []byte, deep int) [][]byte {
	out := [][]byte{b}
	if deep == 0 {
		return out
	}
	var inner [][]byte
	if bytes.IndexByte(b, '%') >= 0 && percent.Match(b) {
		inner = append(inner, percent.ReplaceAllFunc(b, func(m []byte) []byte { return unhex(m[1:]) }))
	}
	if bytes.IndexByte(b, '\\') >= 0 && escape.Match(b) {
		inner = append(inner, escape.ReplaceAllFunc(b, func(m []byte) []byte { return unhex(m[2:]) }))
	}
	if bytes.IndexByte(b, '&') >= 0 && bytes.IndexByte(b, ';') >= 0 {
		inner = append(inner, []byte(html.UnescapeString(string(b))))
	}
	for rest := b; ; {
		i := bytes.Index(rest, []byte{0x1f, 0x8b, 8})
		if i < 0 {
			break
		}
		if z, err := gzip.NewReader(bytes.NewReader(rest[i:])); err == nil {
			plain, _ := io.ReadAll(io.LimitReader(z, mostUnzipped)) // what there is of it
			inner = append(inner, plain)
		}
		rest = rest[i+1:]
	}
	for _, v := range inner {
		out = append(out, views(v, deep-1)...)
	}
	return out
}

// unhex is the character of that number.
func unhex(digits []byte) []byte {
	n, err := strconv.ParseUint(string(digits), 16, 32)
	if err != nil { // the pattern has hex digits alone
		return nil
	}
	if len(digits) == 2 {
		return []byte{byte(n)}
	}
	return []byte(string(rune(n)))
}
