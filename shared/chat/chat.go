package chat

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"switchboard/shared/company"
	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/search"
	"switchboard/shared/session"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/usage"
)

// Companies gives the company a scope belongs to. It answers from memory.
type Companies interface {
	Company(ctx context.Context, sc tenant.Scope) (company.Entry, error)
}

// Service takes turns. All fields but the last group are needed; what closes turns
// alone (Watch and CloseDue) needs Table and Process.
type Service struct {
	Companies Companies
	Table     *table.Table
	Session   *session.Session // nil: windows are read from the table
	Search    *search.Index
	Models    *model.Models
	Prices    *usage.Book

	// Process names this process; a new name each start.
	Process string
	// Alone says that no other process serves the same table, so a reservation
	// of another process is one of a process that ended.
	Alone bool
	// Longest is how long a turn may take; 0 = 5 minutes.
	Longest time.Duration
	// Drain is how long a turn goes on for a client that went away, so that the
	// provider's count arrives; 0 = 30 seconds.
	Drain time.Duration

	claims sync.Map // claim -> chan struct{}: the turns this process is at work on
	begun  sync.Map // talk -> Turn: the first turns of conversations that have no item yet
	latest sync.Map // tenant.ID -> time.Time: when its last turn here began
}

// talk is one conversation of one tenant.
type talk struct {
	project      tenant.ID
	conversation string
}

// claim is one turn of one tenant.
type claim struct {
	project tenant.ID
	turn    string
}

// Question is what a turn is asked.
type Question struct {
	Assistant    string
	Conversation string // "" = a new one
	User         *Person
	Message      string
	Key          string // idempotency key; "" = none
	Request      string // id of the HTTP request
	Whole        bool   // nobody reads the answer as it arrives

	// History, for callers that keep the conversation themselves, is what was
	// said before; the window is then neither read nor written.
	History *History
	// Options of the model call, for callers that may set them.
	Options Options
}

// History is a conversation that the caller keeps.
type History struct {
	System   []string        // further instructions
	Messages []model.Message // all of them; the last is the user's or a tool's
}

// Options are a caller's wishes for the model call. Zero values mean the
// assistant's own.
type Options struct {
	MaxOutputTokens int
	Temperature     *float64
	TopP            *float64
	Stop            []string
	Tools           []model.Tool
	ToolChoice      string
}

// Part is a piece of a turn. Exactly one field is set. Start comes first, once
// the turn is reserved; Done comes last, once it is stored. A stream without
// Done ended in the error that was yielded. Pause comes whenever the next part has
// to be waited for.
type Part struct {
	Start    *Start
	Text     string
	Call     *Call
	Citation *Citation
	Done     *Turn
	Pause    bool
}

// Start names the turn and its conversation.
type Start struct {
	Turn         string
	Conversation string
	Asked        time.Time
}

// Say takes one turn. Read it top to bottom; each step is a file of its name.
//
// If ctx ends because the client went away, the turn goes on unseen, so that what
// the provider counted is known; if it ends for any other cause (the process is
// stopping, the deadline is near) the turn is closed at once as interrupted. It
// is stored in either case, and the loop ends after that.
func (s *Service) Say(ctx context.Context, sc tenant.Scope, q Question) iter.Seq2[Part, error] {
	return func(yield func(Part, error) bool) {
		send := func(p Part) { yield(p, nil) }
		opened, stored, err := s.open(ctx, sc, q)
		defer s.release(sc, opened)
		if err == nil && stored != nil {
			repeat(stored, send)
			return
		}
		if err != nil {
			yield(Part{}, err)
			return
		}
		defer s.announce(sc, opened)()
		send(Part{Start: &Start{opened.turn.ID, opened.turn.Conversation, opened.turn.Asked}})
		send(Part{Pause: true})
		said := s.ask(ctx, sc, opened, s.offer(opened), send)
		turn, err := s.keep(ctx, sc, opened, said, send)
		if err != nil {
			yield(Part{}, err)
			return
		}
		send(Part{Done: turn})
	}
}

// repeat passes on a turn that was taken before.
func repeat(t *Turn, send func(Part)) {
	send(Part{Start: &Start{t.ID, t.Conversation, t.Asked}})
	if t.Answer != "" {
		send(Part{Text: t.Answer})
	}
	for _, c := range t.Calls {
		send(Part{Call: &c})
	}
	for _, c := range t.Citations {
		send(Part{Citation: &c})
	}
	send(Part{Done: t})
}

// announce makes a conversation known that this turn begins, until the turn's item
// does. Its client has the id from the start on, and may ask for it.
func (s *Service) announce(sc tenant.Scope, o *opened) (done func()) {
	if o.q.Conversation != "" || o.try > 1 {
		return func() {}
	}
	key := talk{sc.Project(), o.turn.Conversation}
	s.begun.Store(key, Turn{
		ID: o.turn.ID, Conversation: o.turn.Conversation, Assistant: o.turn.Assistant, User: o.turn.User,
		Asked: o.turn.Asked, Question: o.turn.Question, State: Open,
	})
	return func() { s.begun.Delete(key) }
}

// first returns the turn that is under way in a conversation without an item.
func (s *Service) first(sc tenant.Scope, conversation string) (*Turn, bool) {
	v, ok := s.begun.Load(talk{sc.Project(), conversation})
	if !ok {
		return nil, false
	}
	t := v.(Turn)
	return &t, true
}

// take claims the turn for o, and waits while another goroutine of this process
// has it: retries of one turn go one after another, whatever the stores say.
func (s *Service) take(ctx context.Context, sc tenant.Scope, o *opened) error {
	for {
		other := s.tryTake(sc, o)
		if other == nil {
			return nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

// tryTake claims the turn for o and returns nil, or a channel that is closed when
// the one who has it is done.
func (s *Service) tryTake(sc tenant.Scope, o *opened) <-chan struct{} {
	mine := make(chan struct{})
	other, held := s.claims.LoadOrStore(claim{sc.Project(), o.turn.ID}, mine)
	if held {
		return other.(chan struct{})
	}
	o.claimed = mine
	return nil
}

func (s *Service) release(sc tenant.Scope, o *opened) {
	if o != nil && o.claimed != nil {
		s.claims.Delete(claim{sc.Project(), o.turn.ID})
		close(o.claimed)
	}
}

// ended is the error of a wait that ctx put an end to: the client's own doing, or
// ours, and then the same request may be sent again.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Canceled) {
		return cause
	}
	return &problem.Error{Kind: problem.Unavailable, Reason: problem.ReasonTimeout, RetryAfter: time.Second, Op: "chat.ended", Err: cause}
}

// assistant returns the company and the assistant a question is for.
func (s *Service) assistant(ctx context.Context, sc tenant.Scope, id string) (company.Entry, company.Assistant, error) {
	const op = "chat.assistant"
	c, err := s.Companies.Company(ctx, sc)
	if err != nil {
		return c, company.Assistant{}, err
	}
	a, ok := c.Assistant(id)
	if !ok || sc.Assistant() != "" && sc.Assistant() != id {
		return c, a, problem.New(problem.NotFound, op, "%s", notFound)
	}
	return c, a, nil
}

// notFound is the one sentence for what is unknown, foreign or another user's.
const notFound = "There is no such assistant or conversation."

func (s *Service) longest() time.Duration {
	if s.Longest > 0 {
		return s.Longest
	}
	return 5 * time.Minute
}

func (s *Service) drain() time.Duration {
	if s.Drain > 0 {
		return s.Drain
	}
	return 30 * time.Second
}

// mint returns a new ULID: time-ordered, with 80 random bits that nobody guesses.
func mint() string { return ulid.MustNew(ulid.Now(), rand.Reader).String() }

// derive returns the turn id that belongs to an idempotency key: the same key of the
// same project, or of the same visitor, is the same turn, for ever.
func derive(sc tenant.Scope, key string) string {
	var id ulid.ULID
	copy(id[:], digest("turn/1", sc.Project().String(), sc.Kind().String(), sc.Person(), key))
	id[0] &= 0x7f
	return id.String()
}

// isID reports whether s can be an id of ours; anything else is unknown without
// asking a store.
func isID(s string) bool {
	_, err := ulid.ParseStrict(s)
	return err == nil && len(s) == ulid.EncodedSize
}

// NewProcess returns a name for [Service.Process] that no other process has.
func NewProcess() string { return mint() }
