package sqlitetable

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ncruces/go-sqlite3"

	"switchboard/shared/problem"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// feedBytes is about how much one answer of Changes holds; what is behind it
// comes with the next.
const feedBytes = 4 << 20

// get returns the item as of a time, or the zero Item.
func (s *session) get(sc tenant.Scope, key driver.Key, at int64) (driver.Item, error) {
	st, err := s.stmt(qGet)
	if err != nil {
		return driver.Item{}, err
	}
	if err := first(s.bindKey(st, sc, key), st.BindInt64(7, at)); err != nil {
		return driver.Item{}, err
	}
	var it driver.Item
	err = s.rows(st, func() (err error) {
		it, err = scan(st, key)
		return err
	})
	return it, err
}

// query returns the items of a range.
func (s *session) query(sc tenant.Scope, r driver.Range) ([]driver.Item, error) {
	q, from, to := qList, r.From, r.To
	switch {
	case r.Reverse && r.After != "" && (to == "" || r.After < to):
		to = r.After
	case !r.Reverse && r.After != "" && r.After >= from:
		from = r.After + "\x00" // the ID that follows it
	}
	if r.Reverse {
		q = qListReverse
	}
	st, err := s.stmt(q)
	if err != nil {
		return nil, err
	}
	end := st.BindText(11, to)
	if to == "" {
		end = st.BindBlob(11, []byte{}) // SQLite orders any blob behind every text
	}
	if err := first(end, st.BindText(2, driver.Partition(sc, r.Kind, r.Parent)), st.BindText(10, from),
		st.BindInt64(7, now()), st.BindInt(12, r.Limit)); err != nil {
		return nil, err
	}
	var items []driver.Item
	err = s.rows(st, func() error {
		it, err := scan(st, driver.Key{Kind: r.Kind, Parent: r.Parent, ID: st.ColumnText(2)})
		items = append(items, it)
		return err
	})
	return items, err
}

// changes returns what is behind a position, and the position behind that.
func (s *session) changes(sc tenant.Scope, after string, limit int) ([]driver.Change, string, error) {
	const op = "sqlitetable.Changes"
	seq, err := position(after)
	if err != nil {
		return nil, "", err
	}
	if seq > s.seq {
		// The file is another than the one the position was counted in. To go on as
		// if nothing had happened would skip what comes next.
		return nil, "", problem.New(problem.Internal, op, "position %d is ahead of the feed, which is at %d", seq, s.seq)
	}
	st, err := s.stmt(qChanges)
	if err != nil {
		return nil, "", err
	}
	if err := first(st.BindInt64(1, seq), st.BindInt(12, limit)); err != nil {
		return nil, "", err
	}
	var changes []driver.Change
	size, at := 0, now()
	err = s.rows(st, func() error {
		c, err := scanChange(sc, st, at)
		changes, seq = append(changes, c), st.ColumnInt64(0)
		if size += len(c.Item.Body); err == nil && size >= feedBytes {
			return errEnough
		}
		return err
	})
	if err != nil || len(changes) == 0 {
		return nil, after, err
	}
	return changes, strconv.FormatInt(seq, 10), nil
}

// position parses a position; there is one spelling of each.
func position(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != s {
		return 0, problem.New(problem.Internal, "sqlitetable.Changes", "%.40q is not a position", s)
	}
	return n, nil
}

func scanChange(sc tenant.Scope, st *sqlite3.Stmt, at int64) (driver.Change, error) {
	kind, parent, ok := driver.ParsePartition(sc, st.ColumnText(1))
	if !ok {
		return driver.Change{}, fmt.Errorf("sqlitetable: the file of %s holds a row of another tenant", sc.Project())
	}
	key := driver.Key{Kind: kind, Parent: parent, ID: st.ColumnText(2)}
	if expires := st.ColumnInt64(4); st.ColumnInt64(3) == 0 || expires != 0 && expires <= at {
		return driver.Change{Key: key}, nil
	}
	it, err := scan(st, key)
	return driver.Change{Key: key, Item: it}, err
}

// scan reads the row a statement is at, whose key is known.
func scan(st *sqlite3.Stmt, key driver.Key) (driver.Item, error) {
	it := driver.Item{Key: key, Version: st.ColumnInt64(3), Token: st.ColumnText(5), Body: st.ColumnBlob(7, nil)}
	if expires := st.ColumnInt64(4); expires != 0 {
		it.Expires = time.Unix(expires, 0)
	}
	var err error
	it.Counts, err = decodeCounts(st.ColumnRawBlob(6))
	return it, err
}

// errEnough ends rows without being an error.
var errEnough = fmt.Errorf("enough")

// rows runs each for every row of a statement.
func (s *session) rows(st *sqlite3.Stmt, each func() error) (err error) {
	for err == nil && st.Step() {
		if err = each(); err == nil {
			err = st.Err() // a column that could not be read
		}
	}
	if err == nil {
		err = st.Err() // an interrupt ends Step too, and Reset would forget it
	}
	if err == errEnough {
		err = nil
	}
	if failed := s.fault(st.Reset()); err == nil {
		err = failed
	}
	return err
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// now is the time in the unit of expiry.
func now() int64 { return time.Now().Unix() }
