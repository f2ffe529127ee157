package sqlitetable

import (
	"encoding/binary"

	"github.com/ncruces/go-sqlite3/vfs"
)

// WAL frames, as the file format has them.
const (
	frameHeader = 24      // bytes before each page
	frameCommit = 4       // where the header says that a transaction ends here
	heldMost    = 1 << 17 // bytes held back before they are written all the same
)

// wholeCommits is a way to the disk on which a transaction reaches the WAL in one
// write. SQLite writes each page and the header before it on their own: ten system
// calls for a turn's item, and they were most of what it cost.
//
// Nothing but the number of calls changes. Bytes are held back between the first
// frame of a transaction and its last, whose header says so, and go out before
// that frame's write returns: SQLite takes a failure for the one of the last
// page, and when COMMIT returns everything is with the kernel. In between nobody
// looks: the file is locked for others, and SQLite's own reads, syncs and
// truncations wait for the bytes.
type wholeCommits struct{ vfs.VFS }

// registerWAL makes the way through base known to SQLite and returns its name.
// To do it again changes nothing.
func registerWAL(base string) string {
	name := "sqlitetable" + base
	vfs.Register(name, wholeCommits{vfs.Find(base)})
	return name
}

// OpenFilename implements [vfs.VFSFilename].
func (w wholeCommits) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, opened, err := w.VFS.(vfs.VFSFilename).OpenFilename(name, flags)
	if err == nil && flags&vfs.OPEN_WAL != 0 {
		f = &walFile{File: f}
	}
	return f, opened, err
}

// walFile is the WAL as SQLite writes it.
type walFile struct {
	vfs.File
	held []byte // not yet written
	from int64  // where it belongs
	next int64  // where the last write ended
	last bool   // held ends with the header of a transaction's last frame
}

// WriteAt implements [vfs.File]. A header is held back only where the write before
// it ended: at the end of the log. Elsewhere SQLite corrects one it wrote, and no
// page follows that would take it along.
func (f *walFile) WriteAt(p []byte, off int64) (int, error) {
	follows := off == f.next
	f.next = off + int64(len(p))
	switch {
	case follows && len(p) == frameHeader && len(f.held) < heldMost:
		if len(f.held) == 0 {
			f.from = off
		}
		f.last = binary.BigEndian.Uint32(p[frameCommit:]) != 0
		f.held = append(f.held, p...)
		return len(p), nil
	case follows && len(f.held) > 0 && len(p) != frameHeader:
		f.held = append(f.held, p...)
		if !f.last {
			return len(p), nil
		}
		return len(p), f.release()
	}
	if err := f.release(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

// release writes what was held back. What could not be written is forgotten:
// SQLite takes the transaction back, and it must not turn up later.
func (f *walFile) release() error {
	if len(f.held) == 0 {
		return nil
	}
	_, err := f.File.WriteAt(f.held, f.from)
	f.held = f.held[:0]
	if err != nil {
		f.next = -1
	}
	return err
}

func (f *walFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.release(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *walFile) Truncate(size int64) error {
	if err := f.release(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *walFile) Sync(flags vfs.SyncFlag) error {
	if err := f.release(); err != nil {
		return err
	}
	return f.File.Sync(flags)
}

func (f *walFile) Size() (int64, error) {
	if err := f.release(); err != nil {
		return 0, err
	}
	return f.File.Size()
}

func (f *walFile) Close() error {
	err := f.release()
	if closeErr := f.File.Close(); err == nil {
		err = closeErr
	}
	return err
}
