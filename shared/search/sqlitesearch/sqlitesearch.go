// Package sqlitesearch is a search index in SQLite: one file for each tenant in
// the tenant's own directory. The file is the truth. An ordinary tenant's passages
// are read into memory by its first query and ranked there; a large tenant's, by
// FTS5 in the file.
//
// Only shared/app/local and tests import it. Its one promise: a query reads the
// asker's own file and no other, and a file that is damaged harms its tenant
// alone. What is in it can be made again from the company's documents.
package sqlitesearch

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"switchboard/shared/search"
	"switchboard/shared/search/internal/driver"
	"switchboard/shared/tenant"
)

// Options are the bounds of what is held in memory; zero is the default.
type Options struct {
	Passages int // of a tenant that is ranked in memory: 2,000
	Text     int // of such a tenant, in bytes, with titles and addresses: 4 MB
	Memory   int // of all of them together, in bytes, estimated: 32 MB
	Files    int // that are open at a time: 64
}

// Open returns the index whose files are DIR/<project>/search.db. Options may be nil.
func Open(dir string, o *Options) (*search.Index, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = new(Options)
	}
	// A file that is closed is opened again in a few milliseconds.
	s := &store{root: root, files: make(map[tenant.ID]*file), maxOpen: cmp.Or(o.Files, 64)}
	s.small = Options{Passages: cmp.Or(o.Passages, 2000), Text: cmp.Or(o.Text, 4<<20)}
	s.held.max = cmp.Or(o.Memory, 32<<20)
	return search.New(s), nil
}

type store struct {
	root    *os.Root
	maxOpen int     // it may be passed for a moment, while others are being closed
	small   Options // what a tenant may have to be held
	held    held

	mu     sync.Mutex // held for no I/O, and never while a file is waited for
	files  map[tenant.ID]*file
	closed bool
}

var _ driver.Driver = (*store)(nil)

var errClosed = errors.New("sqlitesearch: closed")

// with runs do with the scope's own file, alone.
func (s *store) with(ctx context.Context, sc tenant.Scope, op string, do func(*file) error) error {
	if err := sc.Check(op); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := s.file(sc.Project())
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	if f.conn == nil {
		if err := f.open(s.root, sc.Project()); err != nil {
			return err
		}
	}
	return do(f)
}

// file returns the project's file, locked. It is opened by its first user, who
// has it locked, so a slow opening holds up nobody else's.
func (s *store) file(id tenant.ID) (*file, error) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, errClosed
		}
		f := s.files[id]
		var evict func()
		if f == nil {
			evict = s.victim()
			f = &file{}
			s.files[id] = f
		}
		s.mu.Unlock()
		if evict != nil {
			evict()
		}
		f.mu.Lock()
		if !f.evicted {
			return f, nil
		}
		f.mu.Unlock()
	}
}

// victim picks a file that nobody uses, if there are too many, and returns what closes
// it. s.mu is held, and is not when that is called: to close a file may take long.
// Until then its own tenant waits for it, and so does [store.Close].
func (s *store) victim() (evict func()) {
	if len(s.files) < s.maxOpen {
		return nil
	}
	for id, f := range s.files {
		if f.mu.TryLock() {
			return func() {
				defer f.mu.Unlock()
				f.evicted = true
				f.close()
				s.mu.Lock()
				defer s.mu.Unlock()
				delete(s.files, id)
			}
		}
	}
	return nil
}

func (s *store) Close() error {
	s.mu.Lock()
	s.closed = true
	files := s.files
	s.files = make(map[tenant.ID]*file) // a file that is being closed takes itself out of it
	s.mu.Unlock()
	var errs []error
	for _, f := range files {
		f.mu.Lock()
		errs = append(errs, f.close())
		f.evicted = true
		f.mu.Unlock()
	}
	s.held.close() // after the files: whoever was reading one may have put it there
	return errors.Join(append(errs, s.root.Close())...)
}

// file is one tenant's index. Everything but mu is used with mu held.
type file struct {
	mu      sync.Mutex
	evicted bool
	large   bool // known to be too large to be held
	conn    *sqlite3.Conn
	query   *sqlite3.Stmt
}

// open opens DIR/<id>/search.db. The directory must be a plain one: a link could
// lead to another tenant's.
func (f *file) open(root *os.Root, id tenant.ID) error {
	name := id.String()
	if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, p := range []string{name, filepath.Join(name, "search.db"), filepath.Join(name, "search.db-wal")} {
		info, err := root.Lstat(p)
		if err == nil && info.Mode()&os.ModeSymlink != 0 {
			return errors.New("sqlitesearch: " + p + " is a symbolic link")
		}
	}
	// A plain path, not a URI, in which a '#' or '?' of the data directory's name
	// would mean something.
	conn, err := sqlite3.OpenFlags(filepath.Join(root.Name(), name, "search.db"),
		sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	if err != nil {
		return err
	}
	f.conn = conn
	err = f.prepare()
	// SQLite makes them readable by others.
	for _, part := range []string{"search.db", "search.db-wal"} {
		if err == nil {
			err = root.Chmod(filepath.Join(name, part), 0o600)
		}
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		f.close()
	}
	return err
}

func (f *file) close() error {
	if f.conn == nil {
		return nil
	}
	if f.query != nil {
		f.query.Close()
	}
	err := f.conn.Close()
	f.conn, f.query = nil, nil
	return err
}
