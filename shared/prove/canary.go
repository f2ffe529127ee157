package prove

import (
	"crypto/rand"
	"strings"

	"switchboard/shared/attack"
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

// newScanner looks for the words, whose letters a server may have put into upper case.
func newScanner(root string, words []word) *attack.Scanner[word] {
	both := func(text string) []string { return []string{text, strings.ToUpper(text)} }
	return attack.NewScanner(both(root), words, func(w word) []string { return both(w.text) })
}
