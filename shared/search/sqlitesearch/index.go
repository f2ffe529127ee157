package sqlitesearch

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"

	"switchboard/shared/search/internal/driver"
	"switchboard/shared/tenant"
)

// version is the schema's. An index of another version is made anew: its content
// comes from the documents.
const version = 1

const schema = `
CREATE TABLE document(id TEXT PRIMARY KEY, version TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE passage(n INTEGER PRIMARY KEY, id TEXT NOT NULL, document TEXT NOT NULL,
	title TEXT NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL, url TEXT NOT NULL);
CREATE INDEX passage_document ON passage(document);
CREATE VIRTUAL TABLE words USING fts5(title, heading, text, content='passage', content_rowid='n',
	tokenize='porter unicode61 remove_diacritics 2');
CREATE TRIGGER passage_in AFTER INSERT ON passage BEGIN
	INSERT INTO words(rowid, title, heading, text) VALUES (new.n, new.title, new.heading, new.text);
END;
CREATE TRIGGER passage_out AFTER DELETE ON passage BEGIN
	INSERT INTO words(words, rowid, title, heading, text) VALUES ('delete', old.n, old.title, old.heading, old.text);
END;
`

// prepare brings the file to the current schema.
func (f *file) prepare() error {
	if err := fts5.Register(f.conn); err != nil {
		return err
	}
	if err := f.conn.Exec(`PRAGMA locking_mode=exclusive; PRAGMA journal_mode=wal; PRAGMA synchronous=normal; PRAGMA cache_size=-1024;`); err != nil {
		return err
	}
	have, err := f.number(`PRAGMA user_version`)
	if err != nil {
		return err
	}
	if have != version {
		if err := f.create(have != 0); err != nil {
			return err
		}
	}
	// Sorting by the bm25 function, not by FTS5's rank column: for that column it
	// prepares a statement of its own with every query. The passages are read
	// after the few best have been found.
	f.query, _, err = f.conn.PrepareFlags(fmt.Sprintf(`
		SELECT p.id, p.document, p.title, p.heading, p.url, p.text, -best.score
		FROM (SELECT rowid, bm25(words, %g, %g, %g) AS score FROM words WHERE words MATCH ? ORDER BY score LIMIT ?) best
		JOIN passage p ON p.n = best.rowid ORDER BY best.score, p.id`,
		driver.TitleWeight, driver.HeadingWeight, driver.TextWeight), sqlite3.PREPARE_PERSISTENT)
	return err
}

func (f *file) create(again bool) (err error) {
	tx, err := f.conn.BeginImmediate()
	if err != nil {
		return err
	}
	defer tx.End(&err)
	if again {
		if err := f.conn.Exec(`DROP TABLE IF EXISTS words; DROP TABLE IF EXISTS passage; DROP TABLE IF EXISTS document;`); err != nil {
			return err
		}
	}
	return f.conn.Exec(schema + fmt.Sprintf(`PRAGMA user_version=%d;`, version))
}

func (f *file) number(sql string) (int, error) {
	st, _, err := f.conn.Prepare(sql)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	if !st.Step() {
		return 0, st.Err()
	}
	return st.ColumnInt(0), nil
}

func (s *store) Replace(ctx context.Context, sc tenant.Scope, docs []driver.Document, gone []string) error {
	return s.with(ctx, sc, "sqlitesearch.Replace", func(f *file) (err error) {
		// Whatever became of it, the file is read again; f is locked, so nobody
		// holds what was read before.
		defer s.forget(f, sc.Project())
		tx, err := f.conn.BeginImmediate()
		if err != nil {
			return err
		}
		defer tx.End(&err)
		for _, id := range gone {
			if err := f.remove(id); err != nil {
				return err
			}
		}
		for _, d := range docs {
			if err := f.put(d); err != nil {
				return err
			}
		}
		return f.merge()
	})
}

// mergedWhole is the number of passages up to which the index is merged whole.
const mergedWhole = 20_000

// merge joins the segments of the index, of which every write adds one and every
// query looks into all: one segment instead of a dozen makes a query eight times
// as fast. A large index is merged a bounded step at a time.
func (f *file) merge() error {
	n, err := f.number(`SELECT count(*) FROM passage`)
	if err != nil {
		return err
	}
	if n <= mergedWhole {
		return f.conn.Exec(`INSERT INTO words(words) VALUES('optimize')`)
	}
	return f.conn.Exec(`INSERT INTO words(words, rank) VALUES('merge', 500)`)
}

func (f *file) remove(document string) error {
	if err := f.run(`DELETE FROM passage WHERE document = ?`, document); err != nil {
		return err
	}
	return f.run(`DELETE FROM document WHERE id = ?`, document)
}

func (f *file) put(d driver.Document) error {
	if err := f.remove(d.ID); err != nil {
		return err
	}
	for _, p := range d.Passages {
		if err := f.run(`INSERT INTO passage(id, document, title, heading, text, url) VALUES (?, ?, ?, ?, ?, ?)`,
			p.ID, d.ID, p.Title, p.Heading, p.Text, p.URL); err != nil {
			return err
		}
	}
	return f.run(`INSERT INTO document(id, version) VALUES (?, ?)`, d.ID, d.Version)
}

// run executes one statement with text parameters.
func (f *file) run(sql string, args ...string) error {
	st, _, err := f.conn.Prepare(sql)
	if err != nil {
		return err
	}
	defer st.Close()
	for i, a := range args {
		if err := st.BindText(i+1, a); err != nil {
			return err
		}
	}
	return st.Exec()
}

func (s *store) Versions(ctx context.Context, sc tenant.Scope) (map[string]string, error) {
	out := make(map[string]string)
	err := s.with(ctx, sc, "sqlitesearch.Versions", func(f *file) error {
		st, _, err := f.conn.Prepare(`SELECT id, version FROM document`)
		if err != nil {
			return err
		}
		defer st.Close()
		for st.Step() {
			out[st.ColumnText(0)] = st.ColumnText(1)
		}
		return st.Err()
	})
	return out, err
}
