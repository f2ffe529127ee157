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
	credential = regexp.MustCompile(`(?i)(sk|op|is|wt|admin)_[0-9a-z]*(_[0-9a-z]+)?|ey[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){1,3}`)
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
	for _, t := range s.text {
		text = strings.ReplaceAll(text, t, redacted)
		text = strings.ReplaceAll(text, t[len(t)-tail:], redacted)
	}
	return credential.ReplaceAllString(strings.ToValidUTF8(text, "\ufffd"), redacted)
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
