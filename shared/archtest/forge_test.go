package archtest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// forgery is one program of testdata/forge and what the compiler has to say of it.
type forgery struct {
	name string
	want map[string]*regexp.Regexp // line -> error
}

var wanted = regexp.MustCompile(`// want: ("(?:[^"\\]|\\.)*")`)

func forgeries(t *testing.T) (all []forgery, overlay string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "shared/archtest/testdata/forge/*/x.go"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d forgeries, %v", len(files), err)
	}
	replace := map[string]string{}
	for _, file := range files {
		f := forgery{name: filepath.Base(filepath.Dir(file)), want: map[string]*regexp.Regexp{}}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			if m := wanted.FindStringSubmatch(line); m != nil {
				var pattern string
				if err := json.Unmarshal([]byte(m[1]), &pattern); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				f.want[f.name+"/x.go:"+strconv.Itoa(n)] = regexp.MustCompile(pattern)
			}
		}
		if (f.name == "control") != (len(f.want) == 0) {
			t.Fatalf("%s wants %d errors", f.name, len(f.want))
		}
		all = append(all, f)
		replace[filepath.Join(root, "shared/archtest/forged", f.name, "x.go")] = file
	}
	return all, overlayOf(t, replace)
}

// overlayOf tells the go command that files lie in the module, where its rule of
// internal packages holds. Nothing is written there.
func overlayOf(t *testing.T, replace map[string]string) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestTestScopesNeedATest runs a program that is no test: it gets no Scope.
func TestTestScopesNeedATest(t *testing.T) {
	t.Parallel()
	overlay := overlayOf(t, map[string]string{
		filepath.Join(root, "shared/archtest/outside/main.go"): filepath.Join(root, "shared/archtest/testdata/outside/main.go"),
	})
	out, errs, err := goTool("run", "-overlay", overlay, "./shared/archtest/outside")
	if err == nil || out != "" || !strings.Contains(errs, "panic: tenanttest: called outside a test") {
		t.Errorf("%q, %q, %v", out, errs, err)
	}
}

// TestForgeriesDoNotCompile compiles each program of testdata/forge. Every error
// that it wants has to come, on its line, and no other.
func TestForgeriesDoNotCompile(t *testing.T) {
	t.Parallel()
	all, overlay := forgeries(t)
	var imports, compiles []string
	for _, f := range all {
		p := "./shared/archtest/forged/" + f.name
		if strings.HasPrefix(f.name, "internal_") {
			imports = append(imports, p) // refused before anything is compiled
		} else {
			compiles = append(compiles, p)
		}
	}
	// One command for each of the two, because a forbidden import ends a build
	// before the others are compiled.
	_, out, err := goTool(append([]string{"build", "-gcflags=-e", "-overlay", overlay}, compiles...)...)
	if err == nil {
		t.Fatal("all forgeries compile")
	}
	listed, errs, err := goTool(append([]string{"list", "-e", "-overlay", overlay, "-f", "{{with .Error}}{{.Pos}}: {{.Err}}{{end}}"}, imports...)...)
	if err != nil {
		t.Fatal(errs)
	}
	got := map[string]string{}
	for line := range strings.Lines(out + listed) {
		if m := position.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			got[m[1]] += m[2]
		}
	}
	for _, f := range all {
		for at, want := range f.want {
			if text, ok := got[at]; !ok {
				t.Errorf("%s compiles; want %q", at, want)
			} else if !want.MatchString(text) {
				t.Errorf("%s: %s; want %q", at, text, want)
			}
			delete(got, at)
		}
	}
	for at, text := range got {
		t.Errorf("%s: %s: unexpected", at, text)
	}
	if t.Failed() {
		t.Log(out, listed)
	}
}

var position = regexp.MustCompile(`(?:forged|forge)/(\w+/x\.go:\d+):\d+: (.*)`)
