package anthropicmodel

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
	"switchboard/shared/problem"
)

// request is the body of POST /v1/messages.
type request struct {
	Model         string      `json:"model"`
	MaxTokens     int         `json:"max_tokens"`
	System        string      `json:"system,omitzero"`
	Messages      []message   `json:"messages"`
	Tools         []tool      `json:"tools,omitempty"`
	ToolChoice    *toolChoice `json:"tool_choice,omitzero"`
	Temperature   *float64    `json:"temperature,omitzero"`
	TopP          *float64    `json:"top_p,omitzero"`
	StopSequences []string    `json:"stop_sequences,omitempty"`
	Stream        bool        `json:"stream"`
}

type message struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`
}

// block is a content block; each type has some of its members.
type block struct {
	Type      string         `json:"type"`
	Text      string         `json:"text,omitzero"`
	ID        string         `json:"id,omitzero"`
	Name      string         `json:"name,omitzero"`
	Input     jsontext.Value `json:"input,omitzero"`
	ToolUseID string         `json:"tool_use_id,omitzero"`
	Content   string         `json:"content,omitzero"`
}

type tool struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	InputSchema jsontext.Value `json:"input_schema"`
}

type toolChoice struct {
	Type string `json:"type"`
	Name string `json:"name,omitzero"`
}

const noParameters = `{"type":"object","properties":{}}`

// encode renders the request's body.
func encode(req model.Request) ([]byte, error) {
	r := request{
		Model:         req.Model,
		MaxTokens:     req.OutputLimit(),
		Messages:      messages(req.Messages),
		StopSequences: provider.Visible(req.StopSequences),
		Stream:        true,
	}
	if s := req.Instructions(); strings.TrimSpace(s) != "" {
		r.System = s
	}
	r.Temperature, r.TopP = provider.Sampling(req.Model, req.Temperature, req.TopP)
	r.Tools, r.ToolChoice = tools(req, r.Messages)
	b, err := json.Marshal(&r, provider.Lenient)
	if err != nil { // a tool's schema is not JSON: our mistake, not the provider's
		return nil, problem.Wrap(problem.Internal, op, err)
	}
	return b, nil
}

func messages(in []model.Message) []message {
	turns := provider.Turns(in)
	out := make([]message, 0, len(turns))
	for i := range turns {
		t := &turns[i]
		m := message{Role: "user", Content: make([]block, 0, len(t.Results)+len(t.Texts)+len(t.Calls))}
		if t.Assistant {
			m.Role = "assistant"
		}
		for _, r := range t.Results {
			m.Content = append(m.Content, block{Type: "tool_result", ToolUseID: r.ID, Content: r.Text})
		}
		for _, s := range t.Texts {
			m.Content = append(m.Content, block{Type: "text", Text: s})
		}
		for _, c := range t.Calls {
			m.Content = append(m.Content, block{Type: "tool_use", ID: c.ID, Name: c.Name, Input: input(c.Arguments)})
		}
		out = append(out, m)
	}
	return out
}

// input is arguments as the object the provider demands. What the model wrote that
// is none was answered with an error by whoever ran the tool, and {} with it.
func input(arguments string) jsontext.Value {
	v := jsontext.Value(arguments)
	if v.Kind() != '{' || !v.IsValid(provider.Lenient) {
		return jsontext.Value("{}")
	}
	return v
}

// tools returns the tools and how to choose among them. A conversation that has
// used tools is refused without any, so where none is offered any more those it
// used are declared, and forbidden.
func tools(req model.Request, messages []message) ([]tool, *toolChoice) {
	if len(req.Tools) == 0 {
		if used := usedTools(messages); len(used) > 0 {
			return used, &toolChoice{Type: "none"}
		}
		return nil, nil
	}
	out := make([]tool, len(req.Tools))
	for i, t := range req.Tools {
		out[i] = tool{t.Name, t.Description, t.Parameters}
		if len(t.Parameters) == 0 {
			out[i].InputSchema = jsontext.Value(noParameters)
		}
	}
	switch req.ToolChoice {
	case "", "auto":
		return out, nil
	case "none":
		return out, &toolChoice{Type: "none"}
	case "required":
		return out, &toolChoice{Type: "any"}
	}
	return out, &toolChoice{Type: "tool", Name: req.ToolChoice}
}

func usedTools(messages []message) []tool {
	var out []tool
	seen := map[string]bool{}
	for _, m := range messages {
		for _, b := range m.Content {
			if b.Type == "tool_use" && !seen[b.Name] {
				seen[b.Name] = true
				out = append(out, tool{Name: b.Name, InputSchema: jsontext.Value(noParameters)})
			}
		}
	}
	return out
}
