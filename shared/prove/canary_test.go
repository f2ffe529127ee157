package prove_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"

	"switchboard/shared/prove"
)

// TestWordsAreFound is the control of every search: each spelling is seen.
func TestWordsAreFound(t *testing.T) {
	t.Parallel()
	const root, word, other = "zqvwxjkbcd", "zqvwxjkbcdonecanary", "zqvwxjkbcdanother"
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte("before " + word + " after"))
	z.Close()
	each := func(format string) (out string) {
		for _, r := range word {
			out += fmt.Sprintf(format, r)
		}
		return out
	}
	texts := map[string]string{
		"plain": "x" + word, "upper": strings.ToUpper(word), "hex": hex.EncodeToString([]byte("ab" + word + "c")), "gzip": "head" + zipped.String(),
		"url": "a=" + each("%%%02x") + "%zz", "JSON": `{"a":"` + each(`\u%04x`) + "\"}\n", "HTML": each("&#%d;"), "HTML in hex": each("&#x%x;"),
		"twice": url.QueryEscape(each("&#%d;")), "JSON in base64": base64.StdEncoding.EncodeToString([]byte(`{"a":"` + word + `"}`)),
		"escaped HTML": html.EscapeString("<" + word + ">"),
	}
	for _, before := range []string{"", "1", "12", "123", "1234"} {
		for _, after := range []string{"", "1", "12"} {
			texts["base64 "+before+" "+after] = base64.StdEncoding.EncodeToString([]byte(before + word + after))
			texts["base64url "+before+" "+after] = base64.RawURLEncoding.EncodeToString([]byte(before + word + after))
		}
	}
	for name, text := range texts {
		if got := prove.Words(root, []string{word, other}, []byte(text)); !slices.Equal(got, []string{word}) {
			t.Errorf("%s: %v in %q", name, got, text)
		}
	}
	if got := prove.Words(root, []string{word}, []byte("nothing of "+word[:len(word)-1])); got != nil {
		t.Errorf("control: %v", got)
	}
}

func TestCredentialsAreTakenOut(t *testing.T) {
	t.Parallel()
	const secret = "sk_0123456789abcdef_vwxyz0123456789abcdefghjkmnpqrstvwxyz"
	for _, text := range []string{secret, "a " + secret + " b", secret[10:], "x" + secret[len(secret)-20:] + "y", secret[:30], "op_0123456789abcdef_vwxyz", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "eyJhbGciOiJIUzI1NiJ9"} {
		out := prove.Redact(secret, "the monkeys. "+text+" the keys.")
		if strings.Contains(out, text) || strings.Contains(out, "vwxyz") || strings.Contains(out, "hbGciOi") || !strings.Contains(out, "[redacted]") {
			t.Errorf("%q became %q", text, out)
		}
		if !strings.HasPrefix(out, "the monkeys. ") || !strings.HasSuffix(out, " the keys.") {
			t.Errorf("control: %q", out)
		}
	}
	for _, name := range []string{"Authorization", "x-api-key", "COOKIE", "Proxy-Authorization", "X-Auth-Token"} {
		if got := prove.Headers(name, "cut short"); got[0] != name+": [redacted]" {
			t.Errorf("%q", got)
		}
	}
	if got := prove.Headers("X-Tenant", "alpha"); got[0] != "X-Tenant: alpha" {
		t.Errorf("control: %q", got)
	}
}
