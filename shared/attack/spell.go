package attack

import (
	"math/rand/v2"
	"strings"
)

// Pick is one of the list.
func Pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

// Delimiters spells an id so that one part of a key might end in another place: own is the
// attacker's, foreign another's, third a company's name.
func Delimiters(rng *rand.Rand, own, foreign, third string) string {
	sep := Pick(rng, []string{"#", ":", "/", "|", "!", "\x00", ",", ";", "\n", "%23", "##", "~", " ", "\\"})
	return Pick(rng, []string{own + sep + foreign, foreign + sep, sep + foreign, third + sep + "turn" + sep + foreign, third + sep + foreign, foreign + sep + own,
		foreign[:len(foreign)/2] + sep + foreign[len(foreign)/2:], "5:" + foreign, third + sep + "window" + sep + "{" + foreign + "}"})
}

// Wildcards spells an id that a store or a policy might take for many.
func Wildcards(rng *rand.Rand, own, foreign, third string) string {
	cut := 1 + rng.IntN(len(foreign))
	wild := Pick(rng, []string{"*", "?", "%", "_", ".*", "**", "${aws:PrincipalTag/projectId}", "$", "' OR '1'='1", "\" OR 1=1 --", "[a-z]*", "{}", "../" + third, "..", "."})
	return Pick(rng, []string{wild, foreign[:cut] + wild, wild + foreign[cut:], foreign + wild, foreign[:cut-1], foreign + "x", own + wild, own[:len(own)-1] + "?", foreign + foreign})
}

// Unicodes spells an id with characters that look like it, fold to it, or are none.
func Unicodes(rng *rand.Rand, own, foreign string) string {
	base := Pick(rng, []string{own, foreign})
	at := rng.IntN(len(base))
	insert := Pick(rng, []string{"\u200b", "\u202e", "\ufeff", "\u0301", "\u2060", "\u00ad", "\xc0\xaf", "\xff", "\xed\xa0\x80", "\u2044", "\u212a"})
	switch rng.IntN(4) {
	case 0:
		return strings.NewReplacer("a", "\u0430", "e", "\u0435", "0", "\uff10", "1", "\uff11", "b", "\uff42", "K", "\u212a", "s", "\u017f").Replace(base) + "\u200b"
	case 1: // the other case
		if up := strings.ToUpper(base); up != base {
			return up
		}
		return strings.ToLower(base)
	case 2:
		return base + insert
	}
	return base[:at] + insert + base[at:]
}
