package sqlitetable_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"

	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
)

// TestPowerCut cuts the power at many moments, in the middle of checkpoints too,
// and looks that everything acknowledged by then can be read from what is left.
// The kernel owes us what was synced before; of what was not, it may have
// written any part. The extremes are tried: nothing of it, all of it in the
// database and nothing in the WAL, and the reverse.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	p := &power{synced: map[string][]byte{}, name: "power" + fmt.Sprint(rand.Uint64())}
	vfs.Register(p.name, p)
	defer vfs.Unregister(p.name)
	dir := t.TempDir()
	st, err := sqlitetable.OpenStoreOn(p.name, dir, &sqlitetable.Options{Sync: func(f *os.File) error {
		p.event("before a sync of ours")
		err := sqlitetable.SyncData(f)
		p.keep(f.Name())
		return err
	}})
	must(t, err)
	defer st.Close()
	tbl, err := table.New(st, testKey)
	must(t, err)
	st.Checkpoint(30, 30) // to pass many
	must(t, st.Exec(one, "SELECT 1"))
	p.database = filepath.Join(dir, "one", "table.db")
	for i := 0; i < 100; {
		b := hold(t, st, tbl)
		for range 1 + i%4 { // in one batch
			body := bytes.Repeat([]byte{byte(i)}, i*97%9000)
			b.write(t.Context(), table.Create(item(fmt.Sprintf("%03d", i)), body), table.Add(item("n"), map[string]int64{"n": 1}))
			i++
		}
		b.run()
		for _, err := range b.errs {
			must(t, *err)
		}
		p.acknowledged += len(b.errs)
	}
	if len(p.cuts) < 100 || p.checkpoints < 5 {
		t.Fatalf("%d cuts, %d syncs of the database: the test tests nothing", len(p.cuts), p.checkpoints)
	}
	for i, c := range p.cuts {
		if i%(len(p.cuts)/25) == 0 {
			c.recover(t)
		}
	}
}

// cut is a moment at which the power went.
type cut struct {
	when         string
	acknowledged int
	db, wal      [2][]byte // as synced, and as written
}

func (c cut) recover(t *testing.T) {
	t.Helper()
	for name, left := range map[string][2][]byte{
		"synced only": {c.db[0], c.wal[0]}, "all of the database": {c.db[1], c.wal[0]}, "all of the WAL": {c.db[0], c.wal[1]},
	} {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "one"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "one", "table.db"), left[0], 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "one", "table.db-wal"), left[1], 0o600))
		tbl := open(t, dir, nil)
		page, err1 := tbl.List(t.Context(), one, table.Query{Kind: "test", Parent: "p", To: "n", Limit: table.MaxPage})
		n, err2 := tbl.Get(t.Context(), one, item("n"))
		if err := errors.Join(err1, err2); err != nil || len(page.Items) < c.acknowledged || n.Counts["n"] != int64(len(page.Items)) {
			t.Errorf("%s, %s: %d acknowledged, %d there, counted %d, %v", c.when, name, c.acknowledged, len(page.Items), n.Counts["n"], err)
		}
		must(t, tbl.Close())
	}
}

// power is a disk that knows what was synced. Its one user writes a batch at a time.
type power struct {
	name         string
	database     string // events count from when it is set
	synced       map[string][]byte
	cuts         []cut
	acknowledged int
	checkpoints  int
}

// keep notes that what is in a file now is on disk.
func (p *power) keep(path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	p.synced[path] = b
}

// event is a moment at which the power may go.
func (p *power) event(when string) {
	if p.database == "" {
		return
	}
	c := cut{when: when, acknowledged: p.acknowledged}
	for path, images := range map[string]*[2][]byte{p.database: &c.db, p.database + "-wal": &c.wal} {
		now, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		*images = [2][]byte{p.synced[path], now}
	}
	p.cuts = append(p.cuts, c)
}

func (p *power) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return vfs.Find("").Open(name, flags)
}

func (p *power) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfs.Find("").(vfs.VFSFilename).OpenFilename(name, flags)
	if err != nil || name == nil || name.String() == "" {
		return f, flags, err
	}
	return &powered{f, p, name.String()}, flags, nil
}

func (p *power) Delete(name string, syncDir bool) error { return vfs.Find("").Delete(name, syncDir) }

func (p *power) Access(name string, flags vfs.AccessFlag) (bool, error) {
	return vfs.Find("").Access(name, flags)
}

func (p *power) FullPathname(name string) (string, error) { return vfs.Find("").FullPathname(name) }

// powered is a file on it.
type powered struct {
	vfs.File
	p    *power
	path string
}

func (f *powered) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(b, off)
	if rand.IntN(8) == 0 {
		f.p.event("after a write to " + filepath.Base(f.path))
	}
	return n, err
}

func (f *powered) Sync(flags vfs.SyncFlag) error {
	f.p.event("before a sync of " + filepath.Base(f.path))
	err := f.File.Sync(flags)
	f.p.keep(f.path)
	if !strings.HasSuffix(f.path, "-wal") {
		f.p.checkpoints++
	}
	f.p.event("after a sync of " + filepath.Base(f.path))
	return err
}
