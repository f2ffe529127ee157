package openaimodel

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
	"switchboard/shared/problem"
)

// request is the body of POST /chat/completions.
type request struct {
	Model               string         `json:"model"`
	Messages            []message      `json:"messages"`
	Tools               []tool         `json:"tools,omitempty"`
	ToolChoice          any            `json:"tool_choice,omitzero"`
	MaxCompletionTokens int            `json:"max_completion_tokens,omitzero"`
	MaxTokens           int            `json:"max_tokens,omitzero"`
	Temperature         *float64       `json:"temperature,omitzero"`
	TopP                *float64       `json:"top_p,omitzero"`
	Stop                []string       `json:"stop,omitempty"`
	Stream              bool           `json:"stream"`
	StreamOptions       *streamOptions `json:"stream_options,omitempty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type message struct {
	Role       string     `json:"role"`
	Content    *string    `json:"content"` // null beside tool calls only; some servers want the member
	ToolCalls  []toolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitzero"`
}

type toolCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function functionCall `json:"function"`
}

type functionCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type tool struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	Parameters  jsontext.Value `json:"parameters,omitzero"`
}

// noParameters is spelt out because some servers refuse a function without it.
const noParameters = `{"type":"object","properties":{}}`

func (m *Model) body(req model.Request) ([]byte, error) {
	r := request{
		Model:       req.Model,
		Messages:    messages(req),
		Temperature: req.Temperature,
		TopP:        req.TopP,
		Stop:        req.StopSequences,
		Stream:      !req.Whole,
	}
	if r.Stream {
		r.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	if m.limit == "max_tokens" {
		r.MaxTokens = req.OutputLimit()
	} else {
		r.MaxCompletionTokens = req.OutputLimit()
	}
	if len(req.Tools) > 0 { // a choice without tools is refused
		r.Tools, r.ToolChoice = tools(req.Tools), toolChoice(req.ToolChoice)
	}
	b, err := json.Marshal(&r, provider.Lenient)
	if err != nil { // a tool's schema is not JSON: our mistake, not the provider's
		return nil, problem.Wrap(problem.Internal, op, err)
	}
	return b, nil
}

// messages is the system text, then the conversation, in which each call must be
// followed by its result: one that is not is refused for ever after.
func messages(req model.Request) []message {
	out := make([]message, 0, len(req.Messages)+1)
	if s := req.Instructions(); s != "" {
		out = append(out, message{Role: "system", Content: &s})
	}
	for _, turn := range provider.Turns(req.Messages) {
		for i := range turn.Results {
			r := &turn.Results[i]
			out = append(out, message{Role: "tool", Content: &r.Text, ToolCallID: r.ID})
		}
		msg := message{Role: "user"}
		if turn.Assistant {
			msg.Role = "assistant"
		}
		if len(turn.Texts) > 0 {
			text := strings.Join(turn.Texts, "\n\n")
			msg.Content = &text
		}
		for _, c := range turn.Calls {
			msg.ToolCalls = append(msg.ToolCalls, toolCall{c.ID, "function", functionCall{c.Name, c.Arguments}})
		}
		if msg.Content != nil || msg.ToolCalls != nil {
			out = append(out, msg)
		}
	}
	return out
}

func tools(in []model.Tool) []tool {
	out := make([]tool, len(in))
	for i, t := range in {
		params := t.Parameters
		if len(params) == 0 {
			params = []byte(noParameters)
		}
		out[i] = tool{Type: "function", Function: function{t.Name, t.Description, params}}
	}
	return out
}

func toolChoice(choice string) any {
	switch choice {
	case "":
		return nil
	case "auto", "none", "required":
		return choice
	}
	type named struct {
		Name string `json:"name"`
	}
	return struct {
		Type     string `json:"type"`
		Function named  `json:"function"`
	}{"function", named{choice}}
}
