package company_test

import (
	"errors"
	"strings"
	"testing"

	"switchboard/shared/company"
)

// What is cut out of a file and what is left must be the file, whatever is in it.
func FuzzSplitMatter(f *testing.F) {
	for _, s := range []string{"", "---", "---\n", "---\n---", "---\na: 1\n---\nbody\n", "--- \na\n---\t\n", "x\n---\n", "---\n--- x\n---\n\n---\n", fullAssistant} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		matter, body, closed := company.SplitMatter(text)
		switch {
		case !closed:
			if matter != "" || body != "" || !strings.HasPrefix(text, "---") {
				t.Fatalf("unclosed %q gave %q and %q", text, matter, body)
			}
		case matter == "" && body == text:
		case !strings.HasPrefix(text, "---") || !strings.HasSuffix(text, body) || !strings.Contains(text[:len(text)-len(body)], "\n"+matter+"---"):
			t.Fatalf("%q gave %q and %q", text, matter, body)
		}
	})
}

// Load may refuse anything, but it never panics, never returns companies beside
// an error, and names a place within the file.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{"", "name: Acme\n", fullManifest, "name: [\n", "? a\n: b\n", "name: &a x\nb: *a\n", "a: |\n  x\n b: 1\n", "{name: a, b}", "- - - a\n", "name: \"\\u0000\"\n", "%YAML 1.2\n---\nname: a\n...\n", "members:\n- {email: a@b.c, role: owner}\n"} {
		f.Add(s, fullAssistant)
	}
	f.Fuzz(func(t *testing.T, manifest, assistant string) {
		got, err := company.Load(tree(map[string]string{"acme/company.yaml": manifest, "acme/assistants/front.md": assistant}))
		if (err == nil) != (len(got) == 1) {
			t.Fatalf("%d companies and %v", len(got), err)
		}
		if err == nil {
			if c := got[0]; c.Name == "" || c.Timezone == "" || c.Assistants[0].Instructions == "" || len(company.Version(c.Company)) != 12 {
				t.Fatalf("a company that is not whole: %+v", c)
			}
			return
		}
		for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
			m, ok := errors.AsType[*company.Mistake](err)
			if !ok || m.Message == "" || m.Line < 0 || m.Line > 0 && m.Column < 1 || m.Line > 2+strings.Count(manifest+assistant, "\n")+strings.Count(manifest+assistant, "\r") {
				t.Fatalf("mistake %+v in %q and %q", m, manifest, assistant)
			}
		}
	})
}
