package sqlitetable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// fileName is the database's name in a tenant's directory.
const fileName = "table.db"

// lockWait is how long a file that another process has open is waited for: the
// one before us may be on its way out.
const lockWait = 500 * time.Millisecond

// openSession opens a tenant's file, and makes it if there is none.
//
// SQLite opens by path, so the path is made safe first: every step below the
// store's directory is looked at through os.Root, which cannot leave it, and has
// to be a real directory or file; SQLite then refuses symbolic links
// (OPEN_NOFOLLOW); and what it opened is compared with what os.Root sees.
func (st *store) openSession(ctx context.Context, project string) (*session, error) {
	dir, err := st.openDir(project)
	if err != nil {
		return nil, fmt.Errorf("sqlitetable: directory of %s: %w", project, err)
	}
	defer dir.Close()
	s, err := st.connect(ctx, dir, filepath.Join(st.dir, project, fileName))
	if errors.Is(err, sqlite3.BUSY) {
		err = fmt.Errorf("another process has it open: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("sqlitetable: file of %s: %w", project, err)
	}
	return s, nil
}

// openDir opens the tenant's directory, and makes it if there is none.
func (st *store) openDir(project string) (*os.Root, error) {
	if err := st.root.Mkdir(project, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	// Also when it was there: who made it may have died before syncing its name.
	if err := syncDir(st.root); err != nil {
		return nil, err
	}
	info, err := st.root.Lstat(project)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errors.New("not a directory")
	}
	dir, err := st.root.OpenRoot(project)
	if err != nil {
		return nil, err
	}
	opened, err := dir.Stat(".")
	if err == nil && !os.SameFile(info, opened) {
		err = errors.New("replaced while it was opened")
	}
	for _, suffix := range []string{"", "-wal", "-journal", "-shm"} {
		info, statErr := dir.Lstat(fileName + suffix)
		if statErr == nil && !info.Mode().IsRegular() {
			err = errors.Join(err, fmt.Errorf("%s is not a regular file", fileName+suffix))
		} else if statErr != nil && !errors.Is(statErr, fs.ErrNotExist) {
			err = errors.Join(err, statErr)
		}
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// connect opens the database in dir, whose path is path.
func (st *store) connect(ctx context.Context, dir *os.Root, path string) (_ *session, err error) {
	db, err := dir.OpenFile(fileName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	uri := "file:" + (&url.URL{Path: path}).EscapedPath() + "?vfs=" + registerWAL(st.vfs)
	conn, err := sqlite3.OpenFlags(uri, sqlite3.OPEN_READWRITE|sqlite3.OPEN_NOFOLLOW|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, limits: st.limits, feedKeep: st.opts.FeedKeep}
	defer func() {
		if err != nil {
			s.abandon()
		}
	}()
	conn.SetInterrupt(ctx)
	if err := errors.Join(conn.BusyTimeout(lockWait), conn.Exec(pragmas)); err != nil {
		return nil, err
	}
	if err := migrate(conn); err != nil {
		return nil, err
	}
	if err := s.settle(dir, db, path); err != nil {
		return nil, err
	}
	conn.SetInterrupt(context.Background())
	conn.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error { s.pages = pages; return nil })
	s.flush = newFlusher(func() error { return st.opts.Sync(s.wal) })
	s.seq, err = number(conn, `SELECT coalesce(max(seq), 0) FROM items`)
	return s, err
}

// settle makes everything in the file durable, so that what is written next can
// be by syncing the WAL alone. What a crash left in the WAL, or a session whose
// sync failed, is moved into the database by the checkpoint, which syncs it.
func (s *session) settle(dir *os.Root, db *os.File, path string) error {
	opened, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if seen, err := db.Stat(); err != nil || !os.SameFile(seen, opened) {
		return errors.Join(errors.New("replaced while it was opened"), err)
	}
	if err := s.conn.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return err
	}
	if s.wal, err = dir.OpenFile(fileName+"-wal", os.O_RDWR, 0); err != nil {
		return err
	}
	return errors.Join(s.wal.Chmod(0o600), db.Sync(), s.wal.Sync(), syncDir(dir))
}

// syncDir makes the names in a directory durable.
func syncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
