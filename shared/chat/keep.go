package chat

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/session"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// keepTimeout is how long the last write is tried. It outlives the client. The session
// is told beside it, and counts on its end before [session.Settle].
const keepTimeout = 10 * time.Second

const _ = uint64(session.Settle - keepTimeout - time.Second)

var errTakenOver = errors.New("chat: another process took the turn over")

// keep stores the turn: one atomic write, with the session's window beside it. It
// returns the stored turn if it is whole, and otherwise why it is not.
func (s *Service) keep(ctx context.Context, sc tenant.Scope, o *opened, a *said, send func(Part)) (*Turn, error) {
	t := o.turn
	t.Ended = time.Now().UTC().Truncate(time.Millisecond)
	t.Answer, t.Calls, t.Stop = a.text, a.calls, a.stop
	t.Citations = cited(a.text, o)
	t.Attempts = folded(append(t.Attempts, s.price(a.run.Attempts)...))
	switch {
	case a.err == nil:
		t.State = Done
		for i := range t.Citations {
			send(Part{Citation: &t.Citations[i]})
		}
	case a.text == "" && len(a.calls) == 0:
		t.State, t.Reason = Failed, reason(a.err)
	default:
		t.State, t.Reason = Interrupted, reason(a.err)
	}

	send(Part{Pause: true})

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	var beside sync.WaitGroup
	if t.Answer != "" && o.q.History == nil {
		entries := o.entries()
		beside.Go(func() { s.remember(ctx, sc, o, entries) })
	}
	stored, err := s.store(ctx, sc, o)
	beside.Wait()
	switch {
	case err != nil:
		s.remember(ctx, sc, o, nil) // the window may hold what the table does not
		return nil, err
	case stored != t:
		s.remember(ctx, sc, o, nil)
		if stored.State == Done {
			return stored, nil
		}
		return nil, problem.Wrap(problem.Unavailable, "chat.keep", errTakenOver)
	case a.err != nil:
		return nil, a.err
	}
	return t, nil
}

// store writes the turn's item, and again while the table does not answer. If
// another process took the turn over meanwhile, the item is that one's.
func (s *Service) store(ctx context.Context, sc tenant.Scope, o *opened) (*Turn, error) {
	body := encode(o.turn)
	write := table.Create(o.turn.key(), body)
	if o.before.Version > 0 {
		write = table.Replace(o.before, body)
	}
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		err := s.Table.Write(ctx, sc, write)
		if c, conflict := errors.AsType[*table.Conflict](err); conflict {
			if bytes.Equal(c.Current.Body, body) {
				return o.turn, nil // an earlier try of ours landed
			}
			return decodeTurn(c.Current)
		}
		if err == nil {
			return o.turn, nil
		}
		if !problem.Is(err, problem.Unavailable) {
			return nil, problem.Wrap(problem.Internal, "chat.store", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// price turns what providers counted into usage records.
func (s *Service) price(attempts []model.Attempt) []Attempt {
	out := make([]Attempt, len(attempts))
	for i, a := range attempts {
		out[i] = Attempt{
			Model: a.Model.String(), Input: a.Usage.Input, Output: a.Usage.Output, CachedInput: a.Usage.CachedInput,
			Reason: a.Reason, TookMS: a.Took.Milliseconds(),
		}
		if cost, priced := s.Prices.Cost(out[i].Model, a.Usage); priced {
			out[i].Cost, out[i].Prices = cost, s.Prices.Version
		}
	}
	return out
}

// maxAttempts is how many attempts a turn lists. A turn that is retried for ever
// keeps the sum of the earlier ones.
const maxAttempts = 40

func folded(all []Attempt) []Attempt {
	if len(all) <= maxAttempts {
		return all
	}
	cut := len(all) - maxAttempts + 1
	sum := Attempt{Model: all[0].Model, Reason: "earlier attempts"}
	for _, a := range all[:cut] {
		sum.Input += a.Input
		sum.Output += a.Output
		sum.CachedInput += a.CachedInput
		sum.Cost += a.Cost
		sum.TookMS += a.TookMS
		sum.Prices = a.Prices
	}
	return append([]Attempt{sum}, all[cut:]...)
}

func reason(err error) string {
	p := problem.From(err)
	if p.Reason != "" {
		return p.Reason
	}
	return p.Kind.String()
}

// cited returns the passages that the text refers to as [n], in the order of
// their first mention.
func cited(text string, o *opened) []Citation {
	var out []Citation
	seen := make([]bool, len(o.hits)+1)
	for rest := text; ; {
		_, after, ok := strings.Cut(rest, "[")
		if !ok {
			return out
		}
		rest = after
		// Only as far as a mark can reach: an answer of opening brackets is not
		// searched to its end for each of them.
		inside, _, ok := strings.Cut(after[:min(len(after), 13)], "]")
		if !ok {
			continue
		}
		for num := range strings.SplitSeq(inside, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(num))
			if err != nil || n < 1 || n > len(o.hits) || seen[n] {
				continue
			}
			seen[n] = true
			h := o.hits[n-1]
			out = append(out, Citation{n, h.Document, h.ID, h.Title, h.Heading, h.URL})
		}
	}
}
