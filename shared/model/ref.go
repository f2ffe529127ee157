package model

import (
	"strings"

	"switchboard/shared/problem"
)

// Ref names a model of a provider, like openai/gpt-5-mini. The zero Ref names
// none and stands for the platform's default.
type Ref struct {
	Provider string // a key of the map given to New
	Name     string // the provider's own name of the model; "" where it has only one
}

// String returns the form that ParseRef reads.
func (r Ref) String() string {
	if r.Name == "" {
		return r.Provider
	}
	return r.Provider + "/" + r.Name
}

// Longest parts of a reference; an inference profile of Bedrock's is an ARN.
const (
	maxProvider = 32
	maxName     = 256
)

// ParseRef parses provider/name, or a provider alone. The provider is a-z, 0-9 and
// hyphens and starts with a letter; what the first slash is followed by is the
// name, which may contain slashes of its own. The error is an Invalid problem.
func ParseRef(s string) (Ref, error) {
	const op = "model.ParseRef"
	provider, name, slash := strings.Cut(s, "/")
	switch {
	case !isProvider(provider):
		return Ref{}, problem.Bad(op, "", "a model is named like openai/gpt-5-mini: provider, slash, name")
	case slash && name == "":
		return Ref{}, problem.Bad(op, "", "the model's name is missing behind %q", provider+"/")
	case !isName(name):
		return Ref{}, problem.Bad(op, "", "a model's name is made of letters, digits and . _ - : @ with single slashes within, at most %d characters", maxName)
	}
	return Ref{Provider: provider, Name: name}, nil
}

func isProvider(s string) bool {
	if s == "" || len(s) > maxProvider || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func isName(s string) bool {
	if len(s) > maxName || strings.Contains(s, "//") || strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("._-:@/", rune(c)) {
			return false
		}
	}
	return true
}
