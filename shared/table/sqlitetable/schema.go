package sqlitetable

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// The schema. Items and change feed are one table: seq is the item's last place
// in the feed, so a write appends it anew, the feed is a scan by seq, and reading
// it from the start gives everything there is. That makes a write one statement,
// and the feed as long as the table instead of as long as its history (measured
// against WITHOUT ROWID and a feed table: a new item of 2.5 KB costs a third
// less, an update a little more; items are mostly written once). Pages are of 4 KB,
// SQLite's default: 1, 2, 8 and 16 KB were measured with turns and were no better.
//
// A deleted item stays for Options.FeedKeep as a row of version 0 without body,
// so that the feed can tell; an expired one just as long. pk repeats the project:
// a file put into another tenant's directory holds nothing for that tenant.
const (
	applicationID = 0x53774264 // "SwBd"
	schemaVersion = 1

	schema = `
CREATE TABLE items(
	seq     INTEGER PRIMARY KEY,
	pk      TEXT    NOT NULL,
	sk      TEXT    NOT NULL,
	version INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	token   TEXT    NOT NULL,
	counts  BLOB,
	body    BLOB,
	UNIQUE(pk, sk));
CREATE INDEX items_expires ON items(expires) WHERE expires > 0;`

	// Exclusive locking comes first: with it the WAL's index is in our memory and
	// not in a file shared with others. Memory is bounded per tenant: 1 MB of
	// pages, no mmap. Checkpoints are not SQLite's to choose, see checkpoint.go. The
	// WAL keeps its blocks: to write over them is cheaper than to have new ones.
	pragmas = `
PRAGMA locking_mode=EXCLUSIVE;
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
PRAGMA cache_size=-1024;
PRAGMA mmap_size=0;
PRAGMA temp_store=MEMORY;
PRAGMA wal_autocheckpoint=0;
PRAGMA journal_size_limit=10485760;`
)

// migrate makes the schema in an empty file and refuses a file that is not ours
// or that a newer Switchboard wrote. It reports whether the file was empty.
func migrate(c *sqlite3.Conn) error {
	id, err1 := number(c, `PRAGMA application_id`)
	version, err2 := number(c, `PRAGMA user_version`)
	tables, err3 := number(c, `SELECT count(*) FROM sqlite_schema`)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	switch {
	case id == 0 && version == 0 && tables == 0:
		return c.Exec(fmt.Sprintf("BEGIN; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", schema, applicationID, schemaVersion))
	case id != applicationID:
		return errors.New("this is not a table of Switchboard's")
	case version > schemaVersion:
		return fmt.Errorf("written by a newer version of Switchboard (schema %d, this one knows %d)", version, schemaVersion)
	}
	return nil
}

// number returns the one number a statement answers.
func number(c *sqlite3.Conn, query string) (int64, error) {
	st, _, err := c.Prepare(query)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	var n int64
	if st.Step() {
		n = st.ColumnInt64(0)
	}
	return n, st.Err()
}
