package chat

import (
	"context"
	"errors"
	"strings"
	"time"

	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// said is what came of asking the model.
type said struct {
	text  string
	calls []Call
	stop  model.Stop
	run   model.Run
	err   error // why it is not whole; nil if it is
}

// errTooLong and errUnseen end a model call that nobody waits for any more.
var (
	errTooLong = errors.New("chat: the turn took too long")
	errUnseen  = errors.New("chat: the client went away and the provider did not finish in time")
)

// maxAnswer bounds an answer and maxAsked a question, in bytes as they are stored
// (see weight), whatever limit a provider ignores: with what else is in a turn they
// have to fit into one item of the table.
const (
	maxAnswer = 160 << 10
	maxAsked  = 96 << 10
)

// weight is how many bytes s takes in an item.
func weight(s string) int { return len(appendString(nil, s)) }

// ask streams the model's answer to send. The call does not end with ctx: see
// [Service.Say] for what the end of ctx means.
func (s *Service) ask(ctx context.Context, sc tenant.Scope, o *opened, req model.Request, send func(Part)) *said {
	call, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	call, cancel := context.WithTimeoutCause(call, s.longest(), errTooLong)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		if !errors.Is(cause, context.Canceled) {
			stop(cause)
			return
		}
		unseen := time.AfterFunc(s.drain(), func() { stop(errUnseen) })
		context.AfterFunc(call, func() { unseen.Stop() })
	})()

	var out said
	var text strings.Builder
	left := maxAnswer
	for p, err := range s.Models.Stream(call, sc, chain(o), req, &out.run) {
		if left = fit(&p, left); left < 0 {
			out.stop = model.StopLength
		}
		switch {
		case err != nil:
			out.err = whole(call, err)
		case p.Text != "":
			text.WriteString(p.Text)
			send(Part{Text: p.Text})
		case p.ToolCall != nil:
			c := Call{p.ToolCall.ID, p.ToolCall.Name, p.ToolCall.Arguments}
			out.calls = append(out.calls, c)
			send(Part{Call: &c})
		case p.Stop != "":
			out.stop = p.Stop
		case p.Pause:
			send(Part{Pause: true})
		}
		if left < 0 {
			break
		}
	}
	out.text = text.String()
	return &out
}

// fit mends the part's text, which came from a provider and may not be UTF-8, and
// cuts it to what is left of an answer. It returns what is left after it, or -1 if
// it had to be cut. A call is dropped, not cut: half of its arguments would mean
// something else.
func fit(p *model.Part, left int) int {
	if c := p.ToolCall; c != nil {
		mended := model.ToolCall{
			ID: strings.ToValidUTF8(c.ID, "?"), Name: strings.ToValidUTF8(c.Name, "?"), Arguments: strings.ToValidUTF8(c.Arguments, "?"),
		}
		p.ToolCall = &mended
		if left -= weight(mended.ID) + weight(mended.Name) + weight(mended.Arguments) + 64; left < 0 {
			p.ToolCall = nil
			return -1
		}
		return left
	}
	if p.Text == "" {
		return left
	}
	p.Text = strings.ToValidUTF8(p.Text, "\uFFFD")
	if n := weight(p.Text); n <= left {
		return left - n
	}
	for p.Text != "" && weight(p.Text) > left {
		p.Text = strings.ToValidUTF8(p.Text[:len(p.Text)-max(1, len(p.Text)/8)], "")
	}
	return -1
}

// whole says why the call ended, where that was our doing.
func whole(call context.Context, err error) error {
	cause := context.Cause(call)
	switch {
	case cause == nil:
		return err
	case errors.Is(cause, errTooLong):
		return &problem.Error{Kind: problem.Upstream, Reason: problem.ReasonTimeout, Op: "chat.ask", Err: err}
	case errors.Is(cause, errUnseen):
		return &problem.Error{Kind: problem.Canceled, Reason: problem.ReasonTimeout, Op: "chat.ask", Err: cause}
	case problem.Is(cause, problem.Unauthenticated), problem.Is(cause, problem.Forbidden):
		return cause // revoked or suspended meanwhile
	default:
		return &problem.Error{
			Kind: problem.Unavailable, Reason: problem.ReasonInterrupted, RetryAfter: time.Second, Op: "chat.ask", Err: cause,
			Detail: "The answer was interrupted. Send the same request again to have it whole.",
		}
	}
}

// chain is the assistant's models in the order they are tried. One that names no
// model begins with the platform's, which is the zero Ref.
func chain(o *opened) []model.Ref {
	refs := make([]model.Ref, 1, 1+len(o.assistant.Fallback))
	for _, name := range append([]string{o.assistant.Model}, o.assistant.Fallback...) {
		// The manifest was checked when it was read: what does not parse is "".
		ref, err := model.ParseRef(name)
		switch {
		case err != nil:
		case name == o.assistant.Model && refs[0] == (model.Ref{}):
			refs[0] = ref
		default:
			refs = append(refs, ref)
		}
	}
	return refs
}
