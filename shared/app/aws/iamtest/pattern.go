package iamtest

import (
	"strings"
)

// pattern is a text of a policy with its variables filled in. What came out of a
// variable, or out of ${*}, is literal: a '*' in a tag matches nothing but itself.
type pattern []symbol

type symbol struct {
	r    rune
	wild bool // '*' or '?' of the policy's own
}

// expand fills in the variables; ok is false where the request lacks one.
func expand(text string, keys map[string][]string) (p pattern, ok bool) {
	for text != "" {
		before, rest, found := strings.Cut(text, "${")
		for _, r := range before {
			p = append(p, symbol{r, r == '*' || r == '?'})
		}
		if !found {
			return p, true
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, false
		}
		value, ok := variable(name, keys)
		if !ok {
			return nil, false
		}
		for _, r := range value {
			p = append(p, symbol{r: r})
		}
		text = after
	}
	return p, true
}

// variable is the value of ${name}, or of ${name, 'default'}.
func variable(name string, keys map[string][]string) (string, bool) {
	if name == "*" || name == "?" || name == "$" {
		return name, true
	}
	name, fallback, hasDefault := strings.Cut(name, ",")
	if v, ok := lookup(keys, strings.TrimSpace(name)); ok && len(v) == 1 {
		return v[0], true
	}
	return strings.Trim(strings.TrimSpace(fallback), "'"), hasDefault
}

func (p pattern) text() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteRune(s.r)
	}
	return b.String()
}

// match is IAM's: '*' is any text, '/' and ':' included, '?' any one character.
func (p pattern) match(text string) bool {
	t := []rune(text)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i].wild && p[i].r == '*':
			star, mark, i = i, j, i+1
		case i < len(p) && (p[i].wild || p[i].r == t[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i].wild && p[i].r == '*' {
		i++
	}
	return i == len(p)
}

// matches reports whether the text is what the policy's text says.
func matches(policy, text string, keys map[string][]string) bool {
	if !strings.ContainsAny(policy, "*?$") {
		return policy == text
	}
	p, ok := expand(policy, keys)
	return ok && p.match(text)
}

// matchFold matches actions, whose case does not matter and which have no variables.
func matchFold(action, text string) bool {
	if !strings.ContainsAny(action, "*?$") {
		return strings.EqualFold(action, text)
	}
	return matches(strings.ToLower(action), strings.ToLower(text), nil)
}
