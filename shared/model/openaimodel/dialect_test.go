package openaimodel_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/model"
	"switchboard/shared/model/openaimodel"
	"switchboard/shared/problem"
	"switchboard/shared/tenant/tenanttest"
)

// wire is a transport that gives every request the same answer.
type wire struct {
	status int // 0 = 200
	header http.Header
	body   io.Reader
	seen   func(*http.Request)
}

func (w wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if w.seen != nil {
		w.seen(req)
	}
	h := w.header.Clone()
	if h == nil {
		h = http.Header{"Content-Type": {"text/event-stream"}}
	}
	body := w.body
	if c, ok := body.(interface{ under(context.Context) }); ok {
		c.under(req.Context())
	}
	return &http.Response{StatusCode: max(w.status, http.StatusOK), Header: h, Body: io.NopCloser(body), Request: req}, nil
}

// ask returns what the driver makes of the wire.
func ask(ctx context.Context, w wire) (parts []model.Part, err error) {
	m := openaimodel.New(openaimodel.Config{APIKey: "sk-test", BaseURL: "http://compatible.test/v1", HTTPClient: &http.Client{Transport: w}})
	req := model.Request{Model: "m", Messages: []model.Message{{Role: model.User, Text: "?"}}}
	for p, e := range m.Stream(ctx, tenanttest.Scope("acme"), req) {
		if e != nil {
			return parts, e
		}
		if !p.Pause {
			parts = append(parts, p)
		}
	}
	return parts, nil
}

const (
	hello  = `data: {"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}` + "\n\n"
	finish = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	done   = "data: [DONE]\n\n"
)

// helloEnd is what most dialects say in their own way.
var helloEnd = []model.Part{{Text: "Hello"}, {Stop: model.StopEnd}}

func calls(stop model.Stop, c ...model.ToolCall) (out []model.Part) {
	for i := range c {
		out = append(out, model.Part{ToolCall: &c[i]})
	}
	return append(out, model.Part{Stop: stop})
}

func TestDialects(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want []model.Part
	}{
		"no usage":            {hello + finish + done, helloEnd},
		"no end mark":         {hello + finish, helloEnd},
		"CRLF":                {strings.ReplaceAll(hello+finish+done, "\n", "\r\n"), helloEnd},
		"no space after data": {strings.ReplaceAll(hello+finish+done, "data: ", "data:"), helloEnd},
		"comments":            {": OPENROUTER PROCESSING\n\n" + hello + ": ping\n" + finish + ":\n\n" + done, helloEnd},
		"event and id lines":  {"event: message\nid: 7\nretry: 10\n" + hello + finish + done, helloEnd},
		"a chunk in two lines": {`data: {"choices":[{"delta":` + "\n" + `data: {"content":"Hello"}}]}` + "\n\n" + finish + done,
			helloEnd},
		"role, null content": {`data: {"choices":[{"delta":{"role":"assistant","content":null}}]}` + "\n\n" + hello + finish + done, helloEnd},
		"text in the finish": {`data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}` + "\n\n" + done, helloEnd},
		"null choices":       {`data: {"choices":null,"prompt_filter_results":[]}` + "\n\n" + hello + finish + done, helloEnd},
		"other choices":      {`data: {"choices":[{"index":1,"delta":{"content":"no"}}]}` + "\n\n" + hello + finish + done, helloEnd},
		"error null":         {`data: {"error":null,"choices":[{"delta":{"content":"Hello"}}]}` + "\n\n" + finish + done, helloEnd},
		"odd finish":         {hello + `data: {"choices":[{"delta":{},"finish_reason":"eos"}]}` + "\n\n" + done, helloEnd},
		"usage in every chunk": {`data: {"choices":[{"delta":{"content":"Hello"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}` + "\n\n" +
			`data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":null}}` + "\n\n" +
			`data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}` + "\n\n" + done,
			[]model.Part{{Text: "Hello"}, {Usage: &model.Usage{Input: 5, Output: 1}}, {Usage: &model.Usage{Input: 5, Output: 2}}, {Stop: model.StopEnd}}},
		"absurd usage": {hello + finish + `data: {"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":-1,"prompt_tokens_details":{"cached_tokens":9}}}` + "\n\n" + done,
			[]model.Part{{Text: "Hello"}, {Usage: &model.Usage{}}, {Stop: model.StopEnd}}},
		"refusal": {`data: {"choices":[{"delta":{"refusal":"I can"}}]}` + "\n\n" + `data: {"choices":[{"delta":{"refusal":"not."}}]}` + "\n\n" + finish + done,
			[]model.Part{{Text: "I can"}, {Text: "not."}, {Stop: model.StopRefused}}},
		"filtered": {hello + `data: {"choices":[{"delta":{},"finish_reason":"content_filter"}]}` + "\n\n" + done,
			[]model.Part{{Text: "Hello"}, {Stop: model.StopFiltered}}},
		"whole calls, one index, finish stop": {
			`data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}]}}]}` + "\n\n" + finish + done,
			calls(model.StopTools, model.ToolCall{ID: "a", Name: "f", Arguments: `{"x":1}`}, model.ToolCall{ID: "b", Name: "g", Arguments: "{}"})},
		"calls without index or id": {
			`data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{\"x\":"}}]}}]}` + "\n\n" +
				`data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"1}"}}]}}]}` + "\n\n" + finish + done,
			calls(model.StopTools, model.ToolCall{ID: "call_0", Name: "f", Arguments: `{"x":1}`})},
		"interleaved calls": {
			`data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}},{"index":1,"id":"b","function":{"name":"g","arguments":""}}]}}]}` + "\n\n" +
				`data: {"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"[2]"}}]}}]}` + "\n\n" +
				`data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"[1]"}}]}}]}` + "\n\n" +
				`data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}` + "\n\n" + done,
			calls(model.StopTools, model.ToolCall{ID: "a", Name: "f", Arguments: "[1]"}, model.ToolCall{ID: "b", Name: "g", Arguments: "[2]"})},
		"call cut by the bound": {
			`data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x"}}]}}]}` + "\n\n" +
				`data: {"choices":[{"delta":{},"finish_reason":"length"}]}` + "\n\n" + done,
			calls(model.StopLength)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ask(t.Context(), wire{body: strings.NewReader(tc.body)})
			if d := cmp.Diff(tc.want, got); d != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, d)
			}
		})
	}
}

func TestWholeAnswers(t *testing.T) {
	t.Parallel()
	json := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	got, err := ask(t.Context(), wire{header: json, body: strings.NewReader(`{"object":"chat.completion","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"Hello","refusal":null,
		"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}}],"usage":{"prompt_tokens":7,"completion_tokens":3}}`)})
	want := append([]model.Part{{Text: "Hello"}, {Usage: &model.Usage{Input: 7, Output: 3}}},
		calls(model.StopTools, model.ToolCall{ID: "a", Name: "f", Arguments: "{}"}, model.ToolCall{ID: "b", Name: "g", Arguments: "{}"})...)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for body, reason := range map[string]string{
		`{"error":{"message":"no","code":429}}`: problem.ReasonRateLimited,
		`{"choices":[{"message":{}}]}`:          problem.ReasonProtocol,
		`not JSON`:                              problem.ReasonProtocol,
		`{"choices":[`:                          problem.ReasonProtocol,
	} {
		if _, err := ask(t.Context(), wire{header: json, body: strings.NewReader(body)}); problem.From(err).Reason != reason {
			t.Errorf("%s: %v, want %s", body, err, reason)
		}
	}
}

func TestBrokenStreams(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ body, reason string }{
		"nothing":                {"", problem.ReasonNetwork},
		"no finish":              {hello, problem.ReasonNetwork},
		"end mark, no finish":    {hello + done, problem.ReasonProtocol},
		"half a chunk":           {hello + `data: {"choices":[{"del`, problem.ReasonNetwork},
		"not JSON":               {hello + "data: <html>\n\n", problem.ReasonProtocol},
		"wrong shape":            {hello + `data: {"choices":{"delta":7}}` + "\n\n", problem.ReasonProtocol},
		"a page":                 {"<html><body>502</body></html>\n\n", problem.ReasonNetwork},
		"error object":           {hello + `data: {"error":{"message":"m","type":"server_error","code":null}}` + "\n\n" + done, problem.ReasonServerError},
		"error sentence":         {hello + `data: {"error":"engine died"}` + "\n\n", problem.ReasonServerError},
		"error number":           {hello + `data: {"error":{"message":"m","code":503}}` + "\n\n", problem.ReasonOverloaded},
		"error code":             {hello + `data: {"error":{"message":"m","code":"rate_limit_exceeded"}}` + "\n\n", problem.ReasonRateLimited},
		"error event":            {hello + "event: error\n" + `data: {"message":"m","type":"overloaded_error"}` + "\n\n", problem.ReasonOverloaded},
		"vLLM's older error":     {hello + `data: {"object":"error","message":"maximum context length is 4096","code":400}` + "\n\n" + done, problem.ReasonContextLength},
		"error, content filter":  {`data: {"error":{"message":"m","code":"content_filter"}}` + "\n\n", problem.ReasonFiltered},
		"arguments without end":  {endlessArguments(), problem.ReasonProtocol},
		"arguments of many":      {manyArguments(), problem.ReasonProtocol},
		"a line without an end":  {"data: " + strings.Repeat("x", 33<<20), problem.ReasonProtocol},
		"more calls than sanity": {"data: " + `{"choices":[{"delta":{"tool_calls":[` + strings.TrimSuffix(manyCalls(), ",") + `]}}]}` + "\n\n", problem.ReasonProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ask(t.Context(), wire{body: strings.NewReader(tc.body)})
			if p := problem.From(err); p.Kind != problem.Upstream || p.Reason != tc.reason || p.Detail != "" {
				t.Errorf("got %v (detail %q), want %s", err, p.Detail, tc.reason)
			}
		})
	}
}

func endlessArguments() string {
	piece := `data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"` + strings.Repeat("x", 64<<10) + `"}}]}}]}` + "\n\n"
	return strings.Repeat(piece, 20)
}

func manyArguments() string {
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, `data: {"choices":[{"delta":{"tool_calls":[{"index":%d,"id":"a%d","function":{"name":"f","arguments":"%s"}}]}}]}`+"\n\n", i, i, strings.Repeat("1", 64<<10))
	}
	return b.String() + `data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}` + "\n\n" + done
}

func manyCalls() string {
	var b strings.Builder
	for i := range 200 {
		b.WriteString(`{"index":` + strings.Repeat("1", 1+i%9) + `,"id":"` + strings.Repeat("a", 1+i) + `","function":{"name":"f"}},`)
	}
	return b.String()
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for name, tc := range map[string]struct {
		status int
		header http.Header
		body   string
		reason string
		retry  [2]time.Duration // bounds
	}{
		"milliseconds":       {status: 429, header: http.Header{"Retry-After-Ms": {"1500"}, "Retry-After": {"9"}}, body: `{"error":{"message":"m"}}`, reason: problem.ReasonRateLimited, retry: [2]time.Duration{1500 * time.Millisecond, 1500 * time.Millisecond}},
		"seconds":            {status: 429, header: http.Header{"Retry-After": {"1.5"}}, reason: problem.ReasonRateLimited, retry: [2]time.Duration{1500 * time.Millisecond, 1500 * time.Millisecond}},
		"date":               {status: 503, header: http.Header{"Retry-After": {in(time.Minute)}}, reason: problem.ReasonOverloaded, retry: [2]time.Duration{50 * time.Second, time.Minute}},
		"date gone by":       {status: 503, header: http.Header{"Retry-After": {in(-time.Minute)}}, reason: problem.ReasonOverloaded},
		"nonsense":           {status: 503, header: http.Header{"Retry-After": {"soon"}}, reason: problem.ReasonOverloaded},
		"NaN":                {status: 503, header: http.Header{"Retry-After": {"NaN"}}, reason: problem.ReasonOverloaded},
		"negative":           {status: 503, header: http.Header{"Retry-After": {"-1"}}, reason: problem.ReasonOverloaded},
		"for ever":           {status: 503, header: http.Header{"Retry-After": {"1e300"}}, reason: problem.ReasonOverloaded, retry: [2]time.Duration{24 * time.Hour, 24 * time.Hour}},
		"a page":             {status: 502, body: "<html>Bad Gateway</html>", reason: problem.ReasonOverloaded},
		"an error sentence":  {status: 400, body: `{"error":"the context window is 4096 tokens"}`, reason: problem.ReasonContextLength},
		"no error object":    {status: 400, body: `{"detail":"no"}`, reason: problem.ReasonBadRequest},
		"empty":              {status: 404, reason: problem.ReasonBadRequest},
		"filtered":           {status: 400, body: `{"error":{"message":"m","code":"content_filter"}}`, reason: problem.ReasonFiltered},
		"numeric code":       {status: 400, body: `{"error":{"message":"m","code":400}}`, reason: problem.ReasonBadRequest},
		"too long, by code":  {status: 400, body: `{"error":{"message":"m","code":"context_length_exceeded"}}`, reason: problem.ReasonContextLength},
		"too long, in words": {status: 422, body: `{"error":{"message":"This model's maximum context length is 8192 tokens"}}`, reason: problem.ReasonContextLength},
		"unprocessable":      {status: 422, body: `{"error":{"message":"m"}}`, reason: problem.ReasonBadRequest},
		"request timeout":    {status: 408, reason: problem.ReasonTimeout},
		"gateway timeout":    {status: 504, reason: problem.ReasonTimeout},
		"529":                {status: 529, reason: problem.ReasonOverloaded},
		"huge":               {status: 500, body: strings.Repeat("x", 10<<20), reason: problem.ReasonServerError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := tc.header
			if header == nil {
				header = http.Header{}
			}
			_, err := ask(t.Context(), wire{status: tc.status, header: header, body: strings.NewReader(tc.body)})
			p := problem.From(err)
			if p.Kind != problem.Upstream || p.Reason != tc.reason || p.Detail != "" || p.Err == nil {
				t.Errorf("got %v (detail %q), want %s", err, p.Detail, tc.reason)
			}
			if p.RetryAfter < tc.retry[0] || p.RetryAfter > tc.retry[1] {
				t.Errorf("retry after %v, want %v", p.RetryAfter, tc.retry)
			}
		})
	}
}

// TestHeldOpen: a server that has finished and keeps the connection is not waited
// for longer than it takes to be polite.
func TestHeldOpen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		most time.Duration
	}{
		"after the end mark": {hello + finish + done, 100 * time.Millisecond},
		"after the finish":   {hello + finish, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				got, err := ask(t.Context(), wire{body: &held{r: strings.NewReader(tc.body)}})
				if d := cmp.Diff(helloEnd, got); d != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, d)
				}
				if took := time.Since(start); took > tc.most {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// held is a body that never ends of itself.
type held struct {
	r   io.Reader
	ctx context.Context
}

func (h *held) under(ctx context.Context) { h.ctx = ctx }

func (h *held) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if err == io.EOF {
		<-h.ctx.Done()
		return n, h.ctx.Err()
	}
	return n, err
}

// TestBodyIsReadToItsEnd: only then does its connection serve the next turn.
func TestBodyIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	body := &watched{r: strings.NewReader(hello + finish + done)}
	if _, err := ask(t.Context(), wire{body: body}); err != nil || !body.ended {
		t.Errorf("read to the end: %v (%v)", body.ended, err)
	}
}

// watched is a body that knows whether its end was seen.
type watched struct {
	r     io.Reader
	ended bool
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.ended = w.ended || err == io.EOF
	return n, err
}

func TestTransportTimeout(t *testing.T) {
	t.Parallel()
	_, err := ask(t.Context(), wire{body: io.MultiReader(strings.NewReader(hello), failing{})})
	if problem.From(err).Reason != problem.ReasonTimeout {
		t.Errorf("got %v, want a timeout", err)
	}
}

// failing is a body whose connection timed out.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, timeout{} }

type timeout struct{ error }

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// TestEnvironmentStaysOutside: what the SDK would take from the environment is the
// platform's, and must not travel to a tenant's own server.
func TestEnvironmentStaysOutside(t *testing.T) {
	for k, v := range map[string]string{
		"OPENAI_API_KEY": "sk-platform", "OPENAI_ADMIN_KEY": "sk-admin", "OPENAI_ORG_ID": "org-platform",
		"OPENAI_PROJECT_ID": "proj-platform", "OPENAI_BASE_URL": "http://platform.test", "OPENAI_CUSTOM_HEADERS": "X-Secret: platform",
	} {
		t.Setenv(k, v)
	}
	var sent string
	_, err := ask(t.Context(), wire{body: strings.NewReader(hello + finish + done), seen: func(r *http.Request) {
		var b strings.Builder
		_ = r.Header.Write(&b)
		sent = r.URL.String() + "\n" + b.String()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sent, "platform") || strings.Contains(sent, "admin") || !strings.Contains(sent, "Bearer sk-test") {
		t.Errorf("sent %s", sent)
	}
}

func TestTokenBoundByServer(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"":                            `"max_completion_tokens":1024`,
		"https://api.openai.com/v1":   `"max_completion_tokens":1024`,
		"http://localhost:11434/v1":   `"max_tokens":1024`,
		"https://openai.example.com/": `"max_tokens":1024`,
	} {
		var sent []byte
		m := openaimodel.New(openaimodel.Config{BaseURL: base, HTTPClient: &http.Client{Transport: wire{
			body: bufio.NewReader(strings.NewReader(hello + finish + done)),
			seen: func(r *http.Request) { sent, _ = io.ReadAll(r.Body) },
		}}})
		for _, err := range m.Stream(t.Context(), tenanttest.Scope("acme"), model.Request{Model: "m"}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if !strings.Contains(string(sent), want) {
			t.Errorf("%q: sent %s, want %s", base, sent, want)
		}
	}
}

func TestSchemaThatIsNotJSONIsOurMistake(t *testing.T) {
	t.Parallel()
	m := openaimodel.New(openaimodel.Config{HTTPClient: &http.Client{Transport: wire{}}})
	for _, err := range m.Stream(t.Context(), tenanttest.Scope("acme"), model.Request{Tools: []model.Tool{{Name: "x", Parameters: []byte("{")}}}) {
		if !problem.Is(err, problem.Internal) || errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
