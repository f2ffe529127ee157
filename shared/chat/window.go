package chat

import (
	"context"
	"log/slog"
	"slices"

	"github.com/go-json-experiment/json"

	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/session"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// exchange is one entry of a window: a turn as later turns need it.
type exchange struct {
	Assistant string `json:"a"`
	User      string `json:"u,omitempty"`
	Question  string `json:"q"`
	Answer    string `json:"s"`
}

func (t *Turn) exchange() exchange {
	e := exchange{Assistant: t.Assistant, Question: t.Question, Answer: t.Answer}
	if t.User != nil {
		e.User = t.User.ID
	}
	return e
}

// past is what came before in a conversation.
type past struct {
	turns []exchange // oldest first
	warm  bool       // it came from the session
}

// window takes the conversation's last turns from the session. A miss is no error:
// [Service.rebuild] reads the table then.
func (s *Service) window(ctx context.Context, sc tenant.Scope, conversation string) (past, session.Token) {
	entries, token, err := s.Session.Take(ctx, sc, conversation)
	if err != nil {
		slog.WarnContext(ctx, "window read from the table", slog.String("project", sc.Project().String()), slog.Any("err", err))
		return past{}, token
	}
	var p past
	for _, e := range entries {
		var x exchange
		if err := json.Unmarshal(e, &x); err != nil {
			slog.ErrorContext(ctx, "window entry does not read", slog.String("project", sc.Project().String()), slog.Any("err", err))
			return past{}, token
		}
		p.turns = append(p.turns, x)
	}
	p.warm = len(p.turns) > 0
	return p, token
}

// rebuild reads the conversation's last turns before the given one ("" = all of
// them) from the table.
func (s *Service) rebuild(ctx context.Context, sc tenant.Scope, conversation, before string, p *past) error {
	page, err := s.Table.List(ctx, sc, table.Query{Kind: turnKind, Parent: conversation, To: before, Reverse: true, Limit: session.MaxTurns})
	if err != nil {
		return err
	}
	p.turns = nil
	for _, it := range slices.Backward(page.Items) {
		t, err := decodeTurn(it)
		if err != nil {
			return err
		}
		p.turns = append(p.turns, t.exchange())
	}
	return nil
}

// turns returns a page of a conversation's turns, oldest first.
func (s *Service) turns(ctx context.Context, sc tenant.Scope, conversation string, limit int, cursor string) ([]*Turn, string, error) {
	page, err := s.Table.List(ctx, sc, table.Query{Kind: turnKind, Parent: conversation, Limit: limit, Cursor: cursor})
	if err != nil {
		return nil, "", err
	}
	var out []*Turn
	for _, it := range page.Items {
		t, err := decodeTurn(it)
		if err != nil {
			return nil, "", err
		}
		out = append(out, t)
	}
	return out, page.Cursor, nil
}

// belongs reports whether the question may go on with this conversation: it is
// the same assistant's, and no other user's.
func (p past) belongs(sc tenant.Scope, q Question) bool {
	if len(p.turns) == 0 {
		return false
	}
	last := p.turns[len(p.turns)-1]
	if !own(sc, &Person{ID: last.User}, last.Assistant) {
		return false
	}
	return last.Assistant == q.Assistant && (last.User == "" || q.User == nil || q.User.ID == last.User)
}

// user is the person the conversation is with, if it is known.
func (p past) user() *Person {
	if id := p.turns[len(p.turns)-1].User; id != "" {
		return &Person{ID: id}
	}
	return nil
}

// maxPast bounds the earlier messages in a prompt, in bytes, so that its size
// does not grow with the conversation.
const maxPast = 24 << 10

// messages returns as many of the last turns as fit, oldest first. A turn that
// was not answered is left out: a model would answer it now.
func (p past) messages() []model.Message {
	var out []model.Message
	size := 0
	for _, x := range slices.Backward(p.turns) {
		if size += len(x.Question) + len(x.Answer); size > maxPast {
			break
		}
		if x.Answer == "" {
			continue
		}
		out = append(out, model.Message{Role: model.Assistant, Text: x.Answer}, model.Message{Role: model.User, Text: x.Question})
	}
	slices.Reverse(out)
	return out
}

// entries are the window as it is after the turn, or none where the turn was taken
// up again: others may have followed it, and only the table has them in order.
func (o *opened) entries() [][]byte {
	if o.try > 1 {
		return nil
	}
	turns := append(o.past.turns, o.turn.exchange())
	var out [][]byte
	for _, x := range turns[max(0, len(turns)-session.MaxTurns):] {
		out = append(out, encode(x))
	}
	return out
}

// remember puts the window back with the turn in it; none drops it. If that fails
// the session does not believe what it holds when Redis is back.
func (s *Service) remember(ctx context.Context, sc tenant.Scope, o *opened, entries [][]byte) {
	err := problem.Guard("chat.remember", func() error {
		if o.q.History != nil {
			return nil
		}
		return s.Session.Put(ctx, sc, o.turn.Conversation, o.token, entries...)
	})
	if err != nil {
		slog.WarnContext(ctx, "window not kept", slog.String("project", sc.Project().String()), slog.Any("err", err))
	}
}
