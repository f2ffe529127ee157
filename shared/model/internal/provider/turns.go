// Package provider is what the drivers of real providers have in common:
// both want a conversation that alternates and in which every tool call is
// answered, and both refuse it for ever after where it is not.
//
// Only drivers of shared/model import it. Its one promise: what [Turns] returns is
// in the form those providers take, whatever history it was made from, so that one
// interrupted turn does not make a conversation unanswerable.
package provider

import (
	"slices"
	"strings"

	"switchboard/shared/model"
)

// Turn is what one side says before the other does.
type Turn struct {
	Assistant bool
	Results   []Result // of a user's turn; they come before its texts
	Texts     []string // none of them blank
	Calls     []model.ToolCall
}

// Result is what a tool said.
type Result struct {
	ID   string // of the call
	Text string // may be blank
}

func (t *Turn) empty() bool { return len(t.Results)+len(t.Texts)+len(t.Calls) == 0 }

// Turns puts messages into turns that alternate and begin with the user's. What no
// provider accepts is left out: blank texts, a beginning cut off in the middle of
// an exchange, calls without their results, and results without their calls.
func Turns(messages []model.Message) []Turn {
	turns := make([]Turn, 0, len(messages))
	for i := range messages {
		turns = add(turns, turn(&messages[i]))
	}
	for {
		prune(turns)
		turns = compact(turns)
		if len(turns) == 0 || !turns[0].Assistant {
			return turns
		}
		turns = turns[1:]
	}
}

func turn(m *model.Message) Turn {
	t := Turn{Assistant: m.Role == model.Assistant}
	if m.Role == model.ToolRole {
		t.Results = []Result{{callID(m.ToolCallID), m.Text}}
		return t
	}
	if strings.TrimSpace(m.Text) != "" {
		t.Texts = []string{m.Text}
	}
	for _, c := range m.ToolCalls {
		c.ID = callID(c.ID)
		t.Calls = append(t.Calls, c)
	}
	return t
}

// add appends t, to the last turn if the same side speaks.
func add(turns []Turn, t Turn) []Turn {
	if t.empty() {
		return turns
	}
	if n := len(turns); n > 0 && turns[n-1].Assistant == t.Assistant {
		last := &turns[n-1]
		last.Results = append(last.Results, t.Results...)
		last.Texts = append(last.Texts, t.Texts...)
		last.Calls = append(last.Calls, t.Calls...)
		return turns
	}
	return append(turns, t)
}

// prune removes calls that the next turn does not answer, and answers to nothing.
func prune(turns []Turn) {
	none := Turn{}
	for i := range turns {
		t, before, after := &turns[i], &none, &none
		if i > 0 {
			before = &turns[i-1]
		}
		if i+1 < len(turns) {
			after = &turns[i+1]
		}
		t.Calls = slices.DeleteFunc(t.Calls, func(c model.ToolCall) bool {
			return !slices.ContainsFunc(after.Results, func(r Result) bool { return r.ID == c.ID })
		})
		t.Results = slices.DeleteFunc(t.Results, func(r Result) bool {
			return !slices.ContainsFunc(before.Calls, func(c model.ToolCall) bool { return r.ID == c.ID })
		})
	}
}

// compact removes turns that say nothing, and joins their neighbours.
func compact(turns []Turn) []Turn {
	out := turns[:0]
	for _, t := range turns {
		out = add(out, t)
	}
	return out
}

// maxID is the longest id Bedrock takes.
const maxID = 64

// callID is id as both providers take it. A conversation may have begun with a
// provider that allows more; the call and its result are changed alike.
func callID(id string) string {
	id = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return '_'
	}, id)
	if id == "" {
		return "_"
	}
	return id[max(0, len(id)-maxID):]
}
