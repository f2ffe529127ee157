package chat

import (
	"context"
	"errors"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// Sweep closes the tenant's turns whose process died: they become interrupted
// turns with what was asked, so that the conversation shows them and a retry can
// take them up. It is for one process: it reads the change feed from where it was,
// so its cost is that of what happened since it last ran. It returns how many it
// closed; running it twice does no harm. A change that cannot be read is an error
// once, and keeps no other turn open.
//
// Where the feed comes by itself, as on Lambda, [Service.Watch] and
// [Service.CloseDue] are its two halves.
func (s *Service) Sweep(ctx context.Context, sc tenant.Scope) (int, error) {
	it, err := s.Table.Get(ctx, sc, noteKey)
	if err != nil {
		return 0, err
	}
	n, err := decodeNote(it)
	if err != nil {
		return 0, err
	}
	moved, unread := s.follow(ctx, sc, &n)
	save := func(ctx context.Context, ended map[string]time.Time) error {
		n.drop(ended)
		err := s.Table.Write(ctx, sc, table.Put(noteKey, encode(n)).Relaxed())
		moved = moved && err != nil
		return err
	}
	c := &closing{service: s, drop: save}
	closed, err := c.closeTurns(ctx, sc, n)
	if moved {
		err = errors.Join(err, save(ctx, nil))
	}
	return closed, errors.Join(unread, err)
}

// Recent returns the projects of which this process began a turn so lately that it may
// still be open, or may have been left open by a write that failed: the others need no
// [Service.Sweep].
func (s *Service) Recent() (ids []tenant.ID) {
	s.latest.Range(func(id, at any) bool {
		if time.Since(at.(time.Time)) > s.longest()+s.drain()+keepTimeout+time.Minute {
			s.latest.CompareAndDelete(id, at)
		} else {
			ids = append(ids, id.(tenant.ID))
		}
		return true
	})
	return ids
}

// CloseDue closes the turns that [Service.Watch] has noted and whose time is up.
// It asks the table about each, so a note that is out of date costs two reads and
// closes nothing. When ctx ends it stops, and has taken off what it came to.
func (s *Service) CloseDue(ctx context.Context, sc tenant.Scope) (int, error) {
	it, err := s.Table.Get(ctx, sc, noteKey)
	if err != nil {
		return 0, err
	}
	n, err := decodeNote(it)
	if err != nil {
		return 0, err
	}
	c := &closing{service: s, drop: func(ctx context.Context, ended map[string]time.Time) error {
		return s.amend(ctx, sc, func(n *note) bool { return n.drop(ended) })
	}}
	return c.closeTurns(ctx, sc, n)
}

// closeTurn ends a turn if nobody is at work on it. ended says that the sweeper
// need not look at it again, wrote that it stored an interrupted turn.
func (s *Service) closeTurn(ctx context.Context, sc tenant.Scope, id string) (ended, wrote bool, err error) {
	it, err := s.Table.Get(ctx, sc, reservationKey(id))
	if err != nil || it.Version == 0 {
		return err == nil, false, err
	}
	res, err := decodeReservation(it)
	if err != nil {
		return false, false, err
	}
	item, err := s.Table.Get(ctx, sc, res.turnKey())
	if err != nil {
		return false, false, err
	}
	var stored *Turn
	if item.Version > 0 {
		if stored, err = decodeTurn(item); err != nil || stored.Try >= res.Try {
			return err == nil, false, err
		}
	}
	o := &opened{turn: &Turn{ID: id}}
	defer s.release(sc, o)
	if s.tryTake(sc, o) != nil || s.elsewhere(res, stored) {
		return false, false, nil
	}
	if stored != nil {
		// A try after the one that was stored died: the stored one stands, and
		// the reservation returns to it.
		res.Try = stored.Try
		return settled(s.Table.Write(ctx, sc, table.Replace(it, encode(res))), false)
	}
	known, err := s.known(ctx, sc, res)
	if err != nil {
		return false, false, err
	}
	if !known {
		return settled(s.Table.Write(ctx, sc, table.Delete(it)), false)
	}
	// The reservation is written too, as it is: a retry that has read it and not yet
	// the item, and is about to take the turn over, has to look again. Otherwise its
	// answer would meet our item, and be paid for and lost.
	return settled(s.Table.Write(ctx, sc,
		table.Create(res.turnKey(), encode(res.interrupted(sc, id))), table.Replace(it, it.Body)), true)
}

// settled reads a write's result: a conflict means that somebody else moved on
// with the turn, which is then looked at again.
func settled(err error, wrote bool) (bool, bool, error) {
	if _, conflict := errors.AsType[*table.Conflict](err); conflict {
		return false, false, nil
	}
	return err == nil, err == nil && wrote, err
}

// known reports whether the reservation's conversation is one of the tenant's. A
// reservation for another is what a refused request left behind.
func (s *Service) known(ctx context.Context, sc tenant.Scope, res reservation) (bool, error) {
	if res.Fresh {
		return true, nil
	}
	page, err := s.Table.List(ctx, sc, table.Query{Kind: turnKind, Parent: res.Conversation, Limit: 1})
	return len(page.Items) > 0, err
}

// interrupted is the item of a turn of which only the reservation is left.
func (r reservation) interrupted(sc tenant.Scope, id string) *Turn {
	return &Turn{
		ID: id, Conversation: r.Conversation, Order: r.Order, Assistant: r.Assistant, User: r.User, Hash: r.Hash, Try: r.Try,
		State: Interrupted, Reason: problem.ReasonInterrupted, Asked: r.Asked, Ended: time.Now().UTC().Truncate(time.Millisecond),
		Question: r.Question, Attempts: []Attempt{},
		Access: Access{Actor: sc.Actor(), Kind: sc.Kind().String(), Role: sc.Role().String(), Request: r.Request},
	}
}
