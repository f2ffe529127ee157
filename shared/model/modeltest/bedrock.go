package modeltest

import (
	"bytes"
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream/eventstreamapi"
	"github.com/go-json-experiment/json"

	"switchboard/shared/model"
)

// serveBedrock speaks ConverseStream: one event-stream frame per event.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
func (s *Server) serveBedrock(w http.ResponseWriter, r *http.Request, body []byte) {
	var req bedrockRequest
	w.Header().Set("X-Amzn-Requestid", "00000000-0000-4000-8000-000000000000")
	if err := json.Unmarshal(body, &req); err != nil {
		bedrockRefuse(w, Failure{Status: http.StatusBadRequest, Message: err.Error()})
		return
	}
	call := Call{
		Provider: "bedrock", Model: bedrockModel(r), Streamed: true,
		System: joinText(req.System), User: req.lastUser(),
		Header: r.Header.Clone(), Body: body,
	}
	s.record(call)
	if wrong := req.wrong(); wrong != "" {
		bedrockRefuse(w, Failure{Status: http.StatusBadRequest, Message: wrong})
		return
	}
	script := s.respond(call)
	if !script.begins(r, func(f Failure) { bedrockRefuse(w, f) }) {
		return
	}
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	a := &bedrockAnswer{usage: script.usage(), stops: script.stops(), open: -1}
	a.event("messageStart", map[string]any{"role": "assistant"})
	play(w, r, script, &a.out, a.step)
}

// bedrockModel is the model's id, which may be an ARN with escaped slashes.
func bedrockModel(r *http.Request) string {
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/converse-stream")
	_, id, _ := strings.Cut(path, "/model/")
	id, _ = url.PathUnescape(id)
	return id
}

type bedrockText struct {
	Text *string `json:"text"`
}

type bedrockRequest struct {
	System   []bedrockText `json:"system"`
	Messages []struct {
		Role    string        `json:"role"`
		Content []bedrockText `json:"content"`
	} `json:"messages"`
}

// wrong says what the provider would refuse, in its own words; "" for nothing.
func (r *bedrockRequest) wrong() string {
	for i, m := range r.Messages {
		switch {
		case i == 0 && m.Role != "user":
			return "A conversation must start with a user message. Try again with a conversation that starts with a user message."
		case i > 0 && m.Role == r.Messages[i-1].Role:
			return "A conversation must alternate between user and assistant roles."
		case len(m.Content) == 0:
			return "The content field in the Message object is empty. Add a ContentBlock object to the content field and try again."
		}
		for _, c := range m.Content {
			if c.Text != nil && strings.TrimSpace(*c.Text) == "" {
				return "The text field in the ContentBlock object is blank. Add text to the text field, and try again."
			}
		}
	}
	return ""
}

func (r *bedrockRequest) lastUser() string {
	for i := len(r.Messages) - 1; i >= 0; i-- {
		if t := joinText(r.Messages[i].Content); r.Messages[i].Role == "user" && t != "" {
			return t
		}
	}
	return ""
}

func joinText(blocks []bedrockText) string {
	var texts []string
	for _, b := range blocks {
		if b.Text != nil {
			texts = append(texts, *b.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// bedrockCode is the exception a status goes with.
func bedrockCode(f Failure) string {
	if f.Code != "" {
		return f.Code
	}
	switch f.Status {
	case http.StatusUnauthorized:
		return "UnrecognizedClientException"
	case http.StatusForbidden:
		return "AccessDeniedException"
	case http.StatusNotFound:
		return "ResourceNotFoundException"
	case http.StatusRequestTimeout:
		return "ModelTimeoutException"
	case http.StatusFailedDependency:
		return "ModelErrorException"
	case http.StatusTooManyRequests:
		return "ThrottlingException"
	case http.StatusServiceUnavailable, 529:
		return "ServiceUnavailableException"
	}
	if f.Status == 0 || f.Status >= http.StatusInternalServerError {
		return "InternalServerException"
	}
	return "ValidationException"
}

func bedrockRefuse(w http.ResponseWriter, f Failure) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", bedrockCode(f)+":http://internal.amazon.com/coral/com.amazon.bedrock/")
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.WriteHeader(cmp.Or(f.Status, http.StatusInternalServerError))
	_, _ = w.Write(encode(map[string]any{"message": f.Message}))
}

// bedrockAnswer renders a script's steps as the provider's frames.
type bedrockAnswer struct {
	usage model.Usage
	stops bool // the script says how the answer ends, so usage goes out there

	next int    // index of the next content block
	open int    // index of the open text block, -1 if there is none
	out  []byte // frames not sent yet
}

// step renders one step.
func (a *bedrockAnswer) step(st Step) {
	switch {
	case st.Text != "":
		if a.open < 0 { // a text block has no start event
			a.open = a.next
			a.next++
		}
		a.delta(a.open, map[string]any{"text": st.Text})
	case st.ToolCall != nil:
		a.call(st.ToolCall)
	case st.Usage != nil && !a.stops:
		a.metadata()
	case st.Stop != "":
		a.closeText()
		a.event("messageStop", map[string]any{"stopReason": bedrockStop(st.Stop)})
		a.metadata()
	case st.Fail != nil:
		code := bedrockCode(*st.Fail)
		a.frame(encode(map[string]any{"message": st.Fail.Message}),
			header(eventstreamapi.MessageTypeHeader, eventstreamapi.ExceptionMessageType),
			header(eventstreamapi.ExceptionTypeHeader, strings.ToLower(code[:1])+code[1:]))
	}
}

func (a *bedrockAnswer) call(c *model.ToolCall) {
	a.closeText()
	i := a.next
	a.next++
	a.event("contentBlockStart", map[string]any{
		"contentBlockIndex": i,
		"start":             map[string]any{"toolUse": map[string]any{"toolUseId": c.ID, "name": c.Name}},
	})
	a.delta(i, map[string]any{"toolUse": map[string]any{"input": ""}})
	for _, piece := range pieces(c.Arguments) {
		a.delta(i, map[string]any{"toolUse": map[string]any{"input": piece}})
	}
	a.event("contentBlockStop", map[string]any{"contentBlockIndex": i})
}

func (a *bedrockAnswer) closeText() {
	if a.open >= 0 {
		a.event("contentBlockStop", map[string]any{"contentBlockIndex": a.open})
		a.open = -1
	}
}

func (a *bedrockAnswer) delta(index int, delta map[string]any) {
	a.event("contentBlockDelta", map[string]any{"contentBlockIndex": index, "delta": delta})
}

// metadata comes last. What came from the cache is not in inputTokens.
func (a *bedrockAnswer) metadata() {
	a.event("metadata", map[string]any{
		"usage": map[string]any{
			"inputTokens":           a.usage.Input - a.usage.CachedInput,
			"outputTokens":          a.usage.Output,
			"totalTokens":           a.usage.Input + a.usage.Output,
			"cacheReadInputTokens":  a.usage.CachedInput,
			"cacheWriteInputTokens": 0,
		},
		"metrics": map[string]any{"latencyMs": 1},
	})
}

// padding is what the provider adds to each event, so that its length tells an
// onlooker nothing; a length of its own each time.
const padding = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func (a *bedrockAnswer) event(name string, data map[string]any) {
	data["p"] = padding[:len(a.out)%len(padding)]
	a.frame(encode(data),
		header(eventstreamapi.EventTypeHeader, name),
		header(eventstreamapi.ContentTypeHeader, "application/json"),
		header(eventstreamapi.MessageTypeHeader, eventstreamapi.EventMessageType))
}

func (a *bedrockAnswer) frame(payload []byte, headers ...eventstream.Header) {
	b := bytes.NewBuffer(a.out)
	if err := eventstream.NewEncoder().Encode(b, eventstream.Message{Headers: headers, Payload: payload}); err != nil {
		panic(err)
	}
	a.out = b.Bytes()
}

func header(name, value string) eventstream.Header {
	return eventstream.Header{Name: name, Value: eventstream.StringValue(value)}
}

// bedrockStop returns the stopReason. The provider has no word for a refusal other
// than its filter's.
func bedrockStop(s model.Stop) string {
	switch s {
	case model.StopLength:
		return "max_tokens"
	case model.StopTools:
		return "tool_use"
	case model.StopSequence:
		return "stop_sequence"
	case model.StopFiltered, model.StopRefused:
		return "content_filtered"
	}
	return "end_turn"
}
