package fileseal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/fileseal"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

var (
	master = bytes.Repeat([]byte("m"), 32)
	sc     = tenanttest.Scope("acme")
	other  = tenanttest.Scope("other")
	at     = seal.Place{Store: seal.Table, Kind: "x", ID: "y"}
)

func open(t *testing.T, dir string, opts *fileseal.Options) *seal.Sealer {
	t.Helper()
	s, err := fileseal.Open(dir, master, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func seals(t *testing.T, s *seal.Sealer, sc tenant.Scope) []byte {
	t.Helper()
	b, err := s.Seal(t.Context(), sc, at, []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantKind(t *testing.T, what string, err error, kind problem.Kind) {
	t.Helper()
	if !problem.Is(err, kind) {
		t.Errorf("%s: %v; want %v", what, err, kind)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sealtest.Run(t, func(t *testing.T) func() *seal.Sealer {
		dir := filepath.Join(t.TempDir(), "keys")
		return func() *seal.Sealer { // which the suite closes
			s, err := fileseal.Open(dir, master, nil)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

func TestFilesAreOurs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "keys")
	if has, err := fileseal.Has(dir, sc.Project()); has || err != nil {
		t.Errorf("there is a ring where there is nothing: %v", err)
	}
	sealed := seals(t, open(t, dir, nil), sc)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 || strings.HasSuffix(f.Name(), ".new") {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if has, err := fileseal.Has(dir, sc.Project()); !has || err != nil {
		t.Errorf("the ring is not there: %v", err)
	}
	if _, err := open(t, dir, nil).Open(t.Context(), sc, at, sealed); err != nil {
		t.Error(err)
	}
}

// TestForeignFilesAreRefused: what others could read or have put there is no ring,
// nor is it taken for none.
func TestForeignFilesAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, dir, file string){
		"open to others": func(t *testing.T, _, file string) { chmod(t, file, 0o640) },
		"a link to one": func(t *testing.T, dir, file string) {
			rename(t, file, filepath.Join(dir, "elsewhere"))
			symlink(t, "elsewhere", file)
		},
		"a link to nothing": func(t *testing.T, dir, file string) {
			rename(t, file, filepath.Join(dir, "elsewhere"))
			symlink(t, "nowhere", file)
		},
		"a directory": func(t *testing.T, dir, file string) {
			rename(t, file, filepath.Join(dir, "elsewhere"))
			if err := os.Mkdir(file, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"another tenant's": func(t *testing.T, dir, file string) { rename(t, filepath.Join(dir, "other.keys"), file) },
		"empty":            func(t *testing.T, _, file string) { write(t, file, "") },
		"half":             func(t *testing.T, _, file string) { write(t, file, `{"format":1,"project":"acme","keys":[`) },
		"of a later format": func(t *testing.T, _, file string) {
			write(t, file, `{"format":2,"project":"acme","keys":[]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "keys")
			s := open(t, dir, nil)
			sealed, others := seals(t, s, sc), seals(t, s, other)
			spoil(t, dir, filepath.Join(dir, "acme.keys"))
			s = open(t, dir, nil)
			if b, err := s.Open(t.Context(), sc, at, sealed); err == nil {
				t.Errorf("it opens: %q", b)
			}
			if _, err := s.Seal(t.Context(), sc, at, nil); err == nil {
				t.Error("it seals")
			}
			if err := s.Rotate(t.Context(), sc); err == nil {
				t.Error("it rotates")
			}
			if name == "another tenant's" {
				return
			}
			if _, err := s.Open(t.Context(), other, at, others); err != nil {
				t.Errorf("the other tenant: %v", err)
			}
		})
	}
}

func chmod(t *testing.T, file string, mode os.FileMode) {
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, to, file string) {
	if err := os.Symlink(to, file); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, file, text string) {
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDirectoryIsOurs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := fileseal.Open(dir, master, nil); err == nil {
		t.Error("a directory that others may list is taken")
	}
	link := filepath.Join(t.TempDir(), "link")
	symlink(t, dir, link)
	if _, err := fileseal.Open(link, master, nil); err == nil {
		t.Error("a link is taken for a directory")
	}
	if _, err := fileseal.Open(dir, master[:31], nil); err == nil {
		t.Error("a short master is one")
	}
}

// TestACrashLeavesTheOldRing: a process that died before its rename has left a file
// beside the ring, and one that died with the lock has left a file without a lock.
func TestACrashLeavesTheOldRing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	sealed := seals(t, open(t, dir, nil), sc)
	write(t, filepath.Join(dir, "acme.new"), `{"format":1,"proj`)
	s := open(t, dir, nil)
	if _, err := s.Open(t.Context(), sc, at, sealed); err != nil {
		t.Error(err)
	}
	if err := s.Rotate(t.Context(), sc); err != nil {
		t.Fatal(err)
	}
	if b := seals(t, s, sc); b[4] != 2 {
		t.Errorf("version %d", b[4])
	}
	if _, err := os.Stat(filepath.Join(dir, "acme.new")); err == nil {
		t.Error("the dead process's file is still there")
	}
}

// TestShreddingLeavesNoKey: nothing of the wrapped keys is in the directory.
func TestShreddingLeavesNoKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	s := open(t, dir, nil)
	seals(t, s, sc)
	file := filepath.Join(dir, "acme.keys")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(file) // the blocks that the name led to
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := s.Shred(t.Context(), sc); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(before, []byte(`"key":`)) || bytes.Contains(after, []byte(`"key":`)) {
		t.Errorf("%s, %v", after, err)
	}
	old := make([]byte, len(before))
	if n, err := held.ReadAt(old, 0); err != nil || len(bytes.Trim(old[:n], "\x00")) != 0 {
		t.Errorf("the old file reads %q, %v", old[:n], err)
	}
}

// TestOwnMaster: a tenant who has a master key of their own is not opened by the
// platform's, before or after it is taken away, and nobody else notices.
func TestOwnMaster(t *testing.T) {
	t.Parallel()
	dir, file := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "own.key")
	write(t, file, strings.Repeat("ab", 32)+"\n")
	opts := &fileseal.Options{Masters: map[tenant.ID]string{sc.Project(): file}}
	s := open(t, dir, opts)
	sealed, others := seals(t, s, sc), seals(t, s, other)
	_, err := open(t, dir, nil).Open(t.Context(), sc, at, sealed)
	wantKind(t, "under the platform's master", err, problem.Internal)
	rename(t, file, file+".away")
	s = open(t, dir, opts)
	_, err = s.Open(t.Context(), sc, at, sealed)
	wantKind(t, "its master is gone", err, problem.Unavailable)
	write(t, file, "not a key, but a canary 5e1f")
	s = open(t, dir, opts)
	_, err = s.Open(t.Context(), sc, at, sealed)
	if wantKind(t, "its master is no key", err, problem.Unavailable); err != nil && strings.Contains(err.Error(), "canary") {
		t.Errorf("the error tells: %v", err)
	}
	if _, err := s.Open(t.Context(), other, at, others); err != nil {
		t.Errorf("the other tenant: %v", err)
	}
	rename(t, file+".away", file)
	chmod(t, file, 0o644)
	_, err = open(t, dir, opts).Open(t.Context(), sc, at, sealed)
	wantKind(t, "its master is open to others", err, problem.Unavailable)
	chmod(t, file, 0o600)
	if b, err := open(t, dir, opts).Open(t.Context(), sc, at, sealed); err != nil || string(b) != "plain" {
		t.Errorf("%q, %v", b, err)
	}
}

// A ring that is replaced while it is read, as a rotation does, is read all the same.
func TestReadWhileRotated(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	rotating := open(t, dir, nil)
	if err := rotating.Prepare(t.Context(), sc); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var over atomic.Bool
	for range 4 {
		wg.Go(func() {
			for !over.Load() {
				s, err := fileseal.Open(dir, master, nil) // which holds nothing
				if err == nil {
					err = errors.Join(s.Prepare(t.Context(), sc), s.Close())
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 150 {
		if err := rotating.Rotate(t.Context(), sc); err != nil {
			t.Errorf("Rotate: %v", err)
		}
	}
	over.Store(true)
	wg.Wait()
}
