package prove_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchboard/shared/prove"
)

// hostile is a report whose every text would like to be more than that.
func hostile() *prove.Report {
	const text = `<script>alert(1)</script>"'&<img src=x onerror=alert(1)>` + "\x00\u202e"
	return &prove.Report{
		Format: "switchboard prove 1", Verdict: "failed", Why: []string{text}, Project: text, Server: text, Version: text, Canary: text, Started: time.Unix(1e9, 0).UTC(), Seconds: 1.5, Seed: 1<<64 - 1,
		Rows: []prove.Row{{Class: 2, Name: text, Verdict: "failed", Attempts: 3, Failures: 1, Reasons: []string{text},
			Sample: &prove.Sample{Who: text, Wrong: text, Method: text, Target: text, Headers: []string{text}, Body: text, Status: 200}}},
		Routes: []prove.Covered{{Route: text, Note: text}}, Identities: []string{text}, NotTested: []prove.Untested{{What: text, Why: text}},
		Left: []string{text}, Cleanup: []prove.Cleanup{{What: text, Note: text}},
	}
}

// A change of any byte is found, and so is one that is put in, taken out, or at the end.
func TestEveryByteIsSigned(t *testing.T) {
	t.Parallel()
	file, err := prove.Sign(hostile(), signer())
	if err != nil {
		t.Fatal(err)
	}
	if s, err := prove.Verify(file, prove.PublicKey(signer())); err != nil || s.Report.Seed != 1<<64-1 || s.Report.Proven() {
		t.Fatalf("control: %v", err)
	}
	refused := func(what string, at int, changed []byte) {
		if _, err := prove.Verify(changed, ""); err == nil {
			t.Errorf("%s at %d is not found: %.40q", what, at, changed[max(0, at-20):])
		}
	}
	for n := range file {
		for _, flip := range []byte{1, 0x20, 0x80} {
			changed := bytes.Clone(file)
			changed[n] ^= flip
			refused("a flip", n, changed)
		}
		refused("a byte less", n, append(bytes.Clone(file[:n]), file[n+1:]...))
		refused("a space more", n, append(append(bytes.Clone(file[:n]), ' '), file[n:]...))
	}
	refused("an end", 0, file[:len(file)/2])
	refused("a line more", len(file), append(bytes.Clone(file), '\n'))
	refused("nothing", 0, nil)
	refused("null", 0, []byte("null"))
	refused("an empty one", 0, []byte("{}"))
}

// Who signs again what they changed has another key.
func TestAnotherKeyIsAnother(t *testing.T) {
	t.Parallel()
	key, made, err := prove.SigningKey(filepath.Join(t.TempDir(), "key.pem"))
	if err != nil || !made {
		t.Fatal(made, err)
	}
	file, err := prove.Sign(hostile(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := prove.Verify(file, ""); err != nil {
		t.Errorf("control: %v", err)
	}
	if _, err := prove.Verify(file, prove.PublicKey(signer())); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("%v", err)
	}
}

func TestTheSigningKeyIsItsOwners(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key.pem")
	first, made, err := prove.SigningKey(file)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if again, made, err := prove.SigningKey(file); err != nil || made || !first.Equal(again) {
		t.Errorf("read again: %v %v", made, err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := prove.SigningKey(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("others may read it: %v", err)
	}
	if err := os.WriteFile(file, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := prove.SigningKey(file); err == nil {
		t.Error("what is no key is taken for one")
	}
}

// The page is text, whatever the report says, and asks nobody for anything.
func TestThePageIsInert(t *testing.T) {
	t.Parallel()
	file, err := prove.Sign(hostile(), signer())
	if err != nil {
		t.Fatal(err)
	}
	s, err := prove.Verify(file, "")
	if err != nil {
		t.Fatal(err)
	}
	page := string(prove.HTML(s))
	for _, no := range []string{"<script", "<img", "onerror=alert(1)>", "http://", "https://", "url(", "@import", "<link", "<iframe", "javascript:", "\x00"} {
		if strings.Contains(strings.ToLower(page), no) {
			t.Errorf("%q is in the page", no)
		}
	}
	for _, want := range []string{"default-src &#39;none&#39;", "style-src &#39;sha256-", "&lt;script&gt;alert(1)", "Isolation is broken", s.SHA256, s.PublicKey, "What was not tested", "An attack that succeeded (class 2)"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	if verdict, table := strings.Index(page, "Isolation is broken"), strings.Index(page, "<table"); verdict > table {
		t.Error("the verdict does not come first")
	}
}
