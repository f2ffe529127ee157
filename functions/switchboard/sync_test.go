package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchboard/shared/app/apptest"
	"switchboard/shared/company/catalog"
	"switchboard/shared/tenant/auth"
)

// sparky is a desk, and a folder of companies with one that the server does not know.
func sparky(t *testing.T) (d *desk, dir string) {
	t.Helper()
	d, dir = newDesk(t), t.TempDir()
	write(t, filepath.Join(dir, "sparky-co/company.yaml"), "name: \"Sparky & Co\" # of Elgin\ntier: pro\nretention: {audit_days: 30}\n")
	write(t, filepath.Join(dir, "sparky-co/assistants/website.md"), "You answer for Sparky & Co.")
	write(t, filepath.Join(dir, "sparky-co/knowledge/prices.md"), "---\ntitle: Prices\n---\nA visit costs $90 (sparkycanary).\n")
	return d, dir
}

// texts counts the texts of files that were sent, and holds each request to what a
// server takes.
func (d *desk) texts() (puts, texts int) {
	d.t.Helper()
	for _, r := range d.requests() {
		if len(r.body) > auth.MaxAdminBody {
			d.t.Errorf("%s %s has %d bytes", r.method, r.path, len(r.body))
		}
		if r.method == http.MethodPut {
			puts++
			texts += strings.Count(apptest.Get([]byte(r.body), "files"), `.md":`) + strings.Count(apptest.Get([]byte(r.body), "files"), `.yaml":`)
		}
	}
	return puts, texts
}

func TestSync(t *testing.T) {
	t.Parallel()
	d, dir := sparky(t)
	sync := []string{"sync", "--companies", dir}
	plan := []string{"sparky-co  create\n  + assistants/website.md\n  + company.yaml\n  + knowledge/prices.md\n"}
	d.says(plan, append(sync, "--dry-run")...)
	d.refused("There is no such project.", "project", "show", "sparky-co")
	d.equal(d.json([]string{"dry_run", "projects.0.id", "projects.0.state", "projects.0.changes.1.path", "projects.0.changes.1.change", "projects.0.changes.1.wanted"}, append(sync, "--dry-run")...),
		"true", "sparky-co", "create", "company.yaml", "added", "")

	d.says(append(plan, "sparky-co: created. Next: switchboard key create sparky-co"), sync...)
	key := strings.TrimSpace(d.ok("key", "create", "sparky-co"))
	if a := d.Post(key, "/v1/chat", `{"assistant":"website","message":"What does a visit cost?"}`); a.Status != 200 || !strings.Contains(a.Body, "sparkycanary") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	d.ok("project", "export", "sparky-co", copied)
	if text, err := os.ReadFile(filepath.Join(copied, "company.yaml")); err != nil || !strings.Contains(string(text), "# of Elgin") {
		t.Errorf("it is not the folder's own text: %q, %v", text, err)
	}
	d.equal(d.json([]string{"manifest.retention.audit_days", "tier"}, "project", "show", "sparky-co"), "30", "pro")

	// Where nothing changed, no text is sent.
	d.requests()
	d.says([]string{"sparky-co  unchanged\n"}, sync...)
	if puts, texts := d.texts(); puts != 2 || texts != 0 {
		t.Errorf("%d requests with %d texts", puts, texts)
	}
	d.equal(d.json([]string{"dry_run", "projects.0.state", "projects.0.changes"}, sync...), "false", "unchanged", "[]")

	// What changed on either side.
	write(t, filepath.Join(dir, "sparky-co/company.yaml"), "name: Sparky\n")
	write(t, filepath.Join(dir, "sparky-co/knowledge/hours.md"), "We are open on weekdays.")
	d.ok("assistant", "set", "sparky-co", "website", "greeting=Hello")
	d.requests()
	d.says([]string{"sparky-co\n  = assistants/website.md\n  ~ company.yaml\n  + knowledge/hours.md\n", "sparky-co: changed"}, sync...)
	if _, texts := d.texts(); texts != 2 {
		t.Errorf("%d texts", texts)
	}
	d.equal(d.json([]string{"name"}, "project", "show", "sparky-co"), "Sparky")
	d.equal(d.json([]string{"greeting"}, "assistant", "show", "sparky-co", "website"), "Hello")
	d.says([]string{"  = assistants/website.md\n"}, sync...)
	d.says([]string{"  ~ assistants/website.md\n"}, append(sync, "--force")...)
	d.equal(d.json([]string{"greeting"}, "assistant", "show", "sparky-co", "website"), "")
}

func TestSyncAsksBeforeItRemoves(t *testing.T) {
	t.Parallel()
	d, dir := sparky(t)
	sync := []string{"sync", "--companies", dir}
	d.ok(sync...)
	prices, other := filepath.Join(dir, "sparky-co/knowledge/prices.md"), filepath.Join(dir, "sparky-co/knowledge/other.md")
	if err := os.Rename(prices, other); err != nil {
		t.Fatal(err)
	}
	there := func(want string) {
		t.Helper()
		if changes := d.json([]string{"projects.0.changes"}, append(sync, "--dry-run")...)[0]; changes != want {
			t.Errorf("%s is yet to be done, want %s", changes, want)
		}
	}
	pending := changed("added", "knowledge/other.md", "removed", "knowledge/prices.md")
	for name, c := range map[string]struct {
		stdin, want string
		terminal    bool
		args        []string
	}{
		"nobody there":   {"y\n", "1 file would be removed, so nothing was applied; --yes removes", false, nil},
		"a program asks": {"y\n", "--yes removes", true, []string{"--json"}},
		"no":             {"n\n", "nothing was applied", true, nil},
		"no answer":      {"", "nothing was applied", true, nil},
	} {
		d.process.Stdin, d.process.Terminal = c.stdin, c.terminal
		_, asked, failed := d.process.Run(t.Context(), append(sync, c.args...)...)
		if !strings.Contains(failed, c.want) || strings.Contains(asked, "Remove 1 file? [y/N]") != (c.terminal && c.args == nil) {
			t.Errorf("%s: asked %q, failed with %q", name, asked, failed)
		}
		there(pending)
	}
	d.process.Stdin, d.process.Terminal = "y\n", true
	if out, _, failed := d.process.Run(t.Context(), sync...); failed != "" || !strings.Contains(out, "  - knowledge/prices.md") {
		t.Errorf("yes: %q, %s", failed, out)
	}
	there("[]")
	d.process.Terminal = false
	if err := os.Rename(other, prices); err != nil {
		t.Fatal(err)
	}
	d.equal(d.json([]string{"projects.0.state"}, append(sync, "--yes")...), "changed")
	there("[]")
}

// changed is the list of changes as --json prints it, of what and path by turns.
func changed(pairs ...string) string {
	var list []string
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, fmt.Sprintf(`{"path":%q,"change":%q}`, pairs[i+1], pairs[i]))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// What the server has already, by whatever way, the folder takes over: so that what it
// drops later is removed.
func TestSyncTakesOver(t *testing.T) {
	t.Parallel()
	d, dir := sparky(t)
	d.ok("project", "create", "sparky-co", "--name", "Sparky")
	d.process.Stdin = "You answer at night."
	d.ok("assistant", "create", "sparky-co", "night", "--file", "-")
	folder := filepath.Join(dir, "sparky-co")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	d.ok("project", "export", "sparky-co", folder)
	d.says([]string{"sparky-co  unchanged"}, "sync", "--companies", dir)
	if err := os.Remove(filepath.Join(folder, "assistants/night.md")); err != nil {
		t.Fatal(err)
	}
	d.says([]string{"  - assistants/night.md"}, "sync", "--companies", dir, "--yes")
	d.refused("There is no such assistant", "assistant", "show", "sparky-co", "night")
}

// A mistake anywhere is shown with its place, and nothing is applied anywhere.
func TestSyncOfAFolderWithMistakes(t *testing.T) {
	t.Parallel()
	d, dir := sparky(t)
	write(t, filepath.Join(dir, "other-co/company.yaml"), "name: Other\ntier: golden\n")
	write(t, filepath.Join(dir, "other-co/assistants/desk.md"), "---\nmodell: x\n---\nHi.\n")
	d.refused("2 mistakes, so nothing was applied:\n"+filepath.Join(dir, "other-co/assistants/desk.md")+`:2:1: unknown field "modell"; did you mean "model"?`+"\n"+filepath.Join(dir, "other-co/company.yaml")+`:2:7: tier is "golden"`, "sync", "--companies", dir)
	if sent := d.requests(); len(sent) != 0 {
		t.Errorf("%+v was sent", sent)
	}
	d.refused("There is no such project.", "project", "show", "sparky-co")
	d.refused("--companies: open", "sync", "--companies", filepath.Join(dir, "none"))
	d.refused("there is no company in", "sync", "--companies", t.TempDir())
}

func TestSyncOfSome(t *testing.T) {
	t.Parallel()
	d, dir := sparky(t)
	write(t, filepath.Join(dir, "other-co/company.yaml"), "name: Other\n")
	d.refused("there is no folder "+filepath.Join(dir, "third-co"), "sync", "third-co", "other-co", "--companies", dir)
	d.equal(d.json([]string{"projects.0.id", "projects.1"}, "sync", "other-co", "--companies", dir), "other-co", "")
	d.refused("There is no such project.", "project", "show", "sparky-co")
}

// One company's failure hides no other's success.
func TestSyncOfACompanyThatFails(t *testing.T) {
	t.Parallel()
	d, dir := sparky(t)
	for _, id := range []string{"able-co", "baker-co"} {
		write(t, filepath.Join(dir, id, "company.yaml"), "name: "+id+"\n")
	}
	for name, fails := range map[string]func(r request) bool{
		"when it is compared": func(r request) bool { return strings.Contains(r.path, "baker-co") },
		"when it is stored": func(r request) bool {
			return strings.Contains(r.path, "baker-co") && strings.Contains(r.body, `"dry_run":false`)
		},
	} {
		d.failing(func(r request, w http.ResponseWriter) bool {
			if fails(r) {
				busy(w, http.StatusConflict, "")
				return true
			}
			return false
		})
		out, _, failed := d.process.Run(t.Context(), "sync", "--companies", dir)
		if failed != "1 of 3 companies failed" || !strings.Contains(out, "baker-co: failed: Too much, Conflict.") || strings.Contains(out, "able-co: failed") {
			t.Errorf("%s: %s\n%s", name, failed, out)
		}
		out, _, failed = d.process.Run(t.Context(), "sync", "--companies", dir, "--json")
		got := fieldsIn(t, out, []string{"projects.0.state", "projects.1.state", "projects.1.error", "projects.2.state"})
		d.equal(got, "unchanged", "failed", "Too much, Conflict.", "unchanged")
		if failed != "1 of 3 companies failed" {
			t.Errorf("%s: %q", name, failed)
		}
	}
	d.failing(nil)
	d.says([]string{"sparky-co  unchanged", "able-co  unchanged", "baker-co"}, "sync", "--companies", dir)
}

// A folder larger than one request goes in several, each with all hashes.
func TestSyncOfALargeFolder(t *testing.T) {
	t.Parallel()
	d, dir := sparky(t)
	line := "A \"quoted\" line of <b>text</b> that JSON makes longer\n"
	for i := range 60 {
		write(t, filepath.Join(dir, fmt.Sprintf("sparky-co/knowledge/long-%d.md", i)), strings.Repeat(line, 80<<10/len(line)))
	}
	d.says([]string{"sparky-co: created"}, "sync", "--companies", dir)
	if puts, texts := d.texts(); puts < 2 || puts > 4 || texts != 63 {
		t.Errorf("%d requests with %d texts", puts, texts)
	}
	d.equal(d.json([]string{"projects.0.state"}, "sync", "--companies", dir), "unchanged")
	copied := filepath.Join(t.TempDir(), "sparky-co")
	d.equal(d.json([]string{"files"}, "project", "export", "sparky-co", copied), "63")
	text, err := os.ReadFile(filepath.Join(copied, "knowledge/long-59.md"))
	if err != nil || catalog.Hash(string(text)) != catalog.Hash(strings.Repeat(line, 80<<10/len(line))) {
		t.Errorf("%d bytes came back, %v", len(text), err)
	}

	// The largest file that there can be fits.
	write(t, filepath.Join(dir, "sparky-co/knowledge/longest.md"), strings.Repeat("\"\n", 128<<10))
	d.says([]string{"+ knowledge/longest.md", "sparky-co: changed"}, "sync", "--companies", dir)
}
