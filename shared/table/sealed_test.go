package table_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/table"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/table/tabletest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

func openFiles(t *testing.T, dir string, sealer *seal.Sealer) *table.Table {
	t.Helper()
	tbl, err := sqlitetable.Open(dir, make([]byte, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	tbl = tbl.SealedBy(sealer)
	t.Cleanup(func() { tbl.Close() })
	return tbl
}

// TestConformanceSealed: a table whose bodies are sealed is a table like any other,
// limits and conflicts included.
func TestConformanceSealed(t *testing.T) {
	t.Parallel()
	dir, sealer := t.TempDir(), sealtest.New(t)
	tabletest.RunWith(t, func(t *testing.T) *table.Table { return openFiles(t, dir, sealer) }, tabletest.Options{Fast: true})
}

const canary = "a canary: 90ab12"

var ofOne, ofTwo = tenanttest.Scope("one"), tenanttest.Scope("two")

// TestRowsInOtherPlaces puts rows where they do not belong with SQLite itself, past
// Scope, key and file: nothing opens, whichever way it is read.
func TestRowsInOtherPlaces(t *testing.T) {
	t.Parallel()
	a, b := table.Key{Kind: "test", Parent: "p", ID: "a"}, table.Key{Kind: "test", Parent: "p", ID: "b"}
	for name, c := range map[string]struct {
		of  tenant.Scope // whose file is changed
		sql string
	}{
		"two rows of a tenant are swapped": {ofOne, `UPDATE items SET body = (SELECT body FROM items AS o WHERE o.sk <> items.sk)`},
		"a row under another id":           {ofOne, `UPDATE items SET sk = 'x' WHERE sk = 'b'; UPDATE items SET sk = 'b' WHERE sk = 'a'; UPDATE items SET sk = 'a' WHERE sk = 'x'`},
		"another tenant's row":             {ofTwo, `UPDATE items SET body = (SELECT body FROM other.items AS o WHERE o.sk = items.sk)`},
		"another tenant's rows, whole": {ofTwo, `DELETE FROM items;
			INSERT INTO items(seq, pk, sk, version, expires, token, counts, body) SELECT seq, replace(pk, 'one#', 'two#'), sk, version, expires, token, counts, body FROM other.items`},
		"a bit":        {ofOne, `UPDATE items SET body = CAST(substr(body, 1, 40) || CASE WHEN substr(body, 41, 1) = x'00' THEN x'01' ELSE x'00' END || substr(body, 42) AS BLOB)`},
		"cut":          {ofOne, `UPDATE items SET body = substr(body, 1, length(body) - 1)`},
		"emptied":      {ofOne, `UPDATE items SET body = x''`},
		"in the clear": {ofOne, `UPDATE items SET body = CAST('{"planted":true}' AS BLOB)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, sealer := t.TempDir(), sealtest.New(t)
			tbl := openFiles(t, dir, sealer)
			for _, sc := range []tenant.Scope{ofOne, ofTwo} {
				if err := tbl.Write(t.Context(), sc, table.Create(a, []byte(canary+" a")), table.Create(b, []byte(canary+" b"))); err != nil {
					t.Fatal(err)
				}
			}
			if err := tbl.Close(); err != nil {
				t.Fatal(err)
			}
			change(t, dir, c.of.Project().String(), c.sql)
			other := ofTwo
			if c.of == ofTwo {
				other = ofOne
			}
			tbl = openFiles(t, dir, sealer)
			shut(t, tbl, c.of, a)
			if it, err := tbl.Get(t.Context(), other, a); err != nil || string(it.Body) != canary+" a" {
				t.Errorf("control, the other tenant: %q, %v", it.Body, err)
			}
		})
	}
}

// change runs statements on a tenant's file; other is the other tenant's.
func change(t *testing.T, dir, whose, sql string) {
	t.Helper()
	other := map[string]string{"one": "two", "two": "one"}[whose]
	c, err := sqlite3.Open(filepath.Join(dir, whose, "table.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := errors.Join(c.Exec(`ATTACH '`+filepath.Join(dir, other, "table.db")+`' AS other`), c.Exec(sql)); err != nil {
		t.Fatal(err)
	}
	if c.TotalChanges() == 0 {
		t.Fatal("control: nothing was changed")
	}
}

// shut fails the test if the item's body comes out in any way.
func shut(t *testing.T, tbl *table.Table, sc tenant.Scope, key table.Key) {
	t.Helper()
	ctx := t.Context()
	it, getErr := tbl.Get(ctx, sc, key)
	page, listErr := tbl.List(ctx, sc, table.Query{Kind: key.Kind, Parent: key.Parent})
	changes, _, feedErr := tbl.Changes(ctx, sc, "", 10)
	writeErr := tbl.Write(ctx, sc, table.Create(key, nil))
	for method, err := range map[string]error{"Get": getErr, "List": listErr, "Changes": feedErr, "Write's conflict": writeErr} {
		if _, conflict := errors.AsType[*table.Conflict](err); conflict || !problem.Is(err, problem.Internal) {
			t.Errorf("%s: %v", method, err)
		} else if strings.Contains(err.Error(), canary[:6]) {
			t.Errorf("%s tells: %v", method, err)
		}
	}
	if it.Version != 0 || it.Body != nil || len(page.Items) != 0 || len(changes) != 0 {
		t.Errorf("it opens: %v, %v, %v", it, page.Items, changes)
	}
}

// TestFilesHoldNoBody looks at the bytes, while the files are open and afterwards.
func TestFilesHoldNoBody(t *testing.T) {
	t.Parallel()
	for name, sealer := range map[string]*seal.Sealer{"sealed": sealtest.New(t), "control": seal.Unsealed()} {
		dir := t.TempDir()
		tbl := openFiles(t, dir, sealer)
		if err := tbl.Write(t.Context(), ofOne, table.Create(key, []byte(canary))); err != nil {
			t.Fatal(err)
		}
		found := holds(t, dir, canary)
		if err := tbl.Close(); err != nil {
			t.Fatal(err)
		}
		if found = found || holds(t, dir, canary); found != (name == "control") {
			t.Errorf("%s: the body is in a file: %v", name, found)
		}
	}
}

func holds(t *testing.T, dir, text string) (found bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("control: %d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(b, []byte(text))
	}
	return found
}

// TestAnOutageOfKeys: nothing is written in the clear, nothing is read, and a lost
// acknowledgement is known by its token, for which no key is needed.
func TestAnOutageOfKeys(t *testing.T) {
	t.Parallel()
	away := false
	s := &script{write: func([]driver.Op) error { return nil }}
	sealer := sealtest.Observe(sealtest.New(t), func(context.Context, tenant.Scope, string) error {
		if away {
			return errors.New("away")
		}
		return nil
	})
	tbl := newTable(t, s).SealedBy(sealer)
	var stored []byte
	s.write = func(ops []driver.Op) error { stored = ops[0].Body; return nil }
	if err := tbl.Write(t.Context(), sc, table.Create(key, []byte(canary))); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(stored, []byte(canary)) || len(stored) != len(canary)+seal.Overhead || seal.Overhead >= 64 {
		t.Errorf("the driver was given %d bytes: %q", len(stored), stored)
	}
	s.get = func(k driver.Key) (driver.Item, error) { return driver.Item{Key: k, Version: 1, Body: stored}, nil }
	if it, err := tbl.Get(t.Context(), sc, key); err != nil || string(it.Body) != canary {
		t.Fatalf("%q, %v", it.Body, err)
	}
	// Two writes of the same body are other bytes, and the token tells them apart.
	first := stored
	s.write = func(ops []driver.Op) error {
		if bytes.Equal(ops[0].Body, first) {
			t.Error("the same bytes twice")
		}
		return &driver.Conflict{Current: driver.Item{Key: key, Version: 1, Token: ops[0].Token, Body: ops[0].Body}}
	}
	if err := tbl.Write(t.Context(), sc, table.Create(key, []byte(canary))); err != nil {
		t.Errorf("our own write is a conflict: %v", err)
	}
	s.write = func([]driver.Op) error {
		return &driver.Conflict{Current: driver.Item{Key: key, Version: 1, Token: "another", Body: first}}
	}
	c, ok := errors.AsType[*table.Conflict](tbl.Write(t.Context(), sc, table.Create(key, []byte(canary))))
	if !ok || string(c.Current.Body) != canary {
		t.Errorf("the conflict carries %v", c)
	}

	away = true
	other, calls := tenanttest.Scope("other"), s.calls
	if err := tbl.Write(t.Context(), other, table.Create(key, []byte(canary))); !problem.Is(err, problem.Unavailable) || s.calls != calls {
		t.Errorf("without a key: %v, and the store was called %d times", err, s.calls-calls)
	}
	if it, err := tbl.Get(t.Context(), other, key); !problem.Is(err, problem.Unavailable) || it.Body != nil {
		t.Errorf("without a key: %q, %v", it.Body, err)
	}
	if it, err := tbl.Get(t.Context(), sc, key); err != nil || string(it.Body) != canary {
		t.Errorf("with a key that is held: %q, %v", it.Body, err)
	}
}

// TestOpenChange: what came by another way than Changes opens for its tenant alone.
func TestOpenChange(t *testing.T) {
	t.Parallel()
	s := &script{}
	tbl := newTable(t, s).SealedBy(sealtest.New(t))
	var stored []byte
	s.write = func(ops []driver.Op) error { stored = ops[0].Body; return nil }
	if err := tbl.Write(t.Context(), ofOne, table.Create(key, []byte(canary))); err != nil {
		t.Fatal(err)
	}
	c := table.Change{Key: key, Item: table.Item{Key: key, Version: 1, Body: stored}}
	if got, err := tbl.OpenChange(t.Context(), ofOne, c); err != nil || string(got.Item.Body) != canary {
		t.Errorf("%q, %v", got.Item.Body, err)
	}
	for _, sc := range []tenant.Scope{ofTwo, {}} {
		if got, err := tbl.OpenChange(t.Context(), sc, c); !problem.Is(err, problem.Internal) || got.Item.Body != nil {
			t.Errorf("another scope: %q, %v", got.Item.Body, err)
		}
	}
	gone := table.Change{Key: key}
	if got, err := tbl.OpenChange(t.Context(), ofOne, gone); err != nil || got.Key != key || got.Item.Version != 0 {
		t.Errorf("a deletion: %v, %v", got, err)
	}
}
