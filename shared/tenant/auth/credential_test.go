package auth_test

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

const someID, someSecret = "0123456789abcdef", "0123456789abcdefghjkmnpqrstvwxyz01234567"

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"sk_" + someID + "_" + someSecret, true},
		{"op_" + someID + "_" + someSecret, true},
		{"pk_" + someID, true},
		{"", false}, {"_", false}, {"__", false}, {"sk", false}, {"sk_", false},
		{"sk_" + someID, false},
		{"sk_" + someID + "_", false},
		{"sk_" + someID + "_" + someSecret + "0", false},
		{"sk_" + someID + "_" + someSecret[1:], false},
		{"sk_" + someID + "_" + someSecret + "_", false},
		{"pk_" + someID + "_", false},
		{"pk_" + someID + "_" + someSecret, false},
		{"pk_" + someID + "0", false},
		{"SK_" + someID + "_" + someSecret, false},
		{"wt_" + someID + "_" + someSecret, false},
		{"sk_" + strings.ToUpper(someID) + "_" + someSecret, false},
		{"sk_" + someID + "_" + strings.ToUpper(someSecret), false},
		{"sk_" + someID[1:] + "l_" + someSecret, false},
		{"sk_" + someID[1:] + "#_" + someSecret, false},
		{"sk_" + someID[1:] + "\x00_" + someSecret, false},
		{"sk_" + someID[2:] + "é_" + someSecret, false},
		{" sk_" + someID + "_" + someSecret, false},
		{"sk_" + someID + "_" + someSecret + "\n", false},
	} {
		if kind, id, ok := auth.Parse(c.text); ok != c.ok || ok && (id != someID || string(kind) != c.text[:2]) {
			t.Errorf("Parse(%q) = %q, %q, %v", c.text, kind, id, ok)
		}
	}
}

var issued = regexp.MustCompile(`\A(?:(?:sk|op)_[0-9a-hjkmnp-tv-z]{16}_[0-9a-hjkmnp-tv-z]{40}|pk_[0-9a-hjkmnp-tv-z]{16})\z`)

func FuzzParse(f *testing.F) {
	f.Add("sk_" + someID + "_" + someSecret)
	f.Add("pk_" + someID)
	f.Add("op__")
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, ok := auth.Parse(text); ok != issued.MatchString(text) {
			t.Errorf("Parse(%q) says %v", text, ok)
		}
	})
}

func TestIssueAndVerify(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, kind := range []auth.Kind{auth.SecretKey, auth.Publishable, auth.OperatorKey} {
		c, text := d.issue(t, auth.Credential{Kind: kind, Revoked: time.Now()})
		if !issued.MatchString(text) || !strings.HasPrefix(text, string(kind)+"_"+c.ID) {
			t.Errorf("%s: text of a form that cannot be parsed", kind)
		}
		of, ok, err := d.dir.Verify(t.Context(), kind, text)
		if err != nil || !ok || of != c.Project {
			t.Errorf("%s: Verify = %q, %v, %v", kind, of, ok, err)
		}
		for _, other := range []auth.Kind{auth.SecretKey, auth.Publishable, auth.OperatorKey, ""} {
			if _, ok, _ := d.dir.Verify(t.Context(), other, text); ok != (other == kind) {
				t.Errorf("%s verifies as %q: %v", kind, other, ok)
			}
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, c := range []auth.Credential{
		{}, {Kind: "xx", Project: "acme"}, {Kind: auth.SecretKey}, {Kind: auth.Publishable},
		{Kind: auth.SecretKey, Project: "_directory"}, {Kind: auth.SecretKey, Project: "a#b"},
		{Kind: auth.OperatorKey, Project: "acme"},
	} {
		if _, s, err := d.dir.Issue(t.Context(), c); !problem.Is(err, problem.Invalid) || s.Reveal() != "" {
			t.Errorf("Issue(%+v): %v", c, err)
		}
	}
}

func TestPublishableKeyCanDoNothing(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	if c, _ := d.issue(t, auth.Credential{Kind: auth.Publishable, Can: tenant.CanChat, Role: 4}); c.Can != 0 || c.Role != 0 {
		t.Errorf("a publishable key was given %v, %v", c.Can, c.Role)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	c, text := d.issue(t, auth.Credential{})
	_, other := d.issue(t, auth.Credential{})
	for range 2 {
		if err := d.dir.Revoke(t.Context(), c.ID); err != nil {
			t.Errorf("Revoke: %v", err)
		}
	}
	if _, ok, err := d.dir.Verify(t.Context(), auth.SecretKey, text); ok || err != nil {
		t.Errorf("revoked: %v, %v", ok, err)
	}
	if _, ok, err := d.dir.Verify(t.Context(), auth.SecretKey, other); !ok || err != nil {
		t.Errorf("control: %v, %v", ok, err)
	}
	for _, id := range []string{"", someID, "#", "../x", strings.Repeat("a", 10_000), "\xff"} {
		if err := d.dir.Revoke(t.Context(), id); !problem.Is(err, problem.NotFound) {
			t.Errorf("Revoke(%.20q): %v", id, err)
		}
	}
}

// What is stored lets nobody in: neither the text nor its secret is in any file, nor
// anything else of the credential.
func TestStoreHoldsNoSecret(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	c, text := d.issue(t, auth.Credential{Name: "canaryname"})
	seen := false
	err := fs.WalkDir(os.DirFS(d.files), ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(os.DirFS(d.files), p)
		seen = seen || strings.Contains(string(b), c.ID) // the item's key, in the clear
		if strings.Contains(string(b), text[len(text)-20:]) || strings.Contains(string(b), "canaryname") {
			t.Errorf("%s holds something of %s", p, c.ID)
		}
		return err
	})
	if err != nil || !seen {
		t.Errorf("control: the credential was not found in the files: %v", err)
	}
}

// A stolen directory does not verify under another master key.
func TestHashIsKeyed(t *testing.T) {
	t.Parallel()
	if _, err := auth.Derive(make([]byte, 31), "x"); !problem.Is(err, problem.Internal) {
		t.Errorf("a short master key: %v", err)
	}
	a, errA := auth.Derive(master, "credential hash")
	b, errB := auth.Derive(master, "cursors")
	other := append([]byte("n"), master[1:]...)
	c, errC := auth.Derive(other, "credential hash")
	if errA != nil || errB != nil || errC != nil || string(a) == string(b) || string(a) == string(c) || len(a) != 32 {
		t.Errorf("derived keys are not apart: %v %v %v", errA, errB, errC)
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	_, s, err := d.dir.Issue(t.Context(), auth.Credential{Kind: auth.SecretKey, Project: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%s", "%+v", "%q", "%x", "%#v"} {
		if got := fmt.Sprintf(verb, s); strings.Contains(got, s.Reveal()[30:]) || strings.Contains(got, fmt.Sprintf("%x", s.Reveal()[30:])) {
			t.Errorf("%s prints the secret", verb)
		}
		if got := fmt.Sprintf(verb, struct{ S, s auth.Secret }{s, s}); strings.Contains(got, s.Reveal()[30:]) {
			t.Errorf("%s prints the secret within a struct", verb)
		}
	}
}
