package chat

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// sweepKey is where the sweeper keeps how far it has read.
var sweepKey = table.Key{Kind: "sweep", ID: "turns"}

// sweepState is the sweeper's place in the change feed and the turns that were
// reserved before it and had no item yet.
type sweepState struct {
	After string          `json:"after"`
	Open  map[string]bool `json:"open"`
}

// sweepBatch is how many changes are read at a time.
const sweepBatch = 500

// Sweep closes the tenant's turns whose process died: they become interrupted
// turns with what was asked, so that the conversation shows them and a retry can
// take them up. It follows the change feed, so its cost is that of what happened
// since it last ran. It returns how many it closed; running it twice does no
// harm.
func (s *Service) Sweep(ctx context.Context, sc tenant.Scope) (int, error) {
	it, err := s.Table.Get(ctx, sc, sweepKey)
	if err != nil {
		return 0, err
	}
	var st sweepState
	if it.Version > 0 {
		if err := json.Unmarshal(it.Body, &st); err != nil {
			return 0, problem.Wrap(problem.Internal, "chat.Sweep", err)
		}
	}
	if st.Open == nil {
		st.Open = make(map[string]bool)
	}
	moved, err := s.follow(ctx, sc, &st)
	if err != nil {
		return 0, err
	}
	closed := 0
	for id := range st.Open {
		ended, wrote, err := s.closeTurn(ctx, sc, id)
		if err != nil {
			return closed, err
		}
		if ended {
			delete(st.Open, id)
		}
		if wrote {
			closed++
		}
	}
	if !moved && closed == 0 {
		return 0, nil
	}
	return closed, s.Table.Write(ctx, sc, table.Put(sweepKey, encode(st)).Relaxed())
}

// follow reads the feed to its end and keeps st.Open in step with it. moved says
// that there was anything but the sweeper's own note in it.
func (s *Service) follow(ctx context.Context, sc tenant.Scope, st *sweepState) (moved bool, err error) {
	for {
		changes, next, err := s.Table.Changes(ctx, sc, st.After, sweepBatch)
		if err != nil {
			return moved, err
		}
		for _, c := range changes {
			moved = moved || c.Key != sweepKey
			switch {
			case c.Key.Kind == reservationKind && c.Item.Version > 0:
				st.Open[c.Key.ID] = true
			case c.Key.Kind == reservationKind:
				delete(st.Open, c.Key.ID)
			case c.Key.Kind == turnKind && c.Item.Version > 0:
				var t struct {
					ID string `json:"id"`
				}
				if err := json.Unmarshal(c.Item.Body, &t); err != nil {
					return moved, problem.Wrap(problem.Internal, "chat.follow", err)
				}
				// A retry of this turn, if there is one, reserves it again after
				// this and so opens it again.
				delete(st.Open, t.ID)
			}
		}
		st.After = next
		if len(changes) < sweepBatch {
			return moved, nil
		}
	}
}

// closeTurn ends a turn if nobody is at work on it. ended says that the sweeper
// need not look at it again, wrote that it stored an interrupted turn.
func (s *Service) closeTurn(ctx context.Context, sc tenant.Scope, id string) (ended, wrote bool, err error) {
	it, err := s.Table.Get(ctx, sc, reservationKey(id))
	if err != nil || it.Version == 0 {
		return it.Version == 0, false, err
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
	return settled(s.Table.Write(ctx, sc, table.Create(res.turnKey(), encode(res.interrupted(sc, id)))), true)
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
