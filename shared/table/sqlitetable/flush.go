package sqlitetable

import (
	"context"
	"fmt"
	"sync"
)

// flusher makes commits durable, many with one fdatasync.
//
// With synchronous=FULL SQLite syncs the WAL inside each COMMIT, while it holds
// the connection: one disk flush per commit, and every reader behind it. Here it
// runs with synchronous=NORMAL, where COMMIT only writes to the WAL, and a write
// is acknowledged after an fdatasync of the WAL that began after its COMMIT
// returned. That is FULL's guarantee, with the flush moved out of the lock:
//
//   - A COMMIT may be of many writes, see batch.go. It is one number here, given
//     out before any of them is answered, and durable if one of them is to be.
//     While it is synced the next batch commits.
//   - When COMMIT returned, all its bytes are with the kernel. walfile.go holds some
//     back for a while, but never past the write of the transaction's last frame.
//   - What is acknowledged is on disk: fdatasync covers everything written to the
//     inode before it began, by whichever descriptor, and the file's length.
//   - What lies before it is on disk too. Recovery takes the WAL's longest prefix
//     of whole transactions with unbroken checksums; all of them up to ours were
//     written earlier to the same file, so the same fdatasync covers them. A torn
//     later commit ends the prefix behind ours.
//   - A checkpoint cannot lose it. Under NORMAL SQLite syncs the WAL before it
//     copies pages into the database, and the database before the WAL may be
//     used from its start again; the new WAL header is synced before frames
//     follow it. So a commit is always whole in one of the two, synced. If a
//     checkpoint fails it is not tried again on the same session.
//   - The file is the right one. In exclusive locking mode the WAL is created
//     when the file is opened and stays until it is closed: a restart overwrites
//     it and journal_size_limit truncates it, but it is the same inode (a test
//     holds this). openSession syncs it, the database and the directories once
//     before the first write can be acknowledged.
//   - A failed fdatasync is final. The kernel may report an error once and call
//     the pages clean (fsyncgate), so a second try would prove nothing. The
//     session takes no further write and acknowledges none it has; it is closed
//     without a checkpoint, since frames may read back as what they were before.
//     Opening it again runs recovery, which checks sums, and moves all it finds
//     into the database, synced, before it accepts a write; see openSession.
//
// A relaxed write is answered after COMMIT; so is, to readers, every write: they use
// the connection, which a batch has for itself until then.
//
// Reads do not wait: between COMMIT and fdatasync they see a write that its
// writer has not been told of. What must not be taken back after a power cut,
// conflicts and the change feed, waits; see Write and Changes.
type flusher struct {
	sync func() error

	mu       sync.Mutex
	commits  uint64        // committed so far
	durable  uint64        // the last of them that was promised to be durable
	done     uint64        // synced up to here
	busy     bool          // somebody is syncing
	finished chan struct{} // closed when they are done, and replaced
	err      error         // why nothing will be synced any more
}

func newFlusher(sync func() error) *flusher {
	return &flusher{sync: sync, finished: make(chan struct{})}
}

// committed counts a commit. Its caller still holds the session, so numbers are
// in the order of the WAL.
func (fl *flusher) committed(durable bool) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.commits++
	if durable {
		fl.durable = fl.commits
	}
}

// promised is the number of the last commit that has to be durable.
func (fl *flusher) promised() uint64 {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.durable
}

// all is the number of the last commit.
func (fl *flusher) all() uint64 {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.commits
}

func (fl *flusher) failed() bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.err != nil
}

// wait returns nil when commit number upTo is on disk. Who finds nobody syncing
// does it, for all who have committed by then; the others wait for the end of
// that sync and, if it began before their commit, choose among them who goes
// next. Its caller does not hold the session.
func (fl *flusher) wait(ctx context.Context, upTo uint64) error {
	fl.mu.Lock()
	for {
		if fl.done >= upTo {
			fl.mu.Unlock()
			return nil
		}
		if err := fl.err; err != nil {
			fl.mu.Unlock()
			return err
		}
		if !fl.busy {
			fl.lead()
			continue
		}
		finished := fl.finished
		fl.mu.Unlock()
		select {
		case <-finished:
		case <-ctx.Done():
			return ctx.Err() // the write happened and may last; nobody said it would
		}
		fl.mu.Lock()
	}
}

// lead syncs for everybody who has committed. It is called and returns with mu
// held, but not while it syncs.
func (fl *flusher) lead() {
	fl.busy = true
	covers := fl.commits
	fl.mu.Unlock()
	err := fl.sync()
	fl.mu.Lock()
	fl.busy = false
	if err != nil {
		fl.err = fmt.Errorf("sqlitetable: sync: %w", err)
	} else {
		fl.done = covers
	}
	close(fl.finished)
	fl.finished = make(chan struct{})
}
