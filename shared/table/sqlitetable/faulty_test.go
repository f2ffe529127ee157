package sqlitetable_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"

	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
)

// faulty is a disk whose writes to a WAL do what fault says, if it is set, and
// whose next sync of one by SQLite, if that is to fail or to panic, does.
type faulty struct {
	vfs.VFS
	fault     atomic.Pointer[func() error]
	failSync  atomic.Bool
	panicSync atomic.Bool
}

// onFaulty opens a table on a faulty disk.
func onFaulty(t *testing.T, opts *sqlitetable.Options) (*sqlitetable.Store, *table.Table, *faulty) {
	t.Helper()
	d := &faulty{VFS: vfs.Find("")}
	name := "faulty" + fmt.Sprint(rand.Uint64())
	vfs.Register(name, d)
	st, err := sqlitetable.OpenStoreOn(name, t.TempDir(), opts)
	must(t, err)
	tbl, err := table.New(st, testKey)
	must(t, err)
	t.Cleanup(func() {
		if err := tbl.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		vfs.Unregister(name)
	})
	return st, tbl, d
}

func (d *faulty) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, opened, err := d.VFS.(vfs.VFSFilename).OpenFilename(name, flags)
	if err == nil && flags&vfs.OPEN_WAL != 0 {
		f = &faultyFile{f, d}
	}
	return f, opened, err
}

type faultyFile struct {
	vfs.File
	d *faulty
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	if fault := f.d.fault.Load(); fault != nil {
		if err := (*fault)(); err != nil {
			return 0, err
		}
	}
	return f.File.WriteAt(b, off)
}

func (f *faultyFile) Sync(flags vfs.SyncFlag) error {
	if f.d.failSync.CompareAndSwap(true, false) {
		return errors.New("disk on fire")
	}
	if f.d.panicSync.CompareAndSwap(true, false) {
		panic("disk on fire")
	}
	return f.File.Sync(flags)
}
