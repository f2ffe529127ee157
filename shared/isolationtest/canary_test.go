package isolationtest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"switchboard/shared/attack"
)

// root begins every canary, so that one search finds whether there is any.
const root = "zqvwxjk"

// canary is a word that stands in something of one company's, or one person's.
type canary struct {
	word    string
	project string
	person  string // "" = the whole company's
	public  bool   // of what the company shows its visitors: its knowledge, its name
}

// newScanner looks for the canaries.
func newScanner(cs []canary) *attack.Scanner[canary] {
	return attack.NewScanner([]string{root}, cs, func(c canary) []string { return []string{c.word} })
}

// TestCanariesAreFound is the control of every search: each spelling is seen.
func TestCanariesAreFound(t *testing.T) {
	t.Parallel()
	c := canary{word: root + "onecanary"}
	s := newScanner([]canary{c, {word: root + "another"}})
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte("before " + c.word + " after"))
	z.Close()
	texts := map[string]string{
		"plain": "x" + c.word, "hex": hex.EncodeToString([]byte("ab" + c.word + "c")), "gzip": "head" + zipped.String(),
		"url": "a=" + strings.ReplaceAll(c.word, "z", "%7a"), "JSON": `{"a":"` + strings.ReplaceAll(c.word, "q", `\u0071`) + `"}`,
	}
	for _, before := range []string{"", "1", "12", "123", "1234"} {
		for _, after := range []string{"", "1", "12"} {
			texts["base64 "+before+after] = base64.StdEncoding.EncodeToString([]byte(before + c.word + after))
			texts["base64url "+before+after] = base64.RawURLEncoding.EncodeToString([]byte(before + c.word + after))
		}
	}
	for name, text := range texts {
		if got := s.Find([]byte(text)); len(got) != 1 || got[0] != c {
			t.Errorf("%s: %v in %q", name, got, text)
		}
	}
	if got := s.Find([]byte("nothing of " + root[1:])); got != nil {
		t.Errorf("control: %v", got)
	}
}
