package sqlitetable

import (
	"context"
	"log/slog"

	"github.com/ncruces/go-sqlite3"

	"switchboard/shared/problem"
)

// limits say at how many pages of the WAL it is copied into the database. That
// takes the connection for as long as hundreds of pages and two syncs take, so it
// is done when nobody waits, from whenIdle on; a file that is never idle bears it
// atOnce, which keeps the WAL near 8 MB. To let it grow to 16 or 64 MB was no better
// for the slowest of a hundred writes, nor for all.
type limits struct{ whenIdle, atOnce int }

// checkpointIf copies the WAL into the database if it has so many pages. A failure
// breaks the session, unless the disk is full: SQLite would sync the same pages
// again, which after a failed sync proves nothing.
func (s *session) checkpointIf(pages int) error {
	if s.pages < pages {
		return nil
	}
	_, _, err := s.conn.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
	if err == nil {
		s.pages = 0
	}
	return s.fault(err)
}

// checkpointSoon starts a checkpoint of f, which its caller has locked, if its WAL
// is long enough and nobody waits.
func (st *store) checkpointSoon(f *file) {
	s := f.session
	if s.pages < s.limits.whenIdle || s.soon || s.broken || !f.queue.idle() {
		return
	}
	s.soon = true
	st.background.Go(func() {
		err := problem.Guard("sqlitetable.checkpointSoon", func() error {
			st.checkpoint(f, s)
			return nil
		})
		if err != nil {
			st.opts.Log.Error("checkpoint failed", slog.String("project", f.project), slog.Any("error", err))
		}
	})
}

// checkpoint copies the WAL of f, if s is still its session and nobody waits.
func (st *store) checkpoint(f *file, s *session) {
	// What the checkpoint has to sync first is synced before it has the lock.
	// If that fails, so will the checkpoint, or the session is closed already.
	_ = s.flush.wait(context.Background(), s.flush.all())
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session != s || s.flush.failed() {
		return
	}
	if s.soon = false; !f.queue.idle() {
		return // another time
	}
	var err error
	returned := false
	defer func() { // what SQLite was at when it panicked, nobody must go on with
		if s.broken = s.broken || !returned; s.broken {
			st.opts.Log.Error("table file is reopened", slog.String("project", f.project), slog.Any("error", err))
			st.shut(f)
		}
	}()
	err = s.checkpointIf(s.limits.whenIdle)
	returned = true
}
