package anthropicmodel_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"switchboard/shared/model"
	"switchboard/shared/model/anthropicmodel"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// wire is a provider made of one function.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

// answers returns a Model whose provider sends body with the status and headers.
func answers(status int, body io.Reader, header ...string) *anthropicmodel.Model {
	h := http.Header{"Content-Type": {"text/event-stream"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return anthropicmodel.New(anthropicmodel.Config{
		APIKey: "key", BaseURL: "http://provider.test",
		HTTPClient: &http.Client{Transport: wire(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body), Request: r}, nil
		})},
	})
}

func ask(text string) model.Request {
	return model.Request{Model: "claude", Messages: []model.Message{{Role: model.User, Text: text}}}
}

// collect reads a stream to its end.
func collect(ctx context.Context, m model.Model, req model.Request) (parts []model.Part, err error) {
	for p, e := range m.Stream(ctx, tenanttest.Scope("acme"), req) {
		if e != nil {
			err = e
			continue
		}
		if !p.Pause {
			parts = append(parts, p)
		}
	}
	return parts, err
}

func wantReason(t *testing.T, err error, reason string) *problem.Error {
	t.Helper()
	p, ok := errors.AsType[*problem.Error](err)
	if !ok {
		t.Fatalf("error = %v, want an upstream problem (%s)", err, reason)
	}
	if p.Kind != problem.Upstream || p.Reason != reason || p.Detail != "" {
		t.Fatalf("error = %v (detail %q), want upstream (%s) without detail", p, p.Detail, reason)
	}
	return p
}

// TestRecorded reads streams as the provider's documentation shows them.
func TestRecorded(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]model.Part{
		"text": {
			{Usage: &model.Usage{Input: 2095, Output: 1, CachedInput: 2051}},
			{Text: "Hello"}, {Text: "!"},
			{Usage: &model.Usage{Input: 2095, Output: 15, CachedInput: 2051}},
			{Stop: model.StopEnd},
		},
		"thinking_and_tools": {
			{Usage: &model.Usage{Input: 472, Output: 2}},
			{Text: "Okay"}, {Text: ", let's check."},
			{ToolCall: &model.ToolCall{ID: "toolu_01", Name: "get_weather", Arguments: `{"location": "San Francisco, CA"}`}},
			{ToolCall: &model.ToolCall{ID: "toolu_02", Name: "now", Arguments: `{}`}},
			{Usage: &model.Usage{Input: 472, Output: 89}},
			{Stop: model.StopTools},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(filepath.Join("testdata", name+".sse"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, err := collect(t.Context(), answers(200, f), ask("hi"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

const begin = `event: message_start
data: {"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

`

// stopped is a whole answer that ended for the reason.
func stopped(reason string) string {
	return begin + "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" + reason + "\"},\"usage\":{\"output_tokens\":2}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
}

func TestStopReasons(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]model.Stop{
		"end_turn": model.StopEnd, "max_tokens": model.StopLength, "stop_sequence": model.StopSequence,
		"tool_use": model.StopTools, "refusal": model.StopRefused, "pause_turn": model.StopLength,
		"model_context_window_exceeded": model.StopLength, "something_new": model.StopEnd,
	} {
		got, err := collect(t.Context(), answers(200, strings.NewReader(stopped(reason))), ask("hi"))
		if err != nil || got[len(got)-1].Stop != want {
			t.Errorf("%s: %v, %v; want %s", reason, got, err, want)
		}
	}
}

// TestToolCallCutOff: a model that runs out of tokens within a call's arguments has
// not made that call.
func TestToolCallCutOff(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]int{"max_tokens": 0, "tool_use": 1} {
		body := `data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}

data: {"type":"content_block_stop","index":0}

data: {"type":"message_delta","delta":{"stop_reason":"` + reason + `"}}

data: {"type":"message_stop"}

`
		got, err := collect(t.Context(), answers(200, strings.NewReader(body)), ask("hi"))
		if err != nil || len(got) != want+1 {
			t.Errorf("%s: %v, %v; want %d calls and the stop", reason, got, err, want)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status     int
		typ, msg   string
		header     []string
		reason     string
		retryAfter time.Duration
	}{
		{400, "invalid_request_error", "messages: bad", nil, problem.ReasonBadRequest, 0},
		{400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", nil, problem.ReasonContextLength, 0},
		{400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", nil, problem.ReasonAuth, 0},
		{401, "authentication_error", "invalid x-api-key", nil, problem.ReasonAuth, 0},
		{402, "billing_error", "", nil, problem.ReasonAuth, 0},
		{403, "permission_error", "", nil, problem.ReasonAuth, 0},
		{404, "not_found_error", "model: claude", nil, problem.ReasonBadRequest, 0},
		{413, "request_too_large", "", nil, problem.ReasonContextLength, 0},
		{429, "rate_limit_error", "", []string{"Retry-After", "12"}, problem.ReasonRateLimited, 12 * time.Second},
		{429, "rate_limit_error", "", []string{"Retry-After-Ms", "250"}, problem.ReasonRateLimited, 250 * time.Millisecond},
		{500, "api_error", "", nil, problem.ReasonServerError, 0},
		{502, "", "<html>", nil, problem.ReasonOverloaded, 0},
		{504, "timeout_error", "", nil, problem.ReasonTimeout, 0},
		{529, "overloaded_error", "Overloaded", nil, problem.ReasonOverloaded, 0},
	} {
		body := `{"type":"error","error":{"type":"` + tc.typ + `","message":"` + tc.msg + `"},"request_id":"req_1"}`
		if tc.typ == "" {
			body = tc.msg
		}
		parts, err := collect(t.Context(), answers(tc.status, strings.NewReader(body), append(tc.header, "Content-Type", "application/json")...), ask("hi"))
		if p := wantReason(t, err, tc.reason); p.RetryAfter != tc.retryAfter || len(parts) > 0 {
			t.Errorf("%d %s: retry after %v with %d parts, want %v and none", tc.status, tc.typ, p.RetryAfter, len(parts), tc.retryAfter)
		}
	}
}

func TestBrokenStreams(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body   io.Reader
		reason string
	}{
		"overloaded":        {strings.NewReader(begin + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"), problem.ReasonOverloaded},
		"server error":      {strings.NewReader(begin + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"x\"}}\n\n"), problem.ReasonServerError},
		"unnamed error":     {strings.NewReader(begin + "data: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}\n\n"), problem.ReasonRateLimited},
		"no message_stop":   {strings.NewReader(begin), problem.ReasonNetwork},
		"half an event":     {strings.NewReader(begin + "event: message_stop\ndata: {\"type\":\"message"), problem.ReasonNetwork},
		"unfinished event":  {strings.NewReader(begin + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n"), problem.ReasonNetwork},
		"connection reset":  {io.MultiReader(strings.NewReader(begin), broken{}), problem.ReasonNetwork},
		"not JSON":          {strings.NewReader(begin + "data: <html>\n\n"), problem.ReasonProtocol},
		"JSON of the wrong": {strings.NewReader(begin + "data: {\"type\":\"content_block_delta\",\"index\":\"0\"}\n\n"), problem.ReasonProtocol},
		"endless arguments": {endless(`data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f"}}` + "\n\n"), problem.ReasonProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := collect(t.Context(), answers(200, tc.body), ask("hi"))
			wantReason(t, err, tc.reason)
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

// endless is head and then a tool's arguments without end.
func endless(head string) io.Reader {
	piece := `data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"` + strings.Repeat("x", 64<<10) + "\"}}\n\n"
	readers := []io.Reader{strings.NewReader(head)}
	for range 32 {
		readers = append(readers, strings.NewReader(piece))
	}
	return io.MultiReader(readers...)
}

// TestNotAStream: what a proxy or a captive portal answers is no answer, and the
// key does not follow a redirect.
func TestNotAStream(t *testing.T) {
	t.Parallel()
	_, err := collect(t.Context(), answers(200, strings.NewReader("<html>welcome"), "Content-Type", "text/html"), ask("hi"))
	wantReason(t, err, problem.ReasonProtocol)

	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer elsewhere.Close()
	_, err = collect(t.Context(), answers(307, http.NoBody, "Location", elsewhere.URL), ask("hi"))
	wantReason(t, err, problem.ReasonProtocol)
}

func TestCallersContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got error
	for p, err := range answers(200, io.MultiReader(strings.NewReader(begin), blocked{ctx})).Stream(ctx, tenanttest.Scope("acme"), ask("hi")) {
		if p.Text != "" {
			cancel()
		}
		got = err
	}
	if got != context.Canceled {
		t.Errorf("error = %v, want the context's own", got)
	}
}

// blocked says nothing until ctx ends, as the body of an HTTP response does.
type blocked struct{ ctx context.Context }

func (b blocked) Read([]byte) (int, error) { <-b.ctx.Done(); return 0, b.ctx.Err() }

func TestZeroScopeIsRefused(t *testing.T) {
	t.Parallel()
	m := anthropicmodel.New(anthropicmodel.Config{HTTPClient: &http.Client{Transport: wire(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, io.EOF
	})}})
	for _, err := range m.Stream(t.Context(), tenant.Scope{}, ask("hi")) {
		if !problem.Is(err, problem.Internal) {
			t.Errorf("error = %v, want internal", err)
		}
	}
}

// FuzzStream feeds any bytes as a stream: it must end in a Stop or an error, never
// both, and hand out no text that is not in an event.
func FuzzStream(f *testing.F) {
	for _, name := range []string{"text", "thinking_and_tools"} {
		b, err := os.ReadFile(filepath.Join("testdata", name+".sse"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add(stopped("max_tokens"))
	f.Add("event: error\ndata: {\"error\":null}\n\n")
	f.Fuzz(func(t *testing.T, body string) {
		parts, err := collect(t.Context(), answers(200, strings.NewReader(body)), ask("hi"))
		stops := 0
		for i, p := range parts {
			if p.Stop != "" {
				if stops++; i != len(parts)-1 {
					t.Fatalf("part %d of %d is a stop", i, len(parts))
				}
			}
			if p.Usage != nil && (p.Usage.Input < 0 || p.Usage.Output < 0 || p.Usage.CachedInput > p.Usage.Input) {
				t.Fatalf("usage %+v", *p.Usage)
			}
		}
		if (stops == 1) == (err != nil) {
			t.Fatalf("%d stops and error %v", stops, err)
		}
	})
}

// FuzzArguments cuts a call's arguments in two anywhere: what arrives is what was sent.
func FuzzArguments(f *testing.F) {
	f.Add(`{"a":"é\n\"b\""}`, 3)
	f.Add(`{}`, 0)
	f.Add(``, 9)
	f.Fuzz(func(t *testing.T, args string, at int) {
		at = max(0, min(at, len(args)))
		quote := func(s string) string { b, _ := jsontext.AppendQuote(nil, s); return string(b) }
		delta := `data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":`
		body := `data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}` + "\n\n" +
			delta + quote(args[:at]) + "}}\n\n" + delta + quote(args[at:]) + "}}\n\n" +
			`data: {"type":"content_block_stop","index":1}` + "\n\n" + stopped("tool_use")
		parts, err := collect(t.Context(), answers(200, strings.NewReader(body)), ask("hi"))
		if err != nil {
			t.Fatal(err)
		}
		want := unquote(quote(args[:at])) + unquote(quote(args[at:]))
		if want == "" {
			want = "{}"
		}
		for _, p := range parts {
			if p.ToolCall != nil {
				if p.ToolCall.Arguments != want {
					t.Fatalf("arguments %q, want %q", p.ToolCall.Arguments, want)
				}
				return
			}
		}
		t.Fatal("no call")
	})
}

func unquote(s string) string { b, _ := jsontext.AppendUnquote(nil, s); return string(b) }
