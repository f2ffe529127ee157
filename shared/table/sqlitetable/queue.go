package sqlitetable

import (
	"context"
	"errors"
	"sync"

	"switchboard/shared/problem"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// How much one batch holds. It is committed while readers wait, so it is bounded;
// there is always one write, however big.
const (
	batchWrites = 64
	batchBytes  = 1 << 20
)

// errUnfinished is the answer to a write that its leader did not come back from.
var errUnfinished = errors.New("sqlitetable: the write was abandoned half way")

// pending is one write on its way into a tenant's file. It belongs to its writer,
// who does not return before it is done with: the Scope in it is not kept.
type pending struct {
	sc      tenant.Scope
	ops     []driver.Op
	relaxed bool // acknowledged before it is synced
	size    int
	wake    chan bool // ends the wait: true to lead, false because it is done; nil for who led at once

	// What became of it, set by who leads.
	wrote bool
	err   error
	flush *flusher // with upTo, the commit to be on disk before the answer is given
	upTo  uint64
}

func newPending(sc tenant.Scope, ops []driver.Op) *pending {
	p := &pending{sc: sc, ops: ops, relaxed: true}
	for _, op := range ops {
		p.relaxed = p.relaxed && op.Relaxed
		p.size += len(op.Body)
	}
	return p
}

// answered reports whether the write was done or refused. Anything else is the
// file's trouble, which it may share with others.
func (p *pending) answered() bool {
	return p.err == nil || own(p.err)
}

// own reports whether an error is one write's: its condition does not hold, or
// it was refused before SQLite was asked to change anything.
func own(err error) bool {
	if _, ok := errors.AsType[*driver.Conflict](err); ok {
		return true
	}
	_, ok := errors.AsType[*problem.Error](err)
	return ok
}

// queue is the writes that wait for a file, in the order they came. The first of
// them leads: it takes the lock of the file, writes for those behind it too, and
// makes the first it left behind the next leader. So nobody waits for more than
// the writes before it, and nobody works for others longer than one batch.
type queue struct {
	mu      sync.Mutex
	waiting []*pending
	led     bool // somebody leads: waiting[0], or who took it
}

// enter queues a write and reports whether it leads.
func (q *queue) enter(p *pending) (leads bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, p)
	if q.led {
		p.wake = make(chan bool, 1)
		return false
	}
	q.led = true
	return true
}

// wait returns when the write is done, or has to lead, or was withdrawn because
// its context ended. Once a leader has it, it is too late for that: it will be
// done in a moment, and an answer is better than a doubt.
func (q *queue) wait(ctx context.Context, p *pending) (leads bool, err error) {
	select {
	case leads = <-p.wake:
		return leads, nil
	case <-ctx.Done():
	}
	if q.withdraw(p) {
		return false, ctx.Err()
	}
	return <-p.wake, nil
}

// withdraw takes a write that waits behind another out of the queue.
func (q *queue) withdraw(p *pending) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.waiting {
		if other == p && len(p.wake) == 0 { // else it leads, and others rely on it
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// take removes the next batch. Its caller leads, so its own write is the first.
func (q *queue) take() []*pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 1, q.waiting[0].size
	for n < min(len(q.waiting), batchWrites) && size+q.waiting[n].size <= batchBytes {
		size += q.waiting[n].size
		n++
	}
	batch := q.waiting[:n:n]
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
	return batch
}

// idle reports whether nobody waits.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0
}

// pass tells who waits for the batch that it is done, and ends the caller's lead.
// A leader that took no batch takes its own write away.
func (q *queue) pass(batch []*pending) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if batch == nil {
		q.waiting = q.waiting[1:]
	}
	for _, p := range batch {
		if p.wake != nil {
			p.wake <- false
		}
	}
	if q.led = len(q.waiting) > 0; q.led {
		q.waiting[0].wake <- true
	}
}
