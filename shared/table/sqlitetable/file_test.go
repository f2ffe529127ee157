package sqlitetable_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

var (
	one = tenanttest.Scope("one")
	two = tenanttest.Scope("two")
)

// logged is where a table's log goes, to be searched.
type logged struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

// prepared returns a directory in which tenant one has an item "a" and is closed.
func prepared(t *testing.T) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	tbl, err := sqlitetable.Open(dir, testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tbl.Write(t.Context(), one, table.Create(item("a"), []byte("secret"))), tbl.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, "one", "table.db")
}

// harmed holds that tenant one is refused with a cause that is logged, and that
// tenant two does not notice.
func harmed(t *testing.T, dir, cause string) {
	t.Helper()
	var log logged
	tbl := open(t, dir, &sqlitetable.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := tbl.Get(t.Context(), one, item("a"))
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), cause) {
		t.Errorf("Get: %v, want unavailable: %q", err, cause)
	}
	if text := log.text(); !strings.Contains(text, "project=one") || !strings.Contains(text, cause) {
		t.Errorf("the log does not say %q: %s", cause, text)
	}
	for range 3 {
		if err := tbl.Write(t.Context(), one, table.Put(item("a"), nil)); !problem.Is(err, problem.Unavailable) {
			t.Errorf("Write: %v", err)
		}
	}
	if n := strings.Count(log.text(), "project=one"); n != 1 {
		t.Errorf("%d log lines for one broken file in a moment", n)
	}
	works(t, tbl, two)
}

// works writes and reads as the tenant.
func works(t *testing.T, tbl *table.Table, sc tenant.Scope) {
	t.Helper()
	if err := tbl.Write(t.Context(), sc, table.Put(item("works"), []byte("yes"))); err != nil {
		t.Errorf("%s: Write: %v", sc.Project(), err)
	}
	if it, err := tbl.Get(t.Context(), sc, item("works")); err != nil || string(it.Body) != "yes" {
		t.Errorf("%s: Get: %q, %v", sc.Project(), it.Body, err)
	}
}

func TestCorruptFileHarmsItsTenantOnly(t *testing.T) {
	t.Parallel()
	t.Run("garbage", func(t *testing.T) {
		t.Parallel()
		dir, file := prepared(t)
		if err := os.WriteFile(file, bytes.Repeat([]byte("garbage "), 4096), 0o600); err != nil {
			t.Fatal(err)
		}
		harmed(t, dir, "not a database")
	})
	t.Run("newer", func(t *testing.T) {
		t.Parallel()
		dir, file := prepared(t)
		alter(t, file, `PRAGMA user_version=2`)
		harmed(t, dir, "newer version")
	})
	t.Run("foreign", func(t *testing.T) {
		t.Parallel()
		dir, file := prepared(t)
		alter(t, file, `PRAGMA application_id=7`)
		harmed(t, dir, "not a table of Switchboard's")
	})
	t.Run("locked", func(t *testing.T) {
		t.Parallel()
		dir, _ := prepared(t)
		works(t, open(t, dir, nil), one) // another opener of the same directory
		harmed(t, dir, "another process has it open")
	})
	t.Run("damaged while open", func(t *testing.T) {
		t.Parallel()
		damagedWhileOpen(t)
	})
}

// damagedWhileOpen makes a file unreadable behind SQLite's back, and whole again:
// the tenant is refused for as long as that lasts, and needs no restart.
func damagedWhileOpen(t *testing.T) {
	dir, file := prepared(t)
	seed := open(t, dir, nil)
	for i := range 20 { // more than SQLite keeps in memory
		must(t, seed.Write(t.Context(), one, table.Create(item(fmt.Sprint(i)), bytes.Repeat([]byte("x"), 200_000)).Relaxed()))
	}
	must(t, seed.Close())
	good, err := os.ReadFile(file)
	must(t, err)

	var log logged
	tbl := open(t, dir, &sqlitetable.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	works(t, tbl, one)
	works(t, tbl, two)
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, len(good)-4096), 4096)
	must(t, err)
	if it, err := tbl.Get(t.Context(), one, item("7")); !problem.Is(err, problem.Unavailable) {
		t.Errorf("Get: version %d, %v", it.Version, err)
	}
	works(t, tbl, two)
	if text := log.text(); !strings.Contains(text, "reopened") || !strings.Contains(text, "malformed") {
		t.Errorf("the log does not say what happened: %s", text)
	}
	_, err = f.WriteAt(good, 0)
	must(t, err)
	if it, err := tbl.Get(t.Context(), one, item("7")); err != nil || it.Version != 1 {
		t.Errorf("when it is whole again: version %d, %v", it.Version, err)
	}
}

// alter runs SQL on a file that nobody has open.
func alter(t *testing.T, file, sql string) {
	t.Helper()
	c, err := sqlite3.Open(file)
	if err == nil {
		err = errors.Join(c.Exec(sql), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestSymbolicLinksAreRefused puts a link wherever one could lead a tenant to
// another's data or out of the directory.
func TestSymbolicLinksAreRefused(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(dir, file, outside string) error{
		"directory to another tenant": func(dir, _, _ string) error { return os.Symlink("two", filepath.Join(dir, "one")) },
		"directory to outside":        func(dir, _, outside string) error { return os.Symlink(outside, filepath.Join(dir, "one")) },
		"file to another tenant": func(dir, file, _ string) error {
			return errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.Symlink("../two/table.db", file))
		},
		"file to outside": func(dir, file, outside string) error {
			return errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.Symlink(filepath.Join(outside, "table.db"), file))
		},
		"wal to outside": func(dir, file, outside string) error {
			return errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.Symlink(filepath.Join(outside, "wal"), file+"-wal"))
		},
		"journal to outside": func(dir, file, outside string) error {
			return errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.Symlink(filepath.Join(outside, "j"), file+"-journal"))
		},
		"a file for the directory": func(dir, file, _ string) error { return os.WriteFile(filepath.Dir(file), nil, 0o600) },
		"a directory for the file": func(dir, file, _ string) error { return os.MkdirAll(file, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, outside := t.TempDir(), t.TempDir()
			tbl := open(t, dir, &sqlitetable.Options{Log: slog.New(slog.DiscardHandler)})
			works(t, tbl, two)
			if err := link(dir, filepath.Join(dir, "one", "table.db"), outside); err != nil {
				t.Fatal(err)
			}
			if it, err := tbl.Get(t.Context(), one, item("works")); !problem.Is(err, problem.Unavailable) || it.Version != 0 {
				t.Errorf("Get: %q, %v", it.Body, err)
			}
			if err := tbl.Write(t.Context(), one, table.Put(item("works"), []byte("no"))); !problem.Is(err, problem.Unavailable) {
				t.Errorf("Write: %v", err)
			}
			if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
				t.Errorf("something was written outside: %v, %v", left, err)
			}
			works(t, tbl, two)
		})
	}
}

// TestDirectoryMayBeALink: what the operator names may be a link; it is resolved
// once, and the tenants' way begins behind it.
func TestDirectoryMayBeALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "data")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	works(t, open(t, link, nil), one)
	if _, err := os.Stat(filepath.Join(dir, "one", "table.db")); err != nil {
		t.Error(err)
	}
}

// TestFileOfAnother gives a tenant the file of another, whole: it holds nothing
// for them, and the feed says that something is wrong.
func TestFileOfAnother(t *testing.T) {
	t.Parallel()
	dir, file := prepared(t)
	stolen := filepath.Join(dir, "two", "table.db")
	if err := errors.Join(os.Mkdir(filepath.Dir(stolen), 0o700), os.Rename(file, stolen)); err != nil {
		t.Fatal(err)
	}
	tbl := open(t, dir, nil)
	if it, err := tbl.Get(t.Context(), two, item("a")); err != nil || it.Version != 0 {
		t.Errorf("Get: %q, %v", it.Body, err)
	}
	if page, err := tbl.List(t.Context(), two, table.Query{Kind: "test", Parent: "p"}); err != nil || len(page.Items) != 0 {
		t.Errorf("List: %d items, %v", len(page.Items), err)
	}
	if changes, _, err := tbl.Changes(t.Context(), two, "", 10); err == nil || len(changes) != 0 {
		t.Errorf("Changes: %v, %v", changes, err)
	}
}

func TestOnlyTheOwnerReads(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	works(t, open(t, dir, nil), one)
	for path, want := range map[string]os.FileMode{"": 0o700, "one": 0o700, "one/table.db": 0o600, "one/table.db-wal": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v, want %v; %v", path, info.Mode().Perm(), want, err)
		}
	}
}

// TestOpenFilesAreBounded uses many tenants at once with few files open.
func TestOpenFilesAreBounded(t *testing.T) {
	t.Parallel()
	st, err := sqlitetable.OpenStore(t.TempDir(), &sqlitetable.Options{MaxOpen: 3})
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := table.New(st, testKey)
	if err != nil {
		t.Fatal(err)
	}
	const tenants, rounds = 8, 3
	scope := func(i int) tenant.Scope { return tenanttest.Scope(fmt.Sprint("tenant", i)) }
	for range rounds {
		for i := range tenants {
			if err := tbl.Write(t.Context(), scope(i), table.Add(item("n"), map[string]int64{"n": 1})); err != nil {
				t.Fatal(err)
			}
			if n := st.OpenFiles(); n > 3 {
				t.Fatalf("%d files are open", n)
			}
		}
	}
	var wg sync.WaitGroup
	for i := range tenants * 4 {
		wg.Go(func() {
			if err := tbl.Write(t.Context(), scope(i%tenants), table.Add(item("n"), map[string]int64{"n": 1})); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range tenants {
		if it, err := tbl.Get(t.Context(), scope(i), item("n")); err != nil || it.Counts["n"] != rounds+4 {
			t.Errorf("tenant %d: %v, %v", i, it.Counts, err)
		}
	}
	if err := tbl.Close(); err != nil || st.OpenFiles() != 0 {
		t.Errorf("Close: %v, %d files open", err, st.OpenFiles())
	}
}

func TestCloseLeavesOneFile(t *testing.T) {
	t.Parallel()
	dir, file := prepared(t)
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("after Close the directory holds %v, %v", left, err)
	}
	tbl := open(t, dir, nil)
	if it, err := tbl.Get(t.Context(), one, item("a")); err != nil || string(it.Body) != "secret" {
		t.Errorf("Get: %q, %v", it.Body, err)
	}
	if err := errors.Join(tbl.Close(), tbl.Close()); err != nil {
		t.Errorf("Close: %v", err)
	}
	_, _, err = tbl.Changes(t.Context(), one, "", 1)
	if !problem.Is(err, problem.Unavailable) || !problem.Is(tbl.Write(t.Context(), one, table.Put(item("b"), nil)), problem.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
}
