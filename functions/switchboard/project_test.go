package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProjects(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.says([]string{"ID ", "alpha  Alpha  company  standard  active"}, "project", "list")
	d.equal(d.json([]string{"data.0.id", "data.2.id", "next_cursor"}, "project", "list"), "alpha", "gamma", "")

	create := []string{"project", "create", "sparky-co", "--name", "Sparky & Co", "--kind", "client", "--tier", "pro", "--origin", "https://a.example", "--origin", "https://b.example"}
	d.says([]string{"sparky-co is there", "switchboard key create sparky-co"}, create...)
	d.equal(d.json([]string{"id", "manifest.origins.1", "manifest.kind", "version"}, create...), "sparky-co", "https://b.example", "client", "1")
	d.refused("There is a project of this id already.", "project", "create", "sparky-co", "--name", "Other")
	d.refused(`"name"`, "project", "create", "sparky-co")
	d.refused("starting with a letter", "project", "create", "9", "--name", "Nine")
	d.refused("tier", "project", "create", "gold-co", "--name", "Gold", "--tier", "golden")

	d.says([]string{"id ", "sparky-co", "name: Sparky & Co", "  - https://b.example"}, "project", "show", "sparky-co")
	d.equal(d.json([]string{"manifest.name", "status", "assistants"}, "project", "show", "sparky-co"), "Sparky & Co", "active", "[]")

	d.says([]string{"version 2"}, "project", "set", "sparky-co", "tier=free", "budget.monthly_usd=200", "budget.alerts=[50,100]", "kind=null", "group=sparks")
	d.equal(d.json([]string{"tier", "kind", "manifest.budget.monthly_usd", "manifest.budget.alerts.1", "manifest.kind", "group", "version"}, "project", "show", "sparky-co"),
		"free", "company", "200", "100", "", "sparks", "2")
	d.says([]string{"version 2"}, "project", "set", "sparky-co", "tier=free")
	for want, args := range map[string][]string{
		"is not FIELD=VALUE":     {"tier"},
		"is given twice":         {"tier=pro", "tier=free"},
		"as a value and as a":    {"budget=null", "budget.monthly_usd=1"},
		"tier is \"golden\"":     {"tier=golden"},
		"unknown field \"tear\"": {"tear=pro"},
	} {
		d.refused(want, append([]string{"project", "set", "sparky-co"}, args...)...)
	}

	d.says([]string{"VERSION", "2 ", "1 "}, "project", "versions", "sparky-co")
	d.equal(d.json([]string{"data.0.version", "data.1.version", "data.2"}, "project", "versions", "sparky-co"), "2", "1", "")
	d.says([]string{"version 3"}, "project", "rollback", "sparky-co", "1")
	d.equal(d.json([]string{"tier", "version"}, "project", "rollback", "sparky-co", "1"), "pro", "3")
	d.refused("is no version", "project", "rollback", "sparky-co", "first")
	d.refused("There is no such", "project", "rollback", "sparky-co", "99")

	d.says([]string{"sparky-co is suspended: unpaid since May"}, "project", "suspend", "sparky-co", "--reason", "unpaid since May")
	d.says([]string{"suspended", "unpaid since May"}, "project", "show", "sparky-co")
	d.refused(`"reason"`, "project", "suspend", "sparky-co")
	d.equal(d.json([]string{"status"}, "project", "resume", "sparky-co"), "active")
	d.says([]string{"sparky-co is active"}, "project", "resume", "sparky-co")
}

// Another's words move no cursor.
func TestNamesAreNoCommandsOfATerminal(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("key", "create", "alpha", "--name", "\x1b[2J\nnext")
	if out := d.ok("key", "list", "alpha"); strings.Contains(out, "\x1b") || !strings.Contains(out, "?[2J?next") {
		t.Errorf("%q", out)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	top := t.TempDir()
	dir := filepath.Join(top, "alpha")
	d.says([]string{"has the 5 files of alpha; 5 written"}, "project", "export", "alpha", dir)
	text, err := os.ReadFile(filepath.Join(dir, "knowledge", "hours.md"))
	if err != nil || string(text) != "---\ntitle: Hours\n---\nWe are open on weekdays from 7 to 5." {
		t.Errorf("%q, %v", text, err)
	}
	d.equal(d.json([]string{"id", "dir", "files", "written"}, "project", "export", "alpha", dir), "alpha", dir, "5", "[]")
	// It is a folder that sync takes, and the same.
	d.says([]string{"alpha  unchanged"}, "sync", "--companies", top)

	mine := write(t, filepath.Join(dir, "knowledge", "hours.md"), "We never close.")
	own := write(t, filepath.Join(dir, "tools.yaml"), "mine")
	if err := os.Remove(filepath.Join(dir, "company.yaml")); err != nil {
		t.Fatal(err)
	}
	d.refused("knowledge/hours.md is there and says something else, so nothing was written", "project", "export", "alpha", dir)
	if _, err := os.Stat(filepath.Join(dir, "company.yaml")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
	d.equal(d.json([]string{"written"}, "project", "export", "alpha", dir, "--force"), `["company.yaml","knowledge/hours.md"]`)
	if text, err := os.ReadFile(mine); err != nil || strings.Contains(string(text), "never") {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Error(err)
	}
}

// No link in the folder leads an export out of it.
func TestExportStaysInItsFolder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "knowledge")); err != nil {
		t.Fatal(err)
	}
	d.refused("knowledge", "project", "export", "alpha", dir, "--force")
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
