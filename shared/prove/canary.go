package prove

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"html"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// word is a text that stands in something of one company's, or of one visitor's, and
// nowhere else.
type word struct {
	text    string
	of      *side
	visitor string // "" = the whole company's
	what    string // what it stands in, for the report
}

// What words stand in.
const (
	inName  = "the name"
	inDesk  = "the assistant"
	inRule  = "the assistant's instructions"
	inFees  = "the article"
	inTalk  = "the conversation"
	inKeys  = "the name of a key"
	inUser  = "the customer's id"
	another = "another company's "
)

// letters makes n random ones that are part of no word of any language: 47 bits in 10,
// and the same in every case and alphabet that an id may have.
func letters(n int) string {
	const alphabet = "bcdfghjkmnpqrstvwxz"
	raw := make([]byte, n)
	rand.Read(raw)
	for i := range raw {
		raw[i] = alphabet[int(raw[i])%len(alphabet)]
	}
	return string(raw)
}

// forms are the spellings of a text that an answer might carry.
func forms(text string) (out [][]byte) {
	inHex := hex.EncodeToString([]byte(text))
	out = [][]byte{[]byte(text), []byte(strings.ToUpper(text)), []byte(inHex), []byte(strings.ToUpper(inHex))}
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

// scanner finds words in bytes.
type scanner struct {
	roots [][]byte // of what every word begins with: one search finds whether there is any
	words []word
	forms [][][]byte
}

func newScanner(root string, words []word) *scanner {
	s := &scanner{roots: forms(root), words: words}
	for _, w := range words {
		s.forms = append(s.forms, forms(w.text))
	}
	return s
}

// find returns the words in b, in whatever spelling.
func (s *scanner) find(b []byte) (found []word) {
	seen := map[string]bool{}
	for _, v := range views(b, 2) {
		hit := false
		for _, r := range s.roots {
			hit = hit || bytes.Contains(v, r)
		}
		for i, w := range s.words {
			for _, f := range s.forms[i] {
				if hit && !seen[w.text] && bytes.Contains(v, f) {
					seen[w.text], found = true, append(found, w)
				}
			}
		}
	}
	return found
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
