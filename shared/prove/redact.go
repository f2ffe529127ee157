package prove

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// secrets are texts that no answer may have, unless its request had them, and that
// nothing here may print.
type secrets struct {
	mu   sync.Mutex
	text []string
}

const redacted = "[redacted]"

var (
	credential = regexp.MustCompile(`(?i)\b(sk|op|is|wt|admin)_[0-9a-z]*(_[0-9a-z]+)?|eyJ[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){0,3}`)
	secretive  = regexp.MustCompile(`(?i)^(authorization|x-api-key|cookie|proxy-authorization|x-auth-token)$`)
)

// tail is how much of a credential's end is looked for: all of it is secret.
const tail = 20

func (s *secrets) add(text string) {
	if len(text) < tail {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, text)
}

// piece is how much of a secret, wherever it was cut, is taken out of a text.
const piece = 8

// in reports whether b has a secret that the request did not.
func (s *secrets) in(b []byte, said string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.text, func(t string) bool {
		end := t[len(t)-tail:]
		return bytes.Contains(b, []byte(end)) && !strings.Contains(said, end)
	})
}

// redact takes out of a text whatever is, or looks like, a credential.
func (s *secrets) redact(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text = credential.ReplaceAllString(strings.ToValidUTF8(text, "\ufffd"), redacted)
	for _, t := range s.text {
		if !strings.Contains(t, ".") {
			t = t[strings.LastIndexByte(t, '_')+1:] // an id stands before it, by which a key is revoked
		}
		text = without(text, t)
	}
	return text
}

// without is the text, less all that has so much of the secret in it.
func without(text, secret string) string {
	hidden := make([]bool, len(text))
	found := false
	for n := 0; n+piece <= len(secret); n++ {
		for at := 0; ; at++ {
			i := strings.Index(text[at:], secret[n:n+piece])
			if i < 0 {
				break
			}
			at, found = at+i, true
			for k := range piece {
				hidden[at+k] = true
			}
		}
	}
	if !found {
		return text
	}
	var out strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			out.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			out.WriteString(redacted)
		}
	}
	return out.String()
}

// headers are pairs as lines, without what such headers carry.
func (s *secrets) headers(pairs []string) []string {
	out := []string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		value := s.redact(pairs[i+1])
		if secretive.MatchString(pairs[i]) {
			value = redacted
		}
		out = append(out, pairs[i]+": "+value)
	}
	return out
}
