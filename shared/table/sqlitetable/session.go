package sqlitetable

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// session is a file from when it is opened until it is closed. It is used by
// one goroutine at a time, but for flush, which may be used by all.
type session struct {
	conn  *sqlite3.Conn
	stmts [len(queries)]*sqlite3.Stmt // prepared when first used
	wal   *os.File                    // to sync it; SQLite has a descriptor of its own
	flush *flusher

	limits   limits
	feedKeep time.Duration // see Options

	seq    int64     // the highest in the feed
	pages  int       // of the WAL, since it was last copied into the database
	soon   bool      // a checkpoint is on its way
	purged time.Time // when the last purge found nothing more to do
	broken bool      // SQLite failed in a way after which it is better opened again
}

// query names a statement.
type query int

const (
	qBegin query = iota
	qCommit
	qRollback
	qSavepoint
	qRollbackTo
	qRelease
	qGet
	qList
	qListReverse
	qChanges
	qCheck
	qCreate
	qReplace
	qPut
	qDelete
	qAdd
	qPurge
)

// live is the condition that an item is there; ?7 is the time, in seconds.
const live = `(items.version > 0 AND (items.expires = 0 OR items.expires > ?7))`

// The parameters have the same numbers everywhere: 1 seq, 2 pk, 3 sk, 4 expires,
// 5 token, 6 body, 7 now, 8 version, 9 counts; 10 and on are the query's own.
const (
	columns = ` seq, pk, sk, version, expires, token, counts, body `
	insert  = `INSERT INTO items(` + columns + `) `
	upsert  = ` ON CONFLICT(pk, sk) DO UPDATE SET seq = excluded.seq, expires = excluded.expires, token = excluded.token, `
	ifLive  = ` CASE WHEN ` + live
	exact   = ` WHERE pk = ?2 AND sk = ?3 AND version = ?8 AND (?10 = '' OR token = ?10) AND ` + live
)

var queries = [...]string{
	qBegin:       `BEGIN`,
	qCommit:      `COMMIT`,
	qRollback:    `ROLLBACK`,
	qSavepoint:   `SAVEPOINT write`,
	qRollbackTo:  `ROLLBACK TO write`,
	qRelease:     `RELEASE write`,
	qGet:         `SELECT` + columns + `FROM items WHERE pk = ?2 AND sk = ?3 AND ` + live,
	qList:        `SELECT` + columns + `FROM items WHERE pk = ?2 AND sk >= ?10 AND sk < ?11 AND ` + live + ` ORDER BY sk LIMIT ?12`,
	qListReverse: `SELECT` + columns + `FROM items WHERE pk = ?2 AND sk >= ?10 AND sk < ?11 AND ` + live + ` ORDER BY sk DESC LIMIT ?12`,
	qChanges:     `SELECT` + columns + `FROM items WHERE seq > ?1 ORDER BY seq LIMIT ?12`,
	qCheck:       `SELECT version, token FROM items WHERE pk = ?2 AND sk = ?3 AND ` + live,
	qCreate: insert + `VALUES(?1, ?2, ?3, 1, ?4, ?5, NULL, ?6)` + upsert +
		`body = excluded.body, version = 1, counts = NULL WHERE NOT ` + live,
	qPut: insert + `VALUES(?1, ?2, ?3, 1, ?4, ?5, NULL, ?6)` + upsert + `body = excluded.body,
		version =` + ifLive + ` THEN items.version + 1 ELSE 1 END, counts =` + ifLive + ` THEN items.counts END`,
	qAdd: insert + `VALUES(?1, ?2, ?3, 1, ?4, ?5, ?9, NULL)` + upsert + `counts = excluded.counts,
		version =` + ifLive + ` THEN items.version + 1 ELSE 1 END, body =` + ifLive + ` THEN items.body END`,
	qReplace: `UPDATE items SET seq = ?1, expires = ?4, token = ?5, body = ?6, version = version + 1` + exact,
	qDelete:  `UPDATE items SET seq = ?1, expires = ?4, token = '', body = NULL, counts = NULL, version = 0` + exact,
	// The row with the highest seq stays, or its number would be given out again.
	qPurge: `DELETE FROM items WHERE seq IN (SELECT seq FROM items INDEXED BY items_expires
		WHERE expires > 0 AND expires < ?7 AND seq < ?1 ORDER BY expires LIMIT ?12)`,
}

// stmt returns the prepared statement.
func (s *session) stmt(q query) (*sqlite3.Stmt, error) {
	if s.stmts[q] == nil {
		st, _, err := s.conn.PrepareFlags(queries[q], sqlite3.PREPARE_PERSISTENT)
		if err != nil {
			return nil, s.fault(err)
		}
		s.stmts[q] = st
	}
	return s.stmts[q], nil
}

// exec runs a statement without parameters.
func (s *session) exec(q query) error {
	st, err := s.stmt(q)
	if err != nil {
		return err
	}
	return s.fault(st.Exec())
}

// fault notes an error after which the session must not go on. A full disk and
// an interrupted read leave it as it was; of anything else opening it again,
// with recovery, is the safer guess.
func (s *session) fault(err error) error {
	if err == nil || errors.Is(err, sqlite3.FULL) || errors.Is(err, sqlite3.INTERRUPT) {
		return err
	}
	s.broken = true
	return err
}

// close syncs what still waits, which answers who waits for it, and closes. The
// last to close a database checkpoints it and removes the WAL.
func (s *session) close() error {
	if err := s.flush.wait(context.Background(), s.flush.all()); err != nil || s.broken {
		return errors.Join(err, s.abandon())
	}
	return errors.Join(s.disconnect(), s.wal.Close())
}

// disconnect closes the connection, which its statements would keep open.
func (s *session) disconnect() error {
	var errs []error
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, s.conn.Close())...)
}

// abandon closes without a checkpoint: a WAL that did not sync or that SQLite
// stumbled over is not to be copied from before recovery has checked it.
func (s *session) abandon() error {
	_, err := s.conn.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	err = errors.Join(err, s.disconnect())
	if s.wal != nil {
		err = errors.Join(err, s.wal.Close())
	}
	return err
}
