package modeltest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"switchboard/shared/model"
	"switchboard/shared/model/modeltest"
)

// answer has everything a Chat Completions answer can have.
var answer = modeltest.Script{
	{Text: "Let me \"look\"."},
	{Text: " 🚲\n"},
	{ToolCall: &model.ToolCall{ID: "call_1", Name: "look", Arguments: `{"where":"størage"}`}},
	{ToolCall: &model.ToolCall{ID: "call_2", Name: "now", Arguments: `{}`}},
	{Usage: &model.Usage{Input: 30, Output: 12, CachedInput: 10}},
	{Stop: model.StopTools},
}

// client is the official client; what it makes of our bytes is what they are.
func client(t *testing.T, script modeltest.Script) openai.Client {
	t.Helper()
	srv := httptest.NewServer(modeltest.NewServer(func(modeltest.Call) modeltest.Script { return script }))
	t.Cleanup(srv.Close)
	return openai.NewClient(option.WithBaseURL(srv.URL+"/v1"), option.WithAPIKey("sk-test"), option.WithMaxRetries(0))
}

var params = openai.ChatCompletionNewParams{
	Model:    "gpt-5-mini",
	Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be brief."), openai.UserMessage("Where?")},
}

func check(t *testing.T, c *openai.ChatCompletion) {
	t.Helper()
	if len(c.Choices) != 1 || c.Model != "gpt-5-mini" || !strings.HasPrefix(c.ID, "chatcmpl-") {
		t.Fatalf("got %+v", c)
	}
	var calls []string
	for _, tc := range c.Choices[0].Message.ToolCalls {
		calls = append(calls, tc.ID, tc.Function.Name, tc.Function.Arguments)
	}
	if d := cmp.Diff([]string{"call_1", "look", `{"where":"størage"}`, "call_2", "now", "{}"}, calls); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
	if m := c.Choices[0].Message; m.Content != "Let me \"look\". 🚲\n" || m.Role != "assistant" || c.Choices[0].FinishReason != "tool_calls" {
		t.Errorf("message %+v, finish %q", m, c.Choices[0].FinishReason)
	}
	if u := c.Usage; u.PromptTokens != 30 || u.CompletionTokens != 12 || u.TotalTokens != 42 || u.PromptTokensDetails.CachedTokens != 10 {
		t.Errorf("usage %+v", u)
	}
}

func TestOfficialClientReadsOpenAIStream(t *testing.T) {
	t.Parallel()
	c := client(t, answer)
	p := params
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	s := c.Chat.Completions.NewStreaming(t.Context(), p)
	var acc openai.ChatCompletionAccumulator
	for s.Next() {
		if !acc.AddChunk(s.Current()) {
			t.Errorf("chunk does not belong: %s", s.Current().RawJSON())
		}
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	check(t, &acc.ChatCompletion)
}

func TestOfficialClientReadsOpenAIWhole(t *testing.T) {
	t.Parallel()
	c := client(t, answer)
	got, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	check(t, got)
}

func TestOfficialClientReadsOpenAIErrors(t *testing.T) {
	t.Parallel()
	c := client(t, modeltest.Script{{Fail: &modeltest.Failure{Status: 429, RetryAfter: "3", Message: "slow down"}}})
	_, err := c.Chat.Completions.New(t.Context(), params)
	e, ok := err.(*openai.Error)
	if !ok || e.StatusCode != 429 || e.Code != "rate_limit_exceeded" || e.Message != "slow down" || e.Response.Header.Get("Retry-After") != "3" {
		t.Errorf("got %+v", err)
	}
	c = client(t, modeltest.Script{{Text: "a"}, {Fail: &modeltest.Failure{Status: 500}}})
	s := c.Chat.Completions.NewStreaming(t.Context(), params)
	n := 0
	for s.Next() {
		n++
	}
	if n != 2 || s.Err() == nil { // the role, the text, then the error
		t.Errorf("%d chunks, then %v", n, s.Err())
	}
}

// post returns the raw bytes of an answer.
func post(h http.Handler, body string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body)))
	return rec
}

// TestOpenAIBytes pins the wire: what was not asked for is not sent.
func TestOpenAIBytes(t *testing.T) {
	t.Parallel()
	srv := modeltest.NewServer(func(modeltest.Call) modeltest.Script { return answer })
	const messages = `"messages":[{"role":"developer","content":"Be "},{"role":"system","content":"brief."},{"role":"user","content":[{"type":"text","text":"Where?"}]}]`
	plain := post(srv, `{"model":"m","stream":true,`+messages+`}`).Body.String()
	if strings.Contains(plain, "usage") || !strings.HasSuffix(plain, "\n\ndata: [DONE]\n\n") {
		t.Errorf("want no usage, and an end mark, in:\n%s", plain)
	}
	counted := post(srv, `{"model":"m","stream":true,"stream_options":{"include_usage":true},`+messages+`}`).Body.String()
	if n := strings.Count(counted, `"usage":null`); n != strings.Count(counted, `"choices":[{`) {
		t.Errorf("%d chunks with a null usage in:\n%s", n, counted)
	}
	if strings.Count(counted, `"choices":[],"usage":{"prompt_tokens":30,`) != 1 {
		t.Errorf("want one chunk of usage without choices in:\n%s", counted)
	}
	if c := srv.Calls()[0]; c.System != "Be brief." || c.User != "Where?" || !c.Streamed || c.Model != "m" {
		t.Errorf("the script was told %+v", c)
	}
	if rec := post(srv, `{"model":`); rec.Code != http.StatusBadRequest {
		t.Errorf("half a request: status %d", rec.Code)
	}
}

// TestReadyStepsGoOutTogether: one flush for what needs no waiting.
func TestReadyStepsGoOutTogether(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	close(gate)
	script := modeltest.Script{{Text: "a"}, {Text: "b"}, {Text: "c", Wait: gate}, {Text: "d"}, {Stop: model.StopEnd}}
	w := &flushes{ResponseRecorder: httptest.NewRecorder()}
	srv := modeltest.NewServer(func(modeltest.Call) modeltest.Script { return script })
	srv.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/chat/completions",
		strings.NewReader(`{"model":"m","stream":true,"messages":[{"role":"user","content":"?"}]}`)))
	if w.n != 2 {
		t.Errorf("%d flushes, want one before the wait and one at the end", w.n)
	}
}

type flushes struct {
	*httptest.ResponseRecorder
	n int
}

func (f *flushes) Flush() { f.n++ }

// BenchmarkOpenAI is what the scripted provider itself costs a benchmark: 50 chunks
// of six words, without the network.
func BenchmarkOpenAI(b *testing.B) {
	var script modeltest.Script
	for range 50 {
		script = append(script, modeltest.Step{Text: " six words of an ordinary answer"})
	}
	script = append(script, modeltest.Step{Usage: &model.Usage{Input: 900, Output: 400}}, modeltest.Step{Stop: model.StopEnd})
	srv := modeltest.NewServer(func(modeltest.Call) modeltest.Script { return script })
	body := `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"` +
		strings.Repeat("Some instructions of ordinary length. ", 50) + `"},{"role":"user","content":"?"}]}`
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", nil)
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(body))
		srv.ServeHTTP(w, r)
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header              { return d.h }
func (discard) Write(p []byte) (int, error)        { return len(p), nil }
func (discard) WriteHeader(int)                    {}
func (discard) Flush()                             {}
func (discard) SetWriteDeadline(_ time.Time) error { return nil }
