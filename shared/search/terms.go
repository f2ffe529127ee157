package search

import (
	"slices"
	"strings"
	"unicode"
)

// maxText bounds the part of a question that is looked at, in bytes.
const maxText = 4 << 10

// Terms returns the words of a text that are worth searching for: lower-case,
// each once, stop words left out, at most maxTerms of the longest ones in order
// of appearance.
func Terms(text string) []string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	var out []string
	for _, w := range Words(text) {
		if stop[w] || (len(w) == 1 && w[0] < utf8Self && !isDigit(w[0])) || slices.Contains(out, w) {
			continue
		}
		out = append(out, w)
	}
	for len(out) > maxTerms {
		shortest := 0
		for i, w := range out {
			if len(w) < len(out[shortest]) {
				shortest = i
			}
		}
		out = slices.Delete(out, shortest, shortest+1)
	}
	return out
}

const utf8Self = 0x80

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Words splits a text into lower-case words of letters and digits, without
// possessive endings.
func Words(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' && r != '’'
	})
	out := words[:0]
	for _, w := range words {
		w = strings.Trim(strings.ReplaceAll(w, "’", "'"), "'")
		w = strings.TrimSuffix(w, "'s")
		w = strings.ReplaceAll(w, "'", "")
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

// Stem cuts an English word's commonest endings, so that "upgrades", "upgraded"
// and "upgrading" are one. It is light on purpose: it is used to compare words,
// never to show them.
func Stem(w string) string {
	if len(w) < 4 || w[0] >= utf8Self {
		return w
	}
	switch {
	case strings.HasSuffix(w, "sses"):
		w = w[:len(w)-2]
	case strings.HasSuffix(w, "ies") && len(w) > 4:
		w = w[:len(w)-3] + "y"
	case strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us"):
		w = w[:len(w)-1]
	}
	for _, end := range []string{"ations", "ation", "ing", "ed", "ly", "er"} {
		if base, ok := strings.CutSuffix(w, end); ok && len(base) >= 4 {
			w = base
			break
		}
	}
	if n := len(w); n > 4 && w[n-1] == w[n-2] && !strings.ContainsRune("lsz", rune(w[n-1])) {
		w = w[:n-1] // "plugg" of "plugging"
	}
	if len(w) > 4 {
		w = strings.TrimSuffix(w, "e")
	}
	return w
}

// stop are the words that say nothing about what a question is about.
var stop = func() map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(`
		a about again all also am an and any anyone anything are aren as at be because been before being
		but by can cannot cant come could did didnt do does doesnt doing dont each either else ever every
		for from get give go going good got had has have havent having he hello her here hers hey hi him his how i id if
		ill im in into is isnt it its ive just know let like look make many may me might mine more most much
		must my need no nor not now of off ok okay on once one only or other our ours out over own please
		same say says shall she should so some someone something such take tell than thank thanks that thats the their
		them then there theres these they this those through to too under until up us use very want was wasnt way we well
		were what whats when where which while who whom whose why will with wont would yes yet you your yours youre`) {
		m[w] = true
	}
	return m
}()
