package chat

import (
	"context"
	"errors"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// retry meets a reservation that is there already. It returns the stored turn if
// it was taken, waits for it while it runs, and otherwise makes o the next
// attempt at the same turn and returns nil.
func (s *Service) retry(ctx context.Context, sc tenant.Scope, o *opened, it table.Item) (*Turn, error) {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 400*time.Millisecond) {
		res, err := decodeReservation(it)
		if err != nil {
			return nil, err
		}
		if !sameHash(res.Hash, o.turn.Hash) {
			return nil, problem.New(problem.Conflict, "chat.retry",
				"This Idempotency-Key was used with another request. Use a new key for a new request.")
		}
		stored, mine, err := s.settle(ctx, sc, o, it, res)
		if err != nil || stored != nil || mine {
			return stored, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ended(ctx)
		}
		if it, err = s.Table.Get(ctx, sc, it.Key); err != nil {
			return nil, err
		}
		if it.Version == 0 {
			if it, err = s.reserveAgain(ctx, sc, o); err != nil || it.Version == 0 {
				return nil, err
			}
		}
	}
}

// reserveAgain reserves a turn whose reservation was given back, as a new request
// would: the one that had it was refused, and then this one will be, or it failed and
// did not begin. The item is that of another who was quicker.
func (s *Service) reserveAgain(ctx context.Context, sc tenant.Scope, o *opened) (table.Item, error) {
	o.try = 1
	o.past = past{} // what was read is of before the wait
	err := s.Table.Write(ctx, sc, table.Create(reservationKey(o.turn.ID), encode(s.reserve(ctx, o))).Relaxed())
	if c, conflict := errors.AsType[*table.Conflict](err); conflict {
		return c.Current, nil
	}
	return table.Item{}, err
}

// settle finds out what a reservation means now: the turn is stored and is
// returned, or it is ours to take (true), or neither, because somebody is at
// work on it.
func (s *Service) settle(ctx context.Context, sc tenant.Scope, o *opened, it table.Item, res reservation) (*Turn, bool, error) {
	item, err := s.Table.Get(ctx, sc, res.turnKey())
	if err != nil {
		return nil, false, err
	}
	var stored *Turn
	if item.Version > 0 {
		if stored, err = decodeTurn(item); err != nil || stored.State == Done {
			return stored, false, err
		}
	}
	if s.elsewhere(res, stored) {
		return nil, false, nil
	}
	o.try = res.Try + 1
	next := s.reserve(ctx, o)
	next.Conversation, next.Order, next.Fresh = res.Conversation, res.Order, res.Fresh
	err = s.Table.Write(ctx, sc, table.Replace(it, encode(next)))
	if _, conflict := errors.AsType[*table.Conflict](err); conflict {
		return nil, false, nil // a retry in another process was quicker
	}
	o.turn.Conversation, o.turn.Order, o.turn.Try, o.before = res.Conversation, res.Order, o.try, item
	if stored != nil {
		o.turn.Attempts = stored.Attempts
	}
	return nil, err == nil, err
}

// elsewhere reports whether another process may be at work on the reservation's
// try. A try that led to an item has ended; so has one of this process, whose
// claim is ours now, and, where this process is alone, every other.
func (s *Service) elsewhere(res reservation, stored *Turn) bool {
	if stored != nil && stored.Try >= res.Try {
		return false
	}
	return !s.Alone && res.Process != s.Process && time.Now().Before(res.Until)
}
