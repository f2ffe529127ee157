package sqlitetable_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"

	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
)

// memory is a file that counts its writes and can refuse them.
type memory struct {
	vfs.File
	data   []byte
	writes int
	fail   error
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if m.writes++; m.fail != nil {
		return 0, m.fail
	}
	if end := int(off) + len(p); end > len(m.data) {
		m.data = append(m.data, make([]byte, end-len(m.data))...)
	}
	return copy(m.data[off:], p), nil
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.data).ReadAt(p, off)
}

func (m *memory) Truncate(size int64) error {
	m.data = m.data[:min(int(size), len(m.data))]
	return nil
}

func (m *memory) Sync(vfs.SyncFlag) error { return nil }
func (m *memory) Size() (int64, error)    { return int64(len(m.data)), nil }
func (m *memory) Close() error            { return nil }

const walPage = 512

// frame is a page behind its header; the last of a transaction says so.
func frame(last bool, fill byte) (header, page []byte) {
	header = bytes.Repeat([]byte{fill}, 24)
	binary.BigEndian.PutUint32(header[4:], 0)
	if last {
		binary.BigEndian.PutUint32(header[4:], 9)
	}
	return header, bytes.Repeat([]byte{fill}, walPage)
}

// TestTransactionsAreOneWrite: one of many pages is one write, when its last page
// is written and not before.
func TestTransactionsAreOneWrite(t *testing.T) {
	t.Parallel()
	m := &memory{}
	f := sqlitetable.HeldBack(m)
	write := func(b []byte, off int64) int64 {
		t.Helper()
		n, err := f.WriteAt(b, off)
		must(t, err)
		return off + int64(n)
	}
	off := write(make([]byte, 32), 0)
	for i := range 10 {
		h, p := frame(i == 9, byte(i))
		off = write(p, write(h, off))
		if want := 1 + i/9; m.writes != want {
			t.Fatalf("%d writes after %d pages, want %d", m.writes, i+1, want)
		}
	}
	if len(m.data) != int(off) || m.data[off-1] != 9 || m.data[32] != 0 {
		t.Errorf("%d bytes of %d, or wrong ones", len(m.data), off)
	}
}

// TestHeldBackIsForgotten: a transaction whose write failed does not turn up later.
func TestHeldBackIsForgotten(t *testing.T) {
	t.Parallel()
	m := &memory{fail: errors.New("disk on fire")}
	f := sqlitetable.HeldBack(m)
	f.WriteAt(nil, 0)
	h, p := frame(true, 7)
	if _, err := f.WriteAt(h, 0); err != nil {
		t.Fatalf("a header was written: %v", err)
	}
	if _, err := f.WriteAt(p, 24); !errors.Is(err, m.fail) {
		t.Errorf("the last page: %v", err)
	}
	m.fail = nil
	must(t, errors.Join(f.Sync(0), f.Close()))
	if len(m.data) != 0 {
		t.Errorf("%d bytes turned up", len(m.data))
	}
}

// TestHeldBackIsNotSeen does what SQLite does to a WAL, and more, in any order, to
// a plain file as well: every look shows the same, and so does the file itself
// whenever a transaction is whole or synced.
func TestHeldBackIsNotSeen(t *testing.T) {
	t.Parallel()
	m, plain := &memory{}, &memory{}
	f := sqlitetable.HeldBack(m)
	both := func(p []byte, off int64) int64 {
		_, err1 := f.WriteAt(p, off)
		_, err2 := plain.WriteAt(p, off)
		must(t, errors.Join(err1, err2))
		return off + int64(len(p))
	}
	end := int64(0)
	for i := range 20_000 {
		whole := false
		switch n := rand.IntN(20); {
		case n < 12: // a frame at the end
			whole = n == 0
			h, p := frame(whole, byte(i))
			end = both(p, both(h, end))
		case n == 12: // a transaction taken back: the next is written over it
			end -= min(end/2, int64(rand.IntN(4))*(24+walPage))
		case n == 13: // the log begins again
			end = both(make([]byte, 32), 0)
		case n == 14: // a header is corrected
			h, _ := frame(rand.IntN(2) == 0, byte(i))
			both(h, rand.Int64N(end+1))
		case n == 15: // a page is written over
			both(make([]byte, walPage), rand.Int64N(end+1))
		case n == 16:
			must(t, errors.Join(f.Truncate(end), plain.Truncate(end)))
		case n == 17:
			must(t, f.Sync(0))
			whole = true
		default:
			a, b := make([]byte, 300), make([]byte, 300)
			off := rand.Int64N(end + 1)
			_, err1 := f.ReadAt(a, off)
			_, err2 := plain.ReadAt(b, off)
			size, err := f.Size()
			if !bytes.Equal(a, b) || err1 != err2 && !errors.Is(err1, io.EOF) || err != nil || size != int64(len(plain.data)) {
				t.Fatalf("step %d: a look shows a difference", i)
			}
		}
		if whole && !bytes.Equal(m.data, plain.data) {
			t.Fatalf("step %d: the file itself differs", i)
		}
	}
}

// TestBigTransactions has transactions that do not fit SQLite's memory, done and
// taken back: it writes pages to the WAL early then, reads them from there, and
// corrects what is in front of them.
func TestBigTransactions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st, tbl := openStoreIn(t, dir, nil)
	big := func(id string, also ...table.Op) []table.Op {
		for i := range 8 {
			also = append(also, table.Put(item(id+string(rune('a'+i))), bytes.Repeat([]byte(id), table.MaxBody/len(id))))
		}
		return also
	}
	works(t, tbl, one)
	for range 3 {
		refused := append(big("x"), table.Create(item("works"), nil))
		if err := tbl.Write(t.Context(), one, refused...); err == nil {
			t.Error("a write over an item that is there")
		}
		b := hold(t, st, tbl)
		b.write(t.Context(), table.Put(item("first"), nil))
		b.write(t.Context(), big("yy")...)
		b.write(t.Context(), refused...)
		b.write(t.Context(), table.Put(item("last"), nil))
		b.run()
		must(t, errors.Join(*b.errs[0], *b.errs[1], *b.errs[3]))
	}
	// What recovery makes of the files as they are, without their process.
	copied := t.TempDir()
	must(t, os.Mkdir(filepath.Join(copied, "one"), 0o700))
	for _, name := range []string{"one/table.db", "one/table.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(t, errors.Join(err, os.WriteFile(filepath.Join(copied, name), b, 0o600)))
	}
	st2, tbl2 := openStoreIn(t, copied, nil)
	for _, tbl := range []*table.Table{tbl, tbl2} {
		if n := len(ids(t, tbl)); n != 10 {
			t.Errorf("%d items: %v", n, ids(t, tbl))
		}
	}
	if n, err := st2.Number(one, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"); err != nil || n != 1 {
		t.Errorf("the copy is damaged: %v", err)
	}
}
