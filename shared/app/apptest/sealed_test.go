package apptest_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"switchboard/shared/app/apptest"
	"switchboard/shared/app/local"
	"switchboard/shared/model/modeltest"
	"switchboard/shared/seal/fileseal"
	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/tenant/tenanttest"
)

// in returns the files below dir that hold the text.
func in(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a journal that came and went
		}
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		files++
		if bytes.Contains(b, []byte(text)) {
			rel, _ := filepath.Rel(dir, name)
			found = append(found, rel)
		}
		return err
	})
	if err != nil || files < 5 {
		t.Fatalf("control: %d files, %v", files, err)
	}
	return found
}

// TestATurnLeavesNothingInTheClear takes turns of whose every part a canary is, and
// looks for them in every file, while the server runs and afterwards. What knowledge
// says is in the clear, in the index alone: docs/limits.md says so.
func TestATurnLeavesNothingInTheClear(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: func(modeltest.Call) modeltest.Script { return apptest.Says("answercanary", " and more.") }})
	key := s.Key(apptest.Alpha)
	body := `{"assistant":"website","user":{"id":"usercanary","name":"namecanary"},"message":"questioncanary: what does a visit cost?"}`
	a := s.Post(key, "/v1/chat", body, "Idempotency-Key", "keycanary")
	if a.Status != 200 || !strings.Contains(a.Get("message.content"), "answercanary") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	canaries := []string{"questioncanary", "answercanary", "usercanary", "namecanary", "keycanary", "alphacanary", key[len(key)-20:]}
	look := func(when string) {
		for _, c := range canaries {
			for _, file := range in(t, s.Data, c) {
				if c != "alphacanary" || !strings.HasPrefix(filepath.Base(file), "search.db") || !strings.Contains(file, "alpha") {
					t.Errorf("%s: %s is in %s", when, c, file)
				}
			}
		}
	}
	look("while it runs")
	if got := s.Do(key, "GET", "/v1/conversations/"+a.Get("conversation_id"), ""); !strings.Contains(got.Body, "questioncanary") {
		t.Errorf("control: the conversation reads %s", got.Body)
	}
	s.Stop()
	look("afterwards")
	if len(in(t, s.Data, "alphacanary")) == 0 {
		t.Error("control: the index does not hold the passages")
	}
}

func companies() fstest.MapFS {
	return fstest.MapFS{
		"alpha/company.yaml":          {Data: []byte("name: Alpha\n")},
		"alpha/assistants/website.md": {Data: []byte("You answer for Alpha.")},
	}
}

// TestADataDirectoryWithoutKeysIsRefused: items that nobody sealed, or whose keys were
// lost, are said to be so at the start, and no key is made over them.
func TestADataDirectoryWithoutKeysIsRefused(t *testing.T) {
	t.Parallel()
	items := func(t *testing.T, dir string) {
		tbl, err := sqlitetable.Open(dir, make([]byte, 32), nil)
		if err == nil {
			err = errors.Join(tbl.Write(t.Context(), tenanttest.Scope("alpha"), table.Create(table.Key{Kind: "turn", ID: "x"}, []byte("{}"))), tbl.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, make := range map[string]func(t *testing.T, data string){
		"made before":     func(t *testing.T, data string) { items(t, filepath.Join(data, "tenants")) },
		"its credentials": func(t *testing.T, data string) { items(t, filepath.Join(data, "directory")) },
		"a key was lost": func(t *testing.T, data string) {
			begin(t, data)
			if err := os.Remove(filepath.Join(data, "keys", "alpha.keys")); err != nil {
				t.Fatal(err)
			}
		},
		"all keys were lost": func(t *testing.T, data string) {
			begin(t, data)
			if err := os.RemoveAll(filepath.Join(data, "keys")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			make(t, data)
			l, err := local.Open(t.Context(), local.Options{Data: data, Companies: companies()})
			if err == nil {
				l.Close()
				t.Fatal("it is served")
			}
			if text := err.Error(); !strings.Contains(text, "before items were sealed, or its keys were lost") || !strings.Contains(text, data) {
				t.Errorf("the error says %q", text)
			}
			if has, err := fileseal.Has(filepath.Join(data, "keys"), tenanttest.Scope("alpha").Project()); has || err != nil {
				t.Errorf("a key was made: %v", err)
			}
		})
	}
}

// begin makes a data directory with a credential, and items of alpha.
func begin(t *testing.T, data string) {
	t.Helper()
	l, err := local.Open(t.Context(), local.Options{Data: data, Companies: companies()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.DevKeys(t.Context(), filepath.Join(data, "dev-keys.json"))
	sc := tenanttest.Scope("alpha")
	err = errors.Join(err, l.Chat.Table.Write(t.Context(), sc, table.Create(table.Key{Kind: "turn", ID: "x"}, []byte("{}"))), l.Close())
	if err != nil {
		t.Fatal(err)
	}
	if l, err = local.Open(t.Context(), local.Options{Data: data, Companies: companies()}); err != nil {
		t.Fatalf("control: %v", err)
	}
	l.Close()
}

// TestAnotherMasterKeyIsSaid: with another master.key nobody's keys unwrap.
func TestAnotherMasterKeyIsSaid(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	begin(t, data)
	if err := os.WriteFile(filepath.Join(data, "master.key"), []byte(strings.Repeat("ab", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := local.Open(t.Context(), local.Options{Data: data, Companies: companies()})
	if err == nil {
		l.Close()
		t.Fatal("it is served")
	}
	if !strings.Contains(err.Error(), "the master key is another") {
		t.Errorf("the error says %q", err)
	}
}
