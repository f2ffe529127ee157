package provider

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
)

// Bounds on what a server may make us hold.
const (
	maxCalls     = 128
	maxArguments = 1 << 20 // bytes, of all calls together
)

// ErrTooMuch is an answer larger than any model's.
var ErrTooMuch = errors.New("the answer is larger than any answer should be")

// Lenient is how drivers read and write JSON: what a customer pasted may not be
// valid UTF-8, and a server may repeat a name; neither is worth losing a turn.
var Lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// Answer turns what both providers stream into parts: blocks of text and of tool
// calls, counts, and the reason for the end.
type Answer struct {
	yield func(model.Part, error) bool
	left  bool // the reader broke out of the loop; yield must not be called again
	ended bool

	calls  []call // begun, and not whole yet
	begun  int    // calls in all
	held   int    // bytes of them in all
	doubts []model.ToolCall
	usage  model.Usage // totals so far
}

// call is a tool call in the making.
type call struct {
	block int
	model.ToolCall
	args []byte // the pieces so far
}

// NewAnswer returns an Answer that hands its parts to yield.
func NewAnswer(yield func(model.Part, error) bool) *Answer { return &Answer{yield: yield} }

// Over reports whether there is nothing more to say, or nobody to say it to.
func (a *Answer) Over() bool { return a.left || a.ended }

// Ended reports whether the reader has the whole answer.
func (a *Answer) Ended() bool { return a.ended && !a.left }

func (a *Answer) emit(p model.Part) {
	if !a.left {
		a.left = !a.yield(p, nil)
	}
}

// Pause says that the next event has to be waited for; see [Pausing].
func (a *Answer) Pause() bool {
	if !a.ended {
		a.emit(model.Part{Pause: true})
	}
	return !a.left
}

// Text passes on a piece of text.
func (a *Answer) Text(s string) {
	if s != "" {
		a.emit(model.Part{Text: s})
	}
}

// BeginCall begins the block of a tool call. input is the arguments, where the
// provider sends them along; pieces replace them.
func (a *Answer) BeginCall(block int, id, name string, input jsontext.Value) error {
	a.held += len(id) + len(name) + len(input)
	if a.begun++; a.begun > maxCalls || a.held > maxArguments {
		return ErrTooMuch
	}
	c := call{block: block, ToolCall: model.ToolCall{ID: id, Name: name, Arguments: "{}"}}
	if input.Kind() == '{' {
		c.Arguments = string(input)
	}
	a.calls = append(a.calls, c)
	return nil
}

// Piece adds to the arguments of the block's call, if the block is one: a tool that
// the provider runs itself is none of ours.
func (a *Answer) Piece(block int, s string) error {
	c := a.open(block)
	if c == nil {
		return nil
	}
	if a.held += len(s); a.held > maxArguments {
		return ErrTooMuch
	}
	c.args = append(c.args, s...)
	return nil
}

func (a *Answer) open(block int) *call {
	for i := len(a.calls) - 1; i >= 0; i-- {
		if a.calls[i].block == block {
			return &a.calls[i]
		}
	}
	return nil
}

// EndBlock passes on the block's call, if it is one. What is not JSON was perhaps
// cut off: it waits for the reason the answer stopped.
func (a *Answer) EndBlock(block int) {
	c := a.open(block)
	if c == nil {
		return
	}
	tc := c.ToolCall
	if len(c.args) > 0 {
		tc.Arguments = string(c.args)
	}
	last := len(a.calls) - 1
	*c = a.calls[last]
	a.calls = a.calls[:last]
	if !jsontext.Value(tc.Arguments).IsValid(Lenient) {
		a.doubts = append(a.doubts, tc)
		return
	}
	a.emit(model.Part{ToolCall: &tc})
}

// Count takes totals so far. A provider may repeat only some of them, and none
// ever falls.
func (a *Answer) Count(fresh, cacheRead, cacheWritten, output int64) {
	in := max(fresh, 0) + max(cacheRead, 0) + max(cacheWritten, 0)
	now := model.Usage{
		Input:       max(a.usage.Input, in),
		Output:      max(a.usage.Output, output),
		CachedInput: max(a.usage.CachedInput, cacheRead),
	}
	if now != a.usage {
		a.usage = now
		a.emit(model.Part{Usage: &now})
	}
}

// End passes on why the answer ended. A call cut off in its arguments is none,
// unless the model says that it waits for its tools.
func (a *Answer) End(stop model.Stop) {
	a.ended = true
	if stop == model.StopTools {
		for i := range a.doubts {
			a.emit(model.Part{ToolCall: &a.doubts[i]})
		}
	}
	a.emit(model.Part{Stop: stop})
}
