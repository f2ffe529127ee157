package chat

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// NoteID is the ID of the item that notes a tenant's open turns. Who feeds
// [Service.Watch] from a stream leaves changes of it out: they are Watch's own.
const NoteID = "open"

var noteKey = table.Key{Kind: "sweep", ID: NoteID}

// note says which turns may be open. It is a list of times to look, not of facts:
// a turn that is in it and has ended is dropped when it is looked at. A table's
// largest item holds some 6,000; past that, adding fails until some have ended.
type note struct {
	After string               `json:"after,omitempty"` // Sweep's place in the change feed
	Open  map[string]time.Time `json:"open"`            // by turn, when its process has ended it
}

func decodeNote(it table.Item) (note, error) {
	var n note
	if it.Version > 0 {
		if err := json.Unmarshal(it.Body, &n); err != nil {
			return n, problem.Wrap(problem.Internal, "chat.decodeNote", err)
		}
	}
	if n.Open == nil {
		n.Open = make(map[string]time.Time)
	}
	return n, nil
}

// add notes turns and reports whether that was news. The later time stands: an
// earlier one is of a try before, or of a change that came twice.
func (n *note) add(open map[string]time.Time) (news bool) {
	for id, until := range open {
		if until.After(n.Open[id]) {
			n.Open[id], news = until, true
		}
	}
	return news
}

// drop takes turns off, but for those that were noted anew since they were looked
// at, and reports whether there were any.
func (n *note) drop(ended map[string]time.Time) (dropped bool) {
	for id, until := range ended {
		if at, noted := n.Open[id]; noted && at.Equal(until) {
			delete(n.Open, id)
			dropped = true
		}
	}
	return dropped
}

// amendTries is how often the note is written until nobody came between: as many
// write to it at a time as the stream has shards, and the one who closes turns.
const amendTries = 20

// amend changes the note as it is now, and writes nothing if change says so.
func (s *Service) amend(ctx context.Context, sc tenant.Scope, change func(*note) bool) error {
	const op = "chat.amend"
	it, err := s.Table.Get(ctx, sc, noteKey)
	for range amendTries {
		if err != nil {
			return err
		}
		n, err := decodeNote(it)
		if err != nil || !change(&n) {
			return err
		}
		write := table.Create(noteKey, encode(n))
		if it.Version > 0 {
			write = table.Replace(it, encode(n))
		}
		err = s.Table.Write(ctx, sc, write)
		c, conflict := errors.AsType[*table.Conflict](err)
		if !conflict {
			return err
		}
		it = c.Current
	}
	return problem.New(problem.Unavailable, op, "the note of open turns is written to by too many")
}

// Watch notes the turns that the changes show to be open, for [Service.CloseDue].
// It may be given changes again, late, and those of different keys in any order.
// A turn that was reserved and stored among them costs nothing; of one that was
// only reserved the item is looked for, so that a note is written of turns alone
// that are still running. A change that cannot be read is an error, after all
// others were taken.
func (s *Service) Watch(ctx context.Context, sc tenant.Scope, changes []table.Change) error {
	t, unread := count(changes)
	var mu sync.Mutex
	open := make(map[string]time.Time)
	var g errgroup.Group
	g.SetLimit(8)
	var failed failures
	for id, res := range t.open() {
		stored := false
		g.Go(func() error {
			err := problem.Guard("chat.Watch", func() (err error) {
				stored, err = s.stored(ctx, sc, res)
				return err
			})
			failed.add(err)
			mu.Lock()
			defer mu.Unlock()
			if !stored { // nor if it is not known
				open[id] = res.Until
			}
			return nil
		})
	}
	g.Wait()
	if len(open) > 0 {
		failed.add(s.amend(ctx, sc, func(n *note) bool { return n.add(open) }))
	}
	return errors.Join(failed.err(), unread)
}

// stored reports whether the reservation's try, or a later one, led to an item.
func (s *Service) stored(ctx context.Context, sc tenant.Scope, res reservation) (bool, error) {
	it, err := s.Table.Get(ctx, sc, res.turnKey())
	if err != nil || it.Version == 0 {
		return false, err
	}
	t, err := decodeTurn(it)
	return err == nil && t.Try >= res.Try, err
}

// follow reads the feed to its end and keeps the note in step with it. moved says
// that there was anything but the note itself in it. What cannot be read is the error,
// and is passed: it would be in the way of all that comes after it.
func (s *Service) follow(ctx context.Context, sc tenant.Scope, n *note) (moved bool, err error) {
	var unread failures
	for {
		changes, next, err := s.Table.Changes(ctx, sc, n.After, sweepBatch)
		if err != nil {
			return moved, errors.Join(unread.err(), err)
		}
		for _, c := range changes {
			moved = moved || c.Key != noteKey
		}
		t, err := count(changes)
		unread.add(err)
		// This feed is in order, so what was noted before is of no later try.
		for id := range t.over {
			delete(n.Open, id)
		}
		for id, res := range t.open() {
			n.Open[id] = res.Until
		}
		n.After = next
		if len(changes) < sweepBatch {
			return moved, unread.err()
		}
	}
}

// sweepBatch is how many changes are read at a time.
const sweepBatch = 500
