package sqlitesearch_test

import (
	"os"
	"path/filepath"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/search"
	"switchboard/shared/search/searchtest"
	"switchboard/shared/search/sqlitesearch"
	"switchboard/shared/tenant/tenanttest"
)

func open(t testing.TB, dir string) *search.Index {
	t.Helper()
	return openWith(t, dir, nil)
}

func openWith(t testing.TB, dir string, o *sqlitesearch.Options) *search.Index {
	t.Helper()
	x, err := sqlitesearch.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]*sqlitesearch.Options{
		"Held":      nil,
		"HeldByFew": {Memory: 2000}, // room for one small tenant or two
		"Large":     {Text: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			searchtest.Run(t, func(t *testing.T) *search.Index { return openWith(t, t.TempDir(), o) })
		})
	}
}

func docs(id, text string) []search.Document {
	return []search.Document{{ID: id, Version: "1", Passages: []search.Passage{{ID: id + "#1", Document: id, Text: text}}}}
}

func TestItIsThereAfterAReopen(t *testing.T) {
	t.Parallel()
	dir, sc := t.TempDir(), tenanttest.Scope("abc")
	x := open(t, dir)
	if err := x.Replace(t.Context(), sc, docs("a", "heron"), nil); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Query(t.Context(), sc, "heron", 1); !problem.Is(err, problem.Unavailable) {
		t.Errorf("a closed index answers: %v", err)
	}
	if hits, err := open(t, dir).Query(t.Context(), sc, "heron", 1); err != nil || len(hits) != 1 {
		t.Errorf("got %v, %v", hits, err)
	}
}

// TestTheFilesAreTheirOwners: a backup or a copy keeps a file's mode, not its directory's.
func TestTheFilesAreTheirOwners(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := open(t, dir).Replace(t.Context(), tenanttest.Scope("one"), docs("a", "heron"), nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"search.db", "search.db-wal"} {
		if info, err := os.Stat(filepath.Join(dir, "one", name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// TestADamagedFileHarmsItsTenantAlone covers a file with nonsense in it, and a
// directory that is a link to another tenant's.
func TestADamagedFileHarmsItsTenantAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := open(t, dir)
	if err := x.Replace(t.Context(), tenanttest.Scope("good"), docs("a", "heron"), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bad"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad", "search.db"), []byte("this is not a database, and is long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("good", filepath.Join(dir, "thief")); err != nil {
		t.Fatal(err)
	}
	for _, project := range []string{"bad", "thief"} {
		if hits, err := x.Query(t.Context(), tenanttest.Scope(project), "heron", 1); !problem.Is(err, problem.Unavailable) {
			t.Errorf("%s: %v, %v", project, hits, err)
		}
	}
	if hits, err := x.Query(t.Context(), tenanttest.Scope("good"), "heron", 1); err != nil || len(hits) != 1 {
		t.Errorf("the good one: %v, %v", hits, err)
	}
}
