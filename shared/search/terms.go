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
	words := Words(text)
	out := words[:0]
	for _, w := range words {
		if stop[w] || (len(w) == 1 && w[0] < utf8Self && !isDigit(w[0])) || slices.Contains(out, w) {
			continue
		}
		out = append(out, w)
	}
	if len(out) == 0 {
		return nil
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
// possessive endings and without accents.
func Words(text string) []string {
	text = fold(text)
	out := make([]string, 0, len(text)/6+1)
	start, quoted := -1, false // of the word at hand; whether it has an apostrophe
	for i, r := range text {
		switch {
		case r == '\'' || r == '’':
			quoted = true
			fallthrough
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= utf8Self && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			if start < 0 {
				start = i
			}
		case start >= 0:
			out = appendWord(out, text[start:i], quoted)
			start, quoted = -1, false
		}
	}
	if start >= 0 {
		out = appendWord(out, text[start:], quoted)
	}
	return out
}

// fold makes a text lower-case and takes the accents off Latin letters, as FTS5's
// tokenizer does: people leave them out.
func fold(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r >= utf8Self }) < 0 {
		return strings.ToLower(text)
	}
	return strings.Map(func(r rune) rune {
		switch r = unicode.ToLower(r); {
		case r >= 0x300 && r <= 0x36f: // an accent that stands by itself, after its letter
			return -1
		case r >= 0xe0 && r <= 0x17f:
			for _, letters := range accented {
				if strings.ContainsRune(letters, r) {
					return rune(letters[0])
				}
			}
		}
		return r
	}, text)
}

// accented are letters with the accented ones of Latin-1 and Latin Extended-A.
var accented = [...]string{
	"aàáâãäåāăą", "cçćĉċč", "dď", "eèéêëēĕėęě", "gĝğġģ", "hĥ", "iìíîïĩīĭį", "jĵ", "kķ", "lĺļľ", "nñńņň",
	"oòóôõöōŏő", "rŕŗř", "sśŝşš", "tţť", "uùúûüũūŭůűų", "wŵ", "yýÿŷ", "zźżž",
}

func appendWord(out []string, w string, quoted bool) []string {
	if quoted {
		w = strings.Trim(strings.ReplaceAll(w, "’", "'"), "'")
		w = strings.TrimSuffix(w, "'s")
		w = strings.ReplaceAll(w, "'", "")
	}
	if w == "" {
		return out
	}
	return append(out, w)
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
