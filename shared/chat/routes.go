package chat

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/company"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Routes are the doors of this package.
func (s *Service) Routes() []auth.Route {
	server := auth.Allow{Kinds: []auth.Kind{auth.SecretKey}, Can: tenant.CanChat, Role: tenant.Editor}
	chat := auth.Allow{Kinds: []auth.Kind{auth.SecretKey, auth.VisitorToken}, Can: tenant.CanChat, Role: tenant.Editor}
	read := auth.Allow{Kinds: []auth.Kind{auth.SecretKey, auth.VisitorToken, auth.OperatorKey}, Can: tenant.CanReadConversations, Role: tenant.Viewer}
	completions := auth.Stream("POST /v1/chat/completions", server, s.completions).Names("model", "user")
	models := auth.JSON("GET /v1/models", server, s.listModels)
	model := auth.JSON("GET /v1/models/{id}", server, s.getModel).Names("{id}")
	completions.OpenAI, models.OpenAI, model.OpenAI = true, true, true
	return []auth.Route{
		auth.Stream("POST /v1/chat", chat, s.chat).Names("assistant", "conversation_id", "user.id"),
		completions,
		models,
		model,
		auth.JSON("GET /v1/conversations/{id}", read, s.conversation).Names("{id}"),
	}
}

// chatRequest is the body of POST /v1/chat.
type chatRequest struct {
	Assistant    string  `json:"assistant"`
	Conversation string  `json:"conversation_id"`
	User         *Person `json:"user"`
	Message      string  `json:"message"`
	Stream       bool    `json:"stream"`
}

// Usage is what a turn's answer says of its cost.
type Usage struct {
	Model        string `json:"model"`
	InputTokens  int64  `json:"input_tokens"`
	OutputTokens int64  `json:"output_tokens"`
	CostMicroUSD int64  `json:"cost_microusd"`
}

// chatAnswer is the answer to POST /v1/chat, and, without the message's content,
// its done event.
type chatAnswer struct {
	Turn         string        `json:"turn_id"`
	Conversation string        `json:"conversation_id"`
	Message      answerMessage `json:"message"`
	Citations    []Citation    `json:"citations"`
	Memories     []string      `json:"memories_used"`
	Usage        Usage         `json:"usage"`
}

type answerMessage struct {
	Role    string  `json:"role"`
	Content *string `json:"content,omitempty"`
}

func answerOf(t *Turn) chatAnswer {
	return chatAnswer{ // go-json-experiment renders nil slices as []
		Turn: t.ID, Conversation: t.Conversation, Message: answerMessage{"assistant", &t.Answer},
		Citations: t.Citations, Memories: t.Memories, Usage: t.summary(),
	}
}

// asker is who the question is from: whom the request names, or, where the scope is
// one person's, that person and nobody else.
func asker(sc tenant.Scope, named *Person) (*Person, error) {
	own := sc.Person()
	if own == "" {
		return named, nil
	}
	if named != nil && !auth.NamesVisitor(own, named.ID) {
		return nil, problem.Bad("chat.asker", "user.id", `field "user.id" is another than the one the token is for`)
	}
	p := &Person{ID: own}
	if named != nil {
		p.Name = named.Name
	}
	return p, nil
}

func (s *Service) chat(ctx context.Context, sc tenant.Scope, in *auth.Request[chatRequest], out *auth.Reply) error {
	user, err := asker(sc, in.Body.User)
	if err != nil {
		return err
	}
	q := Question{
		Assistant: in.Body.Assistant, Conversation: in.Body.Conversation, User: user, Message: in.Body.Message,
		Key: in.IdempotencyKey, Request: in.ID, Whole: !in.Body.Stream,
	}
	if in.Body.Stream {
		out.Events() // a retry may have to wait for the first try: its client hears that we live
	}
	var start Start
	for p, err := range s.Say(ctx, sc, q) {
		switch {
		case err != nil && (!out.Streaming() || out.Abandon()):
			return err
		case err != nil:
			out.Event("error", auth.Problem(err, in.ID, start.Turn, false))
			return nil
		case p.Done != nil && out.Streaming():
			a := answerOf(p.Done)
			a.Message.Content = nil
			out.Event("done", encode(a))
		case p.Done != nil:
			return out.JSON(answerOf(p.Done))
		case p.Start != nil:
			start = *p.Start
		}
		if out.Streaming() {
			sendPart(out, p)
		}
	}
	return nil
}

// sendPart passes a part on as an event. Text is the hot one: it is rendered
// without reflection.
func sendPart(out *auth.Reply, p Part) {
	switch {
	case p.Text != "":
		b := append(make([]byte, 0, len(p.Text)+16), `{"text":`...)
		out.Event("delta", append(appendString(b, p.Text), '}'))
	case p.Pause:
		out.Flush()
	case p.Start != nil:
		out.Event("start", encode(struct {
			Turn         string `json:"turn_id"`
			Conversation string `json:"conversation_id"`
		}{p.Start.Turn, p.Start.Conversation}))
	case p.Call != nil:
		out.Event("tool", encode(struct {
			Name  string `json:"name"`
			State string `json:"state"`
		}{p.Call.Name, "called"}))
	case p.Citation != nil:
		out.Event("citation", encode(p.Citation))
	}
}

// appendString appends s as a JSON string. Text with invalid UTF-8 is mended: it
// came from a provider, and a stream cannot be refused half way.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // with the error it returns the mended text
	return b
}

// modelList is the answer to GET /v1/models: the company's assistants.
type modelList struct {
	Object string      `json:"object"`
	Data   []modelItem `json:"data"`
}

type modelItem struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (s *Service) listModels(ctx context.Context, sc tenant.Scope, _ *auth.Request[auth.None]) (modelList, error) {
	c, err := s.Companies.Company(ctx, sc)
	if err != nil {
		return modelList{}, err
	}
	l := modelList{Object: "list", Data: []modelItem{}}
	for _, a := range c.Assistants {
		l.Data = append(l.Data, itemOf(sc, a))
	}
	return l, nil
}

func (s *Service) getModel(ctx context.Context, sc tenant.Scope, in *auth.Request[auth.None]) (modelItem, error) {
	_, a, err := s.assistant(ctx, sc, in.Path("id"))
	return itemOf(sc, a), err
}

func itemOf(sc tenant.Scope, a company.Assistant) modelItem {
	return modelItem{ID: a.ID, Object: "model", OwnedBy: sc.Project().String()}
}

// conversationAnswer is one page of a conversation, oldest message first.
type conversationAnswer struct {
	ID        string                `json:"id"`
	Assistant string                `json:"assistant"`
	User      *Person               `json:"user,omitempty"`
	Messages  []conversationMessage `json:"messages"`
	Next      *string               `json:"next_cursor"`
}

type conversationMessage struct {
	Turn      string     `json:"turn_id"`
	Role      string     `json:"role"`
	Content   string     `json:"content"`
	Created   string     `json:"created_at"`
	State     State      `json:"state,omitempty"`
	Citations []Citation `json:"citations,omitempty"`
	Usage     *Usage     `json:"usage,omitempty"`
}

func (s *Service) conversation(ctx context.Context, sc tenant.Scope, in *auth.Request[auth.None]) (*conversationAnswer, error) {
	id := in.Path("id")
	unknown := problem.New(problem.NotFound, "chat.conversation", "%s", notFound)
	if !isID(id) {
		return nil, unknown
	}
	limit, err := in.PageSize()
	if err != nil {
		return nil, err
	}
	turns, next, err := s.turns(ctx, sc, id, limit, in.Query("cursor"))
	if err != nil {
		return nil, err
	}
	if first, ok := s.first(sc, id); ok && len(turns) == 0 {
		turns = append(turns, first)
	}
	if len(turns) == 0 || !own(sc, turns[0].User, turns[0].Assistant) {
		return nil, unknown
	}
	out := &conversationAnswer{ID: id, Assistant: turns[0].Assistant, User: turns[0].User, Messages: []conversationMessage{}}
	if next != "" {
		out.Next = &next
	}
	for _, t := range turns {
		asked := conversationMessage{Turn: t.ID, Role: "user", Content: t.Question, Created: stamp(t.Asked)}
		if t.State == Open { // there is no answer yet that could say so
			asked.State = Open
		}
		out.Messages = append(out.Messages, asked)
		if t.State == Open {
			continue
		}
		if t.Answer != "" || t.State != Done {
			u := t.summary()
			out.Messages = append(out.Messages, conversationMessage{
				Turn: t.ID, Role: "assistant", Content: t.Answer, Created: stamp(t.Ended), State: t.State, Citations: t.Citations, Usage: &u,
			})
		}
	}
	return out, nil
}

// own reports whether the scope may have a conversation of that person and assistant.
func own(sc tenant.Scope, user *Person, assistant string) bool {
	return sc.Person() == "" || user != nil && user.ID == sc.Person() && assistant == sc.Assistant()
}

func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }
