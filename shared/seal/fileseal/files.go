package fileseal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"switchboard/shared/seal"
	"switchboard/shared/tenant"
)

const (
	keysSuffix = ".keys"
	lockSuffix = ".lock"
	tempSuffix = ".new"
	// maxRing is far above what a ring can be.
	maxRing = 1 << 20
)

// files implements seal.Rings.
type files struct{ root *os.Root }

var _ seal.Rings = (*files)(nil)

func open(dir string) (*files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := syncPath(filepath.Dir(dir)); err != nil { // who made it may have died before that
		return nil, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s is no directory, or is open to others (%v): it has to be 0700", dir, info.Mode())
	}
	root, err := os.OpenRoot(dir)
	return &files{root}, err
}

// Load implements [seal.Rings]. The text is its own mark.
func (f *files) Load(ctx context.Context, sc tenant.Scope) ([]byte, string, error) {
	if err := sc.Check("fileseal.Load"); err != nil {
		return nil, "", err
	}
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	text, err := f.read(sc.Project().String() + keysSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err == nil && len(text) == 0 {
		err = errors.New("the file is empty") // which none of ours ever is
	}
	if err != nil {
		return nil, "", fmt.Errorf("fileseal: keys of %s: %w", sc.Project(), err)
	}
	return text, string(text), nil
}

// Save implements [seal.Rings].
func (f *files) Save(ctx context.Context, sc tenant.Scope, ring []byte, mark string) error {
	if err := sc.Check("fileseal.Save"); err != nil {
		return err
	}
	name := sc.Project().String()
	unlock, err := f.lock(ctx, name+lockSuffix)
	if err != nil {
		return fmt.Errorf("fileseal: lock of %s: %w", name, err)
	}
	defer unlock()
	_, now, err := f.Load(ctx, sc)
	if err != nil {
		return err
	}
	if now != mark {
		return seal.ErrRaced
	}
	if err := f.replace(name, ring); err != nil {
		return fmt.Errorf("fileseal: keys of %s: %w", name, err)
	}
	return nil
}

// Close implements [seal.Rings].
func (f *files) Close() error { return f.root.Close() }

// replace puts the text in the place of the file. The lock is held, so what lies
// under the temporary name is a dead process's.
func (f *files) replace(name string, text []byte) error {
	temp := name + tempSuffix
	if err := f.root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w, err := f.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, werr := w.Write(text)
	if err := errors.Join(werr, w.Sync(), w.Close()); err != nil {
		return errors.Join(err, f.root.Remove(temp))
	}
	old, _ := f.root.OpenFile(name+keysSuffix, os.O_WRONLY, 0)
	if old != nil {
		defer old.Close()
	}
	if err := f.root.Rename(temp, name+keysSuffix); err != nil {
		return err
	}
	if err := f.syncDir(); err != nil {
		return err
	}
	if old != nil {
		wipe(old, len(text))
	}
	return nil
}

// wipe overwrites a file that no name leads to any more, if it was longer than what
// came in its place: a ring shrinks when it is shredded alone. It is an attempt:
// disks and file systems keep copies. What is in it is wrapped.
func wipe(old *os.File, now int) {
	if info, err := old.Stat(); err == nil && int(info.Size()) > now && info.Size() <= maxRing {
		old.WriteAt(make([]byte, info.Size()), 0)
		old.Sync()
	}
}

// readTries is how often a file is read until nobody has put another in its place
// meanwhile, as a rotation does.
const readTries = 16

var errReplaced = errors.New("the file was replaced while it was opened")

// read reads a file that has to be a regular one, and ours alone.
func (f *files) read(name string) (text []byte, err error) {
	for range readTries {
		if text, err = f.readOnce(name); !errors.Is(err, errReplaced) {
			break
		}
	}
	return text, err
}

func (f *files) readOnce(name string) ([]byte, error) {
	seen, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !seen.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	r, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if opened, err := r.Stat(); err != nil || !os.SameFile(seen, opened) {
		return nil, errors.Join(errReplaced, err)
	}
	return readPrivate(r)
}

// readPrivate reads a file that nobody else may read.
func readPrivate(r *os.File) ([]byte, error) {
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("not a regular file, or open to others (%v): it has to be 0600", info.Mode())
	}
	text, err := io.ReadAll(io.LimitReader(r, maxRing+1))
	if err == nil && len(text) > maxRing {
		err = errors.New("too large")
	}
	return text, err
}

// lockPause is between two tries for a lock. Whoever holds it writes one small file.
const lockPause = 2 * time.Millisecond

// lock takes the file for this process, and within it for this caller.
func (f *files) lock(ctx context.Context, name string) (unlock func() error, err error) {
	if info, err := f.root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	l, err := f.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(l.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return l.Close, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, l.Close())
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), l.Close())
		}
	}
}

// syncDir makes a rename in the directory last.
func (f *files) syncDir() error {
	d, err := f.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func syncPath(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
