package openaimodel

import (
	"cmp"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
)

// Bounds on what a server may make us hold: tool calls are kept until the end.
const (
	maxCalls     = 128
	maxArguments = 1 << 20 // bytes, of all calls together
)

// answer turns chunks into parts.
type answer struct {
	yield func(model.Part, error) bool
	left  bool // the reader broke out of the loop; yield must not be called again

	calls   []call
	held    int // bytes of them in all
	usage   model.Usage
	counted bool // the server sent a usage
	refused bool
	finish  string // "" until the server said why the answer ended
}

// call is a tool call in the making.
type call struct {
	index     int
	id, name  string
	arguments []byte
}

func (c *call) size() int { return len(c.id) + len(c.name) + len(c.arguments) }

// emit reports whether to go on.
func (a *answer) emit(p model.Part) bool {
	a.left = a.left || !a.yield(p, nil)
	return !a.left
}

func (a *answer) pause() bool { return a.emit(model.Part{Pause: true}) }

func (a *answer) text(s string) bool { return s == "" || a.emit(model.Part{Text: s}) }

// take reads one chunk. It reports whether to go on; where not, the reader has
// left or err is set.
func (a *answer) take(data []byte) (bool, error) {
	c, err := decode(data)
	if err != nil {
		return false, unreadable{err}
	}
	if c.failed() {
		return false, errorInBand(data)
	}
	for i := range c.Choices {
		ch := &c.Choices[i]
		if ch.Index != 0 {
			continue // one answer was asked for
		}
		for _, d := range [2]*delta{&ch.Delta, &ch.Message} {
			if ok, err := a.delta(d); !ok {
				return false, err
			}
		}
		if ch.FinishReason != "" {
			a.finish = ch.FinishReason
		}
	}
	return c.Usage == nil || a.count(c.Usage), nil
}

func (a *answer) delta(d *delta) (bool, error) {
	if d.Refusal != "" {
		a.refused = true
	}
	if !a.text(d.Content) || !a.text(d.Refusal) {
		return false, nil
	}
	for i := range d.ToolCalls {
		if !a.call(&d.ToolCalls[i]) {
			return false, provider.ErrTooMuch
		}
	}
	return true, nil
}

// count takes totals so far, which a server may send with every chunk.
func (a *answer) count(u *usage) bool {
	in := max(u.Prompt, 0)
	now := model.Usage{Input: in, Output: max(u.Completion, 0), CachedInput: min(max(u.Details.Cached, 0), in)}
	if a.counted && now == a.usage {
		return true
	}
	a.usage, a.counted = now, true
	return a.emit(model.Part{Usage: &now})
}

// call adds a piece to the tool call it belongs to. It reports false when the
// server sends more than any model has to say.
func (a *answer) call(d *callDelta) bool {
	c := a.open(d)
	if c == nil {
		return false
	}
	before := c.size()
	if d.ID != "" {
		c.id = d.ID
	}
	if d.Function.Name != c.name { // some servers repeat it with every piece
		c.name += d.Function.Name
	}
	c.arguments = append(c.arguments, d.Function.Arguments...)
	a.held += c.size() - before
	return a.held <= maxArguments
}

// open finds the call a piece continues or begins one. Servers that send calls
// whole number them all 0, or not at all: there a new id is a new call.
func (a *answer) open(d *callDelta) *call {
	last := len(a.calls) - 1
	index := 0
	if d.Index != nil {
		index = *d.Index
	} else if last >= 0 {
		index = a.calls[last].index
	}
	for i := last; i >= 0; i-- {
		c := &a.calls[i]
		if c.index != index {
			continue
		}
		if d.ID != "" && c.id != "" && d.ID != c.id {
			break
		}
		return c
	}
	if len(a.calls) == maxCalls {
		return nil
	}
	a.calls = append(a.calls, call{index: index})
	return &a.calls[last+1]
}

// end emits what is known only at the end.
func (a *answer) end() {
	stop := a.stop()
	for i := range a.calls {
		c := &a.calls[i]
		if stop != model.StopTools && !jsontext.Value(c.arguments).IsValid() {
			continue // cut off within its arguments: not a call
		}
		whole := model.ToolCall{
			ID:        cmp.Or(c.id, "call_"+strconv.Itoa(i)),
			Name:      c.name,
			Arguments: cmp.Or(string(c.arguments), "{}"),
		}
		if !a.emit(model.Part{ToolCall: &whole}) {
			return
		}
	}
	a.emit(model.Part{Stop: stop})
}

func (a *answer) stop() model.Stop {
	switch a.finish {
	case "length":
		return model.StopLength
	case "content_filter":
		return model.StopFiltered
	}
	switch {
	case len(a.calls) > 0: // some servers say "stop" here
		return model.StopTools
	case a.refused:
		return model.StopRefused
	}
	return model.StopEnd
}
