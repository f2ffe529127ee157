package chat

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// completionRequest is the body of POST /v1/chat/completions: OpenAI's, with
// "model" the assistant's id. What changes nothing for us is read and ignored;
// what we cannot do is refused by name, not dropped.
type completionRequest struct {
	Model               string              `json:"model"`
	Messages            []completionMessage `json:"messages"`
	Stream              bool                `json:"stream"`
	StreamOptions       *streamOptions      `json:"stream_options"`
	MaxTokens           *int                `json:"max_tokens"`
	MaxCompletionTokens *int                `json:"max_completion_tokens"`
	Temperature         *float64            `json:"temperature"`
	TopP                *float64            `json:"top_p"`
	Stop                jsontext.Value      `json:"stop"`
	Tools               []completionTool    `json:"tools"`
	ToolChoice          jsontext.Value      `json:"tool_choice"`
	User                string              `json:"user"`
	N                   *int                `json:"n"`
	ResponseFormat      *struct {
		Type       string         `json:"type"`
		JSONSchema jsontext.Value `json:"json_schema"`
	} `json:"response_format"`
	Logprobs *bool `json:"logprobs"`

	// Read and ignored.
	ParallelToolCalls *bool             `json:"parallel_tool_calls"`
	FrequencyPenalty  *float64          `json:"frequency_penalty"`
	PresencePenalty   *float64          `json:"presence_penalty"`
	Seed              *int64            `json:"seed"`
	Store             *bool             `json:"store"`
	Metadata          map[string]string `json:"metadata"`
	ReasoningEffort   *string           `json:"reasoning_effort"`
	Verbosity         *string           `json:"verbosity"`
	ServiceTier       *string           `json:"service_tier"`
	SafetyIdentifier  *string           `json:"safety_identifier"`
	PromptCacheKey    *string           `json:"prompt_cache_key"`
	TopLogprobs       *int              `json:"top_logprobs"`
	LogitBias         map[string]int    `json:"logit_bias"`
	Modalities        []string          `json:"modalities"`
	Prediction        jsontext.Value    `json:"prediction"`
}

type streamOptions struct {
	IncludeUsage       bool  `json:"include_usage"`
	IncludeObfuscation *bool `json:"include_obfuscation"`
}

type completionMessage struct {
	Role       string           `json:"role"`
	Content    jsontext.Value   `json:"content"` // a string, null, or parts
	Name       string           `json:"name"`
	ToolCalls  []completionCall `json:"tool_calls"`
	ToolCallID string           `json:"tool_call_id"`
	Refusal    *string          `json:"refusal"`
	// Sent back by clients that echo an answer whole.
	Annotations jsontext.Value `json:"annotations"`
	Audio       jsontext.Value `json:"audio"`
}

type completionCall struct {
	Index    *int   `json:"index,omitempty"`
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type completionTool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Parameters  jsontext.Value `json:"parameters"`
		Strict      *bool          `json:"strict"`
	} `json:"function"`
}

func unsupported(field, format string, args ...any) error {
	return problem.Bad("chat.completions", field, "%s: %s", field, fmt.Sprintf(format, args...))
}

// question turns the request into a Question whose conversation the caller keeps.
func (r *completionRequest) question() (Question, error) {
	q := Question{Assistant: r.Model, History: &History{}}
	if q.Assistant == "" {
		return q, unsupported("model", "the id of one of your assistants is needed")
	}
	if r.User != "" {
		q.User = &Person{ID: r.User}
	}
	if err := r.refuse(); err != nil {
		return q, err
	}
	for i, m := range r.Messages {
		if err := m.add(q.History, "messages."+strconv.Itoa(i)); err != nil {
			return q, err
		}
	}
	n := len(q.History.Messages)
	if n == 0 || q.History.Messages[n-1].Role == model.Assistant {
		return q, unsupported("messages", "the last message is to be the user's or a tool's")
	}
	q.Message = q.History.asked()
	for weight(q.Message) > maxAsked { // the model is given all of it; the turn keeps the beginning
		q.Message = strings.ToValidUTF8(q.Message[:len(q.Message)*7/8], "")
	}
	var err error
	q.Options, err = r.options()
	return q, err
}

// refuse names what is asked for and cannot be had.
func (r *completionRequest) refuse() error {
	switch {
	case len(r.Messages) == 0:
		return unsupported("messages", "at least one message is needed")
	case len(r.Messages) > 500:
		return unsupported("messages", "at most 500 messages are possible")
	case r.N != nil && *r.N != 1:
		return unsupported("n", "only one answer at a time is possible")
	case r.Logprobs != nil && *r.Logprobs:
		return unsupported("logprobs", "not available")
	case r.ResponseFormat != nil && r.ResponseFormat.Type != "" && r.ResponseFormat.Type != "text":
		return unsupported("response_format", "only text is available")
	case len(r.Modalities) > 1 || len(r.Modalities) == 1 && r.Modalities[0] != "text":
		return unsupported("modalities", "only text is available")
	}
	return nil
}

func (r *completionRequest) options() (Options, error) {
	o := Options{Temperature: r.Temperature, TopP: r.TopP}
	for _, limit := range []struct {
		field string
		n     *int
	}{{"max_tokens", r.MaxTokens}, {"max_completion_tokens", r.MaxCompletionTokens}} {
		if limit.n == nil {
			continue
		}
		if *limit.n < 1 {
			return o, unsupported(limit.field, "at least 1")
		}
		o.MaxOutputTokens = *limit.n
	}
	if t := r.Temperature; t != nil && (*t < 0 || *t > 2) {
		return o, unsupported("temperature", "0 to 2")
	}
	if p := r.TopP; p != nil && (*p < 0 || *p > 1) {
		return o, unsupported("top_p", "0 to 1")
	}
	var err error
	if o.Stop, err = stopSequences(r.Stop); err != nil {
		return o, err
	}
	if o.ToolChoice, err = toolChoice(r.ToolChoice); err != nil {
		return o, err
	}
	for i, t := range r.Tools {
		if t.Type != "function" || t.Function.Name == "" {
			return o, unsupported("tools."+strconv.Itoa(i), "a function with a name is expected")
		}
		o.Tools = append(o.Tools, model.Tool{Name: t.Function.Name, Description: t.Function.Description, Parameters: t.Function.Parameters})
	}
	return o, nil
}

// stopSequences reads "stop": null, a string, or up to four.
func stopSequences(v jsontext.Value) ([]string, error) {
	var one string
	var many []string
	switch {
	case len(v) == 0 || v.Kind() == 'n':
		return nil, nil
	case json.Unmarshal(v, &one) == nil:
		return []string{one}, nil
	case json.Unmarshal(v, &many) == nil && len(many) <= 4:
		return many, nil
	}
	return nil, unsupported("stop", "a string or up to four are expected")
}

// toolChoice reads "tool_choice": a word, or a function by name.
func toolChoice(v jsontext.Value) (string, error) {
	var word string
	var named struct {
		Type     string `json:"type"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	switch {
	case len(v) == 0 || v.Kind() == 'n':
		return "", nil
	case json.Unmarshal(v, &word) == nil && (word == "auto" || word == "none" || word == "required"):
		return word, nil
	case json.Unmarshal(v, &named) == nil && named.Function.Name != "":
		return named.Function.Name, nil
	}
	return "", unsupported("tool_choice", `"auto", "none", "required" or a function is expected`)
}

// add puts the message where the model expects it.
func (m *completionMessage) add(h *History, field string) error {
	text, err := contentText(m.Content, field+".content")
	if err != nil {
		return err
	}
	out := model.Message{Text: text}
	switch m.Role {
	case "system", "developer":
		h.System = append(h.System, text)
		return nil
	case "user":
		out.Role = model.User
	case "assistant":
		out.Role = model.Assistant
		for _, c := range m.ToolCalls {
			out.ToolCalls = append(out.ToolCalls, model.ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: c.Function.Arguments})
		}
	case "tool":
		if m.ToolCallID == "" {
			return unsupported(field+".tool_call_id", "a tool's result names the call it answers")
		}
		out.Role, out.ToolCallID = model.ToolRole, m.ToolCallID
	default:
		return unsupported(field+".role", "system, developer, user, assistant or tool is expected")
	}
	h.Messages = append(h.Messages, out)
	return nil
}

// contentText reads a message's content: a string, null, or text parts.
func contentText(v jsontext.Value, field string) (string, error) {
	if len(v) == 0 || v.Kind() == 'n' {
		return "", nil
	}
	var text string
	if v.Kind() == '"' {
		return text, json.Unmarshal(v, &text)
	}
	var parts []struct {
		Type    string `json:"type"`
		Text    string `json:"text"`
		Refusal string `json:"refusal"`
	}
	if err := json.Unmarshal(v, &parts); err != nil {
		return "", unsupported(field, "a string or an array of parts is expected")
	}
	var b strings.Builder
	for i, p := range parts {
		if p.Type != "text" && p.Type != "refusal" {
			return "", unsupported(field+"."+strconv.Itoa(i)+".type", "only text parts are possible")
		}
		b.WriteString(p.Text + p.Refusal)
	}
	return b.String(), nil
}

// asked is what this turn adds to the conversation: the user's last words, and
// the results of tools after them.
func (h *History) asked() string {
	var results []string
	for i := len(h.Messages) - 1; i >= 0; i-- {
		switch m := h.Messages[i]; m.Role {
		case model.User:
			if len(results) == 0 {
				return m.Text
			}
			return m.Text + "\n\n" + strings.Join(results, "\n")
		case model.ToolRole:
			results = append([]string{"[tool result] " + m.Text}, results...)
		}
	}
	return strings.Join(results, "\n")
}

func (s *Service) completions(ctx context.Context, sc tenant.Scope, in *auth.Request[completionRequest], out *auth.Reply) error {
	q, err := in.Body.question()
	if err != nil {
		return err
	}
	q.Key, q.Request, q.Whole = in.IdempotencyKey, in.ID, !in.Body.Stream
	w := chunkWriter{out: out, model: q.Assistant, usage: in.Body.StreamOptions != nil && in.Body.StreamOptions.IncludeUsage}
	if in.Body.Stream {
		out.Events()
	}
	for p, err := range s.Say(ctx, sc, q) {
		switch {
		case err != nil && (!out.Streaming() || out.Abandon()):
			return err
		case err != nil:
			out.Data(auth.Problem(err, in.ID, w.start.Turn, true))
			return nil
		case p.Start != nil:
			w.start = *p.Start
		case p.Pause:
			out.Flush()
		case p.Done != nil && !in.Body.Stream:
			return out.JSON(completionOf(p.Done, q.Assistant))
		case in.Body.Stream:
			w.write(p)
		}
	}
	return nil
}
