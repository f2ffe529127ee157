package modeltest

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
)

// serveAnthropic speaks the Messages API, streamed or in one piece.
// https://platform.claude.com/docs/en/build-with-claude/streaming
func (s *Server) serveAnthropic(w http.ResponseWriter, r *http.Request, body []byte) {
	var req anthropicRequest
	w.Header().Set("Request-Id", "req_test")
	if err := json.Unmarshal(body, &req); err != nil {
		anthropicRefuse(w, Failure{Status: http.StatusBadRequest, Message: err.Error()})
		return
	}
	call := Call{
		Provider: "anthropic", Model: req.Model, Streamed: req.Stream,
		System: blockText(req.System), User: req.lastUser(),
		Header: r.Header.Clone(), Body: body,
	}
	s.record(call)
	if wrong := req.wrong(); wrong != "" {
		anthropicRefuse(w, Failure{Status: http.StatusBadRequest, Message: wrong})
		return
	}
	script := s.respond(call)
	if !script.begins(r, func(f Failure) { anthropicRefuse(w, f) }) {
		return
	}
	a := &anthropicAnswer{model: req.Model, usage: script.usage(), stopped: script.stops(), open: -1}
	if req.Stream {
		a.stream(w, r, script)
	} else {
		a.whole(w, r, script)
	}
}

type anthropicRequest struct {
	Model     string         `json:"model"`
	MaxTokens int            `json:"max_tokens"`
	Stream    bool           `json:"stream"`
	System    jsontext.Value `json:"system"`
	Messages  []struct {
		Role    string         `json:"role"`
		Content jsontext.Value `json:"content"`
	} `json:"messages"`
}

// wrong says what the provider would refuse, in its own words; "" for nothing.
func (r *anthropicRequest) wrong() string {
	switch {
	case r.Model == "":
		return "model: Field required"
	case r.MaxTokens < 1:
		return "max_tokens: must be greater than or equal to 1"
	case len(r.Messages) == 0:
		return "messages: at least one message is required"
	case r.Messages[0].Role != "user":
		return "messages: first message must use the \"user\" role"
	}
	for _, m := range r.Messages {
		for _, b := range blocks(m.Content) {
			if b.Type == "text" && strings.TrimSpace(b.Text) == "" {
				return "messages: text content blocks must be non-empty"
			}
		}
	}
	return ""
}

func (r *anthropicRequest) lastUser() string {
	for i := len(r.Messages) - 1; i >= 0; i-- {
		if t := blockText(r.Messages[i].Content); r.Messages[i].Role == "user" && t != "" {
			return t
		}
	}
	return ""
}

type block struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// blocks reads content, which is a string or a list of blocks.
func blocks(content jsontext.Value) []block {
	var text string
	if json.Unmarshal(content, &text) == nil && content.Kind() == '"' {
		return []block{{Type: "text", Text: text}}
	}
	var list []block
	_ = json.Unmarshal(content, &list)
	return list
}

func blockText(content jsontext.Value) string {
	var texts []string
	for _, b := range blocks(content) {
		if b.Type == "text" || b.Type == "" {
			texts = append(texts, b.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// anthropicTypes are the error types the provider's statuses go with.
var anthropicTypes = map[int]string{
	http.StatusUnauthorized:          "authentication_error",
	http.StatusPaymentRequired:       "billing_error",
	http.StatusForbidden:             "permission_error",
	http.StatusNotFound:              "not_found_error",
	http.StatusRequestEntityTooLarge: "request_too_large",
	http.StatusTooManyRequests:       "rate_limit_error",
	http.StatusGatewayTimeout:        "timeout_error",
	http.StatusServiceUnavailable:    "overloaded_error",
	529:                              "overloaded_error",
}

func anthropicError(f Failure) map[string]any {
	usual := "invalid_request_error"
	if t := anthropicTypes[f.Status]; t != "" {
		usual = t
	} else if f.Status == 0 || f.Status >= http.StatusInternalServerError {
		usual = "api_error"
	}
	return map[string]any{
		"type":       "error",
		"error":      map[string]any{"type": cmp.Or(f.Code, usual), "message": f.Message},
		"request_id": "req_test",
	}
}

func anthropicRefuse(w http.ResponseWriter, f Failure) {
	w.Header().Set("Content-Type", "application/json")
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.WriteHeader(cmp.Or(f.Status, http.StatusInternalServerError))
	_, _ = w.Write(encode(anthropicError(f)))
}

// anthropicAnswer renders a script's steps as the provider's events.
type anthropicAnswer struct {
	model   string
	usage   model.Usage
	stopped bool // the script says how the answer ends, so usage goes out there
	pinged  bool

	next int    // index of the next content block
	open int    // index of the open text block, -1 if there is none
	out  []byte // events not sent yet
}

func (a *anthropicAnswer) stream(w http.ResponseWriter, r *http.Request, script Script) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	first := a.counts()
	first["output_tokens"] = min(a.usage.Output, 1) // what the provider says before it knows
	message := a.message(nil, nil, first)
	message["content"] = []any{}
	a.event("message_start", map[string]any{"message": message})
	play(w, r, script, &a.out, a.step)
}

// step renders one step.
func (a *anthropicAnswer) step(st Step) {
	switch {
	case st.Text != "":
		a.text(st.Text)
	case st.ToolCall != nil:
		a.call(st.ToolCall)
	case st.Usage != nil && !a.stopped:
		a.event("message_delta", map[string]any{"delta": map[string]any{"stop_reason": nil, "stop_sequence": nil}, "usage": a.counts()})
	case st.Stop != "":
		a.stop(st.Stop)
	case st.Fail != nil:
		e := anthropicError(*st.Fail)
		a.out = append(a.out, "event: error\ndata: "...)
		a.out = append(append(a.out, encode(e)...), "\n\n"...)
	}
}

func (a *anthropicAnswer) text(s string) {
	if a.open < 0 {
		a.open = a.start(map[string]any{"type": "text", "text": ""})
	}
	a.delta(a.open, map[string]any{"type": "text_delta", "text": s})
}

func (a *anthropicAnswer) call(c *model.ToolCall) {
	a.closeText()
	i := a.start(map[string]any{"type": "tool_use", "id": c.ID, "name": c.Name, "input": map[string]any{}})
	a.delta(i, map[string]any{"type": "input_json_delta", "partial_json": ""})
	for _, piece := range pieces(c.Arguments) {
		a.delta(i, map[string]any{"type": "input_json_delta", "partial_json": piece})
	}
	a.event("content_block_stop", map[string]any{"index": i})
}

func (a *anthropicAnswer) stop(s model.Stop) {
	a.closeText()
	reason, sequence := anthropicStop(s)
	a.event("message_delta", map[string]any{
		"delta": map[string]any{"stop_reason": reason, "stop_sequence": sequence},
		"usage": a.counts(),
	})
	a.event("message_stop", map[string]any{})
}

func (a *anthropicAnswer) start(block map[string]any) int {
	i := a.next
	a.next++
	a.event("content_block_start", map[string]any{"index": i, "content_block": block})
	if !a.pinged {
		a.pinged = true
		a.event("ping", map[string]any{})
	}
	return i
}

func (a *anthropicAnswer) closeText() {
	if a.open >= 0 {
		a.event("content_block_stop", map[string]any{"index": a.open})
		a.open = -1
	}
}

func (a *anthropicAnswer) delta(index int, delta map[string]any) {
	a.event("content_block_delta", map[string]any{"index": index, "delta": delta})
}

func (a *anthropicAnswer) event(name string, data map[string]any) {
	data["type"] = name
	a.out = append(a.out, "event: "...)
	a.out = append(a.out, name...)
	a.out = append(a.out, "\ndata: "...)
	a.out = append(a.out, encode(data)...)
	a.out = append(a.out, "\n\n"...)
}

// counts is the provider's usage: what came from its cache is not in input_tokens.
func (a *anthropicAnswer) counts() map[string]any {
	return map[string]any{
		"input_tokens":                a.usage.Input - a.usage.CachedInput,
		"cache_creation_input_tokens": 0,
		"cache_read_input_tokens":     a.usage.CachedInput,
		"output_tokens":               a.usage.Output,
	}
}

func (a *anthropicAnswer) message(reason, sequence any, usage map[string]any) map[string]any {
	return map[string]any{
		"id": "msg_test", "type": "message", "role": "assistant", "model": a.model,
		"stop_reason": reason, "stop_sequence": sequence, "usage": usage,
	}
}

// whole answers in one JSON document.
func (a *anthropicAnswer) whole(w http.ResponseWriter, r *http.Request, script Script) {
	var content []map[string]any
	var stop model.Stop
	for _, st := range script {
		if !st.pause(r) {
			return
		}
		last := len(content) - 1
		switch {
		case st.Text != "" && last >= 0 && content[last]["type"] == "text":
			content[last]["text"] = content[last]["text"].(string) + st.Text
		case st.Text != "":
			content = append(content, map[string]any{"type": "text", "text": st.Text})
		case st.ToolCall != nil:
			input := jsontext.Value(cmp.Or(st.ToolCall.Arguments, "{}"))
			content = append(content, map[string]any{"type": "tool_use", "id": st.ToolCall.ID, "name": st.ToolCall.Name, "input": input})
		case st.Stop != "":
			stop = st.Stop
		case st.Fail != nil:
			anthropicRefuse(w, *st.Fail)
			return
		case st.Cut:
			cut()
		}
	}
	reason, sequence := anthropicStop(stop)
	message := a.message(reason, sequence, a.counts())
	message["content"] = content
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(message))
}

// anthropicStop returns stop_reason and stop_sequence. The provider has no content
// filter apart from the model's own refusal.
func anthropicStop(s model.Stop) (reason string, sequence any) {
	switch s {
	case model.StopLength:
		return "max_tokens", nil
	case model.StopTools:
		return "tool_use", nil
	case model.StopSequence:
		return "stop_sequence", "STOP"
	case model.StopFiltered, model.StopRefused:
		return "refusal", nil
	}
	return "end_turn", nil
}
