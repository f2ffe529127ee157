package modeltest

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model"
)

// openaiRequest is what the script needs to know of a Chat Completions request.
type openaiRequest struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Messages []struct {
		Role    string         `json:"role"`
		Content jsontext.Value `json:"content"` // a string, null, or parts
	} `json:"messages"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// call says what the request was.
func (q *openaiRequest) call(r *http.Request, body []byte) Call {
	c := Call{Provider: "openai", Model: q.Model, Streamed: q.Stream, Header: r.Header, Body: body}
	for _, m := range q.Messages {
		switch m.Role {
		case "system", "developer":
			c.System += blockText(m.Content)
		case "user":
			c.User = blockText(m.Content)
		}
	}
	return c
}

// serveOpenAI speaks Chat Completions.
func (s *Server) serveOpenAI(w http.ResponseWriter, r *http.Request, body []byte) {
	var q openaiRequest
	if err := json.Unmarshal(body, &q); err != nil || q.Model == "" || len(q.Messages) == 0 {
		openaiFail(w, &Failure{Status: http.StatusBadRequest, Message: "We could not parse the JSON body of your request."})
		return
	}
	c := q.call(r, body)
	s.record(c)
	script := s.respond(c)
	w.Header().Set("X-Request-Id", "req_"+strconv.FormatInt(openaiID.Add(1), 16))
	if q.Stream {
		openaiStream(w, r, &q, script)
		return
	}
	openaiWhole(w, r, &q, script)
}

// openaiID numbers answers.
var openaiID atomic.Int64

// openaiBuffers hold what is to go out in one write.
var openaiBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 32<<10); return &b }}

// openaiWriter writes one stream. Chunks gather in buf until flush.
type openaiWriter struct {
	w       http.ResponseWriter
	r       *http.Request
	buf     []byte
	head    []byte // of every chunk, up to the choices
	foot    string // of every chunk, behind the choices
	refuses bool   // text goes out as refusal deltas
	started bool
	calls   int
}

// openaiStream plays the script as server-sent events.
func openaiStream(w http.ResponseWriter, r *http.Request, q *openaiRequest, script Script) {
	pooled := openaiBuffers.Get().(*[]byte)
	o := &openaiWriter{w: w, r: r, buf: (*pooled)[:0], refuses: script.refuses()}
	defer func() {
		*pooled = o.buf
		openaiBuffers.Put(pooled)
	}()
	o.head, o.foot = openaiFrame(q)
	var usage *model.Usage
	for i := range script {
		st := &script[i]
		if st.Delay > 0 || st.Wait != nil || st.Hang {
			if !o.flush() || !st.pause(r) {
				return
			}
		}
		switch {
		case st.Fail != nil:
			o.fail(st.Fail)
			return
		case st.Cut:
			o.flush()
			cut()
		case st.Usage != nil:
			usage = st.Usage // sent last, as the provider does
		default:
			o.step(st)
		}
	}
	o.start()
	if usage != nil && q.StreamOptions.IncludeUsage {
		o.usage(usage)
	}
	if script.stops() {
		o.buf = append(o.buf, "data: [DONE]\n\n"...)
	}
	o.flush()
}

// openaiFrame renders what all chunks of a stream share.
func openaiFrame(q *openaiRequest) (head []byte, foot string) {
	b := make([]byte, 0, 256)
	b = append(b, `data: {"id":"chatcmpl-`...)
	b = strconv.AppendInt(b, openaiID.Add(1), 36)
	b = append(b, `","object":"chat.completion.chunk","created":`...)
	b = strconv.AppendInt(b, time.Now().Unix(), 10)
	b = append(b, `,"model":`...)
	b = openaiQuote(b, q.Model)
	b = append(b, `,"service_tier":"default","system_fingerprint":"fp_560af6e559","choices":[`...)
	if q.StreamOptions.IncludeUsage {
		return b, `],"usage":null,"obfuscation":"`
	}
	return b, `],"obfuscation":"`
}

func openaiQuote(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // invalid UTF-8 is replaced, which is what a provider does
	return b
}

// refuses reports whether the script is of a model that declines.
func (sc Script) refuses() bool {
	for i := range sc {
		if sc[i].Stop == model.StopRefused {
			return true
		}
	}
	return false
}

// start sends the headers and the delta that says who speaks.
func (o *openaiWriter) start() {
	if o.started {
		return
	}
	o.started = true
	h := o.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Openai-Processing-Ms", "12")
	o.open(`{"role":"assistant","content":"","refusal":null}`)
	o.close("null")
}

// open begins a chunk whose delta, or its beginning, is d.
func (o *openaiWriter) open(d string) {
	o.buf = append(o.buf, o.head...)
	o.buf = append(o.buf, `{"index":0,"delta":`...)
	o.buf = append(o.buf, d...)
}

// openaiPadding hides a token's length from who watches the wire.
const openaiPadding = "9aKx2LqTz7WmB4cR"

// close ends the chunk that open began.
func (o *openaiWriter) close(finish string) {
	o.buf = append(o.buf, `,"logprobs":null,"finish_reason":`...)
	o.buf = append(o.buf, finish...)
	o.buf = append(o.buf, '}')
	o.buf = append(o.buf, o.foot...)
	o.buf = append(o.buf, openaiPadding[len(o.buf)%len(openaiPadding):]...)
	o.buf = append(o.buf, "\"}\n\n"...)
}

// step renders a text, a tool call or the end.
func (o *openaiWriter) step(st *Step) {
	o.start()
	switch {
	case st.ToolCall != nil:
		o.toolCall(st.ToolCall)
	case st.Stop != "":
		o.open("{}")
		o.close(`"` + openaiFinish(st.Stop) + `"`)
	case st.Text != "":
		if o.refuses {
			o.open(`{"refusal":`)
		} else {
			o.open(`{"content":`)
		}
		o.buf = append(openaiQuote(o.buf, st.Text), '}')
		o.close("null")
	}
}

// openaiFinish is the finish_reason of a Stop.
func openaiFinish(s model.Stop) string {
	switch s {
	case model.StopLength:
		return "length"
	case model.StopTools:
		return "tool_calls"
	case model.StopFiltered:
		return "content_filter"
	}
	return "stop" // of a refusal and a stop sequence too
}

// toolCall sends the name, then the arguments a few runes at a time.
func (o *openaiWriter) toolCall(c *model.ToolCall) {
	index := strconv.Itoa(o.calls)
	o.calls++
	o.open(`{"tool_calls":[{"index":` + index + `,"id":`)
	o.buf = openaiQuote(o.buf, c.ID)
	o.buf = append(o.buf, `,"type":"function","function":{"name":`...)
	o.buf = openaiQuote(o.buf, c.Name)
	o.buf = append(o.buf, `,"arguments":""}}]}`...)
	o.close("null")
	for _, piece := range pieces(c.Arguments) {
		o.open(`{"tool_calls":[{"index":` + index + `,"function":{"arguments":`)
		o.buf = append(openaiQuote(o.buf, piece), "}}]}"...)
		o.close("null")
	}
}

// usage sends the last chunk, which has no choice.
func (o *openaiWriter) usage(u *model.Usage) {
	o.buf = append(o.buf, o.head...)
	o.buf = append(o.buf, `],"usage":`...)
	o.buf = openaiUsage(o.buf, u)
	o.buf = append(o.buf, `,"obfuscation":"`+openaiPadding+"\"}\n\n"...)
}

func openaiUsage(b []byte, u *model.Usage) []byte {
	b = strconv.AppendInt(append(b, `{"prompt_tokens":`...), u.Input, 10)
	b = strconv.AppendInt(append(b, `,"completion_tokens":`...), u.Output, 10)
	b = strconv.AppendInt(append(b, `,"total_tokens":`...), u.Input+u.Output, 10)
	b = strconv.AppendInt(append(b, `,"prompt_tokens_details":{"cached_tokens":`...), u.CachedInput, 10)
	return append(b, `,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`...)
}

// fail is an HTTP status where nothing was sent, an error frame afterwards.
func (o *openaiWriter) fail(f *Failure) {
	if !o.started {
		openaiFail(o.w, f)
		return
	}
	o.buf = append(o.buf, "data: "...)
	o.buf = append(openaiError(o.buf, f), "\n\n"...)
	o.flush()
}

// flush sends what has gathered. It reports whether the client is still there.
func (o *openaiWriter) flush() bool {
	if len(o.buf) == 0 {
		return true
	}
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err == nil && http.NewResponseController(o.w).Flush() == nil
}

func openaiFail(w http.ResponseWriter, f *Failure) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if f.RetryAfter != "" {
		h.Set("Retry-After", f.RetryAfter)
	}
	w.WriteHeader(cmp.Or(f.Status, http.StatusInternalServerError))
	_, _ = w.Write(openaiError(nil, f))
}

// openaiUsual are the type and code that go with a status.
var openaiUsual = map[int][2]string{
	http.StatusBadRequest:          {"invalid_request_error", ""},
	http.StatusUnauthorized:        {"invalid_request_error", "invalid_api_key"},
	http.StatusForbidden:           {"invalid_request_error", "unsupported_country_region_territory"},
	http.StatusNotFound:            {"invalid_request_error", "model_not_found"},
	http.StatusTooManyRequests:     {"requests", "rate_limit_exceeded"},
	http.StatusInternalServerError: {"server_error", ""},
	http.StatusServiceUnavailable:  {"service_unavailable", ""},
}

// openaiError renders an error object.
func openaiError(b []byte, f *Failure) []byte {
	usual, ok := openaiUsual[f.Status]
	if !ok {
		usual = [2]string{"server_error", ""}
	}
	b = openaiQuote(append(b, `{"error":{"message":`...), cmp.Or(f.Message, "The server had an error while processing your request. Sorry about that!"))
	b = openaiQuote(append(b, `,"type":`...), usual[0])
	b = append(b, `,"param":null,"code":`...)
	if code := cmp.Or(f.Code, usual[1]); code != "" {
		return append(openaiQuote(b, code), "}}"...)
	}
	return append(b, "null}}"...)
}

// openaiWhole plays the script as one JSON document.
func openaiWhole(w http.ResponseWriter, r *http.Request, q *openaiRequest, script Script) {
	var text strings.Builder
	var calls []byte
	var usage model.Usage
	stop := model.StopEnd
	for i := range script {
		st := &script[i]
		if !st.pause(r) {
			return
		}
		switch {
		case st.Fail != nil:
			openaiFail(w, st.Fail)
			return
		case st.Cut:
			cut()
		case st.Usage != nil:
			usage = *st.Usage
		case st.Stop != "":
			stop = st.Stop
		case st.ToolCall != nil:
			calls = openaiCall(calls, st.ToolCall)
		default:
			text.WriteString(st.Text)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	b := append([]byte(nil), `{"id":"chatcmpl-`...)
	b = strconv.AppendInt(b, openaiID.Add(1), 36)
	b = append(b, `","object":"chat.completion","created":`...)
	b = strconv.AppendInt(b, time.Now().Unix(), 10)
	b = openaiQuote(append(b, `,"model":`...), q.Model)
	b = openaiMessage(append(b, `,"choices":[{"index":0,"message":`...), text.String(), calls, stop)
	b = append(b, `,"logprobs":null,"finish_reason":"`+openaiFinish(stop)+`"}],"usage":`...)
	b = openaiUsage(b, &usage)
	b = append(b, `,"service_tier":"default","system_fingerprint":"fp_560af6e559"}`...)
	_, _ = w.Write(b)
}

// openaiCall renders a tool call of a whole answer.
func openaiCall(b []byte, c *model.ToolCall) []byte {
	if len(b) > 0 {
		b = append(b, ',')
	}
	b = openaiQuote(append(b, `{"id":`...), c.ID)
	b = openaiQuote(append(b, `,"type":"function","function":{"name":`...), c.Name)
	b = openaiQuote(append(b, `,"arguments":`...), c.Arguments)
	return append(b, "}}"...)
}

// openaiMessage renders the message of a whole answer.
func openaiMessage(b []byte, text string, calls []byte, stop model.Stop) []byte {
	switch {
	case stop == model.StopRefused:
		b = append(b, `{"role":"assistant","content":null,"refusal":`...)
		b = openaiQuote(b, text)
	case len(calls) > 0 && text == "":
		b = append(b, `{"role":"assistant","content":null,"refusal":null`...)
	default:
		b = append(b, `{"role":"assistant","content":`...)
		b = append(openaiQuote(b, text), `,"refusal":null`...)
	}
	b = append(b, `,"annotations":[]`...)
	if len(calls) > 0 {
		b = append(append(append(b, `,"tool_calls":[`...), calls...), ']')
	}
	return append(b, '}')
}

// pieces cuts a call's arguments as the providers stream them: anywhere, but never
// within a character.
func pieces(arguments string) []string {
	const size = 5 // small enough to cut names, numbers and escapes
	var out []string
	start := 0
	for i := range arguments {
		if i-start >= size {
			out, start = append(out, arguments[start:i]), i
		}
	}
	if arguments != "" {
		out = append(out, arguments[start:])
	}
	return out
}
