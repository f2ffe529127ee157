package chat

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"switchboard/shared/company"
	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/search"
	"switchboard/shared/session"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// opened is a turn that is reserved, with what was read for it.
type opened struct {
	q         Question
	company   company.Entry
	assistant company.Assistant
	turn      *Turn
	claimed   chan struct{} // closed when we are done with the turn; nil: it is not ours
	try       int           // 1, or more if the turn was taken over
	before    table.Item    // the item this turn is to replace, if it was taken over
	past      past
	token     session.Token // of the window that past was taken from
	hits      []search.Hit
}

// passages is how many passages a model is offered.
const passages = 4

// open reserves the turn and reads what it needs, all at once. It returns either
// a turn to be taken, or one that was taken before and is to be repeated. Its
// first result may hold a claim even then.
func (s *Service) open(ctx context.Context, sc tenant.Scope, q Question) (*opened, *Turn, error) {
	if err := check(q); err != nil {
		return nil, nil, err
	}
	o := &opened{q: q, try: 1}
	var err error
	if o.company, o.assistant, err = s.assistant(ctx, sc, q.Assistant); err != nil {
		return nil, nil, err
	}
	o.turn = s.newTurn(sc, o)
	if err := s.take(ctx, sc, o); err != nil {
		return nil, nil, err
	}
	kept := false
	defer func() { // if it ends in a panic nobody else gives the claim up
		if !kept {
			s.release(sc, o)
		}
	}()
	stored, err := s.begin(ctx, sc, o)
	kept = true
	return o, stored, err
}

// begin writes the reservation of a turn that is claimed, and reads beside it.
func (s *Service) begin(ctx context.Context, sc tenant.Scope, o *opened) (*Turn, error) {
	s.latest.Store(sc.Project(), time.Now())
	reserved := table.Create(reservationKey(o.turn.ID), encode(s.reserve(ctx, o))).Relaxed()
	var taken error
	var lost []string
	var g errgroup.Group
	defer g.Wait() // if it ends in a panic: the claim is not given up before
	g.Go(func() error {
		taken = problem.Guard("chat.begin", func() error { return s.Table.Write(ctx, sc, reserved) })
		if _, conflict := errors.AsType[*table.Conflict](taken); conflict {
			return nil
		}
		return taken
	})
	var hits error
	g.Go(func() error {
		hits = problem.Guard("chat.begin", func() (err error) {
			o.hits, err = s.Search.Query(ctx, sc, o.q.Message, passages)
			return err
		})
		return nil
	})
	if o.q.Conversation != "" {
		o.past, o.token = s.window(ctx, sc, o.q.Conversation)
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if hits != nil {
		slog.WarnContext(ctx, "turn without passages", slog.String("project", sc.Project().String()), slog.Any("err", hits))
		lost = append(lost, "search")
	}
	if c, conflict := errors.AsType[*table.Conflict](taken); conflict {
		stored, err := s.retry(ctx, sc, o, c.Current)
		if err != nil || stored != nil {
			return stored, err
		}
	}
	if err := s.continues(ctx, sc, o); err != nil {
		return nil, err
	}
	o.turn.Access.Degraded = append(o.turn.Access.Degraded, lost...)
	o.turn.Access.Window = len(o.past.turns)
	for _, h := range o.hits {
		o.turn.Access.Passages = append(o.turn.Access.Passages, h.ID)
	}
	return nil, nil
}

// newTurn begins the turn's item.
func (s *Service) newTurn(sc tenant.Scope, o *opened) *Turn {
	q := o.q
	t := &Turn{
		Order: mint(), Conversation: q.Conversation, Assistant: q.Assistant, Version: o.company.Version,
		User: q.User, Hash: q.hash(), Try: 1, Asked: time.Now().UTC().Truncate(time.Millisecond), Question: q.Message,
		Access: Access{Actor: sc.Actor(), Kind: sc.Kind().String(), Role: sc.Role().String(), Request: q.Request},
	}
	if t.ID = t.Order; q.Key != "" {
		t.ID = derive(sc, q.Key)
	}
	if t.Conversation == "" {
		t.Conversation = mint()
	}
	return t
}

// reserve says what the turn is before it is. Its process has ended it by the time
// it may take or, where the host set a deadline, a little after that.
func (s *Service) reserve(ctx context.Context, o *opened) reservation {
	t := o.turn
	until := time.Now().UTC().Truncate(time.Millisecond).Add(s.longest() + s.drain()) // a retry may have waited since it asked
	if end, ok := ctx.Deadline(); ok && end.Before(until) {
		until = end.UTC().Truncate(time.Millisecond)
	}
	return reservation{
		Conversation: t.Conversation, Order: t.Order, Hash: t.Hash, Try: o.try, Process: s.Process,
		Asked: t.Asked, Until: until.Add(keepTimeout), Assistant: t.Assistant, User: t.User, Question: t.Question,
		Request: t.Access.Request, Fresh: o.q.Conversation == "",
	}
}

// continues checks that the conversation the question names is there, and is the
// asker's and the assistant's. If not, the reservation is given back.
func (s *Service) continues(ctx context.Context, sc tenant.Scope, o *opened) error {
	if o.q.History != nil || o.q.Conversation == "" && o.try == 1 {
		return nil
	}
	if o.try > 1 {
		// The turn is not part of its own past, nor is what came after it.
		if err := s.rebuild(ctx, sc, o.turn.Conversation, o.turn.Order, &o.past); err != nil {
			return err
		}
		if len(o.past.turns) == 0 {
			return nil // it began the conversation
		}
	} else if !o.past.warm {
		if err := s.rebuild(ctx, sc, o.turn.Conversation, "", &o.past); err != nil {
			s.giveBack(ctx, sc, o)
			return err
		}
	}
	if o.past.belongs(sc, o.q) {
		if o.turn.User == nil {
			o.turn.User = o.past.user()
		}
		return nil
	}
	s.giveBack(ctx, sc, o)
	if first, ok := s.first(sc, o.turn.Conversation); ok && len(o.past.turns) == 0 && (past{turns: []exchange{first.exchange()}}).belongs(sc, o.q) {
		return &problem.Error{
			Kind: problem.Conflict, RetryAfter: time.Second, Op: "chat.continues",
			Detail: "The conversation's first turn is still under way. Send this one when it has ended.",
		}
	}
	return problem.New(problem.NotFound, "chat.continues", "%s", notFound)
}

// giveBack removes the reservation of a turn that never began. If that fails the
// sweeper does it.
func (s *Service) giveBack(ctx context.Context, sc tenant.Scope, o *opened) {
	if o.try > 1 {
		return // taken over from a turn that did begin
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	it, err := s.Table.Get(ctx, sc, reservationKey(o.turn.ID))
	if err == nil && it.Version > 0 {
		err = s.Table.Write(ctx, sc, table.Delete(it))
	}
	if err != nil {
		slog.WarnContext(ctx, "reservation not given back", slog.String("turn_id", o.turn.ID), slog.Any("err", err))
	}
}

// Limits of a question, beyond that of the request's size.
const (
	maxMessage = 32 << 10 // bytes of a message
	maxUserID  = 128
	maxName    = 200
)

// check refuses what no turn can be made of, naming the field.
func check(q Question) error {
	const op = "chat.check"
	switch {
	case q.Assistant == "":
		return problem.Bad(op, "assistant", `field "assistant" is needed: the id of one of your assistants`)
	case strings.TrimSpace(q.Message) == "" && q.History == nil:
		return problem.Bad(op, "message", `field "message" is needed and must not be empty`)
	case q.History == nil && (len(q.Message) > maxMessage || weight(q.Message) > maxAsked):
		return problem.Bad(op, "message", `field "message" has more than %d bytes`, maxMessage)
	case q.User != nil && q.User.ID == "":
		return problem.Bad(op, "user.id", `field "user.id" is needed where there is a "user"`)
	case q.User != nil && len(q.User.ID) > maxUserID:
		return problem.Bad(op, "user.id", `field "user.id" has 1 to %d bytes`, maxUserID)
	case q.User != nil && len(q.User.Name) > maxName:
		return problem.Bad(op, "user.name", `field "user.name" has at most %d bytes`, maxName)
	case q.Conversation != "" && !isID(q.Conversation):
		return problem.New(problem.NotFound, op, "%s", notFound)
	}
	return nil
}

// hash tells a retry of this question from another question under the same key.
func (q Question) hash() []byte {
	parts := []string{q.Assistant, q.Conversation, q.Message}
	if q.User != nil {
		parts = append(parts, "user", q.User.ID, q.User.Name)
	}
	if q.History != nil {
		parts = append(parts, "history", string(encode(q.History)), string(encode(q.Options)))
	}
	return digest(parts...)
}

func sameHash(a, b []byte) bool { return bytes.Equal(a, b) }

// messages are what the model is to see: the past, then the question.
func (o *opened) messages() []model.Message {
	if o.q.History != nil {
		return o.q.History.Messages
	}
	return append(o.past.messages(), model.Message{Role: model.User, Text: o.q.Message})
}
