package bedrockmodel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"switchboard/shared/model"
	"switchboard/shared/model/bedrockmodel"
	"switchboard/shared/problem"
	"switchboard/shared/tenant/tenanttest"
)

// wire is a provider made of one function.
type wire func(*http.Request) (*http.Response, error)

func (w wire) Do(r *http.Request) (*http.Response, error) { return w(r) }

func overWire(w wire) *bedrockmodel.Model {
	cfg := account()
	cfg.HTTPClient = w
	return bedrockmodel.New(bedrockmodel.Config{AWS: cfg, BaseEndpoint: "http://provider.test"})
}

// answers returns a Model whose provider sends body with the status and headers.
func answers(status int, body io.Reader, header ...string) *bedrockmodel.Model {
	return overWire(func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/vnd.amazon.eventstream"}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body), Request: r}, nil
	})
}

// frames renders frames, each given as "event-type payload" or "!exception payload".
func frames(lines ...string) []byte {
	var b bytes.Buffer
	for _, line := range lines {
		name, payload, _ := strings.Cut(line, " ")
		h := eventstream.Headers{}
		if exception, ok := strings.CutPrefix(name, "!"); ok {
			h.Set(":message-type", eventstream.StringValue("exception"))
			h.Set(":exception-type", eventstream.StringValue(exception))
		} else {
			h.Set(":message-type", eventstream.StringValue("event"))
			h.Set(":event-type", eventstream.StringValue(name))
		}
		if err := eventstream.NewEncoder().Encode(&b, eventstream.Message{Headers: h, Payload: []byte(payload)}); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
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

// TestRecorded reads a stream as the provider sends it: padding, thinking, and the
// counts after the end.
func TestRecorded(t *testing.T) {
	t.Parallel()
	got, err := collect(t.Context(), answers(200, bytes.NewReader(frames(
		`messageStart {"p":"abcdefghijk","role":"assistant"}`,
		`contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm."}},"p":"abc"}`,
		`contentBlockStop {"contentBlockIndex":0,"p":"abcdefgh"}`,
		`contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"One"},"p":"abcdefghijklmnop"}`,
		`contentBlockDelta {"contentBlockIndex":1,"delta":{"text":" moment."},"p":"abcd"}`,
		`contentBlockStop {"contentBlockIndex":1,"p":"a"}`,
		`contentBlockStart {"contentBlockIndex":2,"p":"ab","start":{"toolUse":{"name":"book","toolUseId":"tooluse_1"}}}`,
		`contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":""}},"p":"abc"}`,
		`contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"day\": "}},"p":"abc"}`,
		`contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":"\"Monday\"}"}},"p":"abc"}`,
		`contentBlockStop {"contentBlockIndex":2,"p":"abc"}`,
		`somethingNew {"anything":[1,2]}`,
		`messageStop {"p":"abcdef","stopReason":"tool_use"}`,
		`metadata {"metrics":{"latencyMs":871},"p":"abcdefghijklmnopqrs","usage":{"cacheReadInputTokens":2048,"cacheWriteInputTokens":16,"inputTokens":11,"outputTokens":42,"serverToolUsage":{},"totalTokens":2117}}`,
	))), ask("hi"))
	if err != nil {
		t.Fatal(err)
	}
	want := []model.Part{
		{Text: "One"}, {Text: " moment."},
		{ToolCall: &model.ToolCall{ID: "tooluse_1", Name: "book", Arguments: `{"day": "Monday"}`}},
		{Usage: &model.Usage{Input: 2075, Output: 42, CachedInput: 2048}},
		{Stop: model.StopTools},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

const (
	hi    = `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"Hi"}}`
	usage = `metadata {"usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}`
)

func stopped(reason string) string { return `messageStop {"stopReason":"` + reason + `"}` }

func TestStopReasons(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]model.Stop{
		"end_turn": model.StopEnd, "max_tokens": model.StopLength, "stop_sequence": model.StopSequence,
		"tool_use": model.StopTools, "content_filtered": model.StopFiltered, "guardrail_intervened": model.StopFiltered,
		"refusal": model.StopRefused, "model_context_window_exceeded": model.StopLength, "something_new": model.StopEnd,
	} {
		got, err := collect(t.Context(), answers(200, bytes.NewReader(frames(hi, stopped(reason), usage))), ask("hi"))
		if err != nil || got[len(got)-1].Stop != want {
			t.Errorf("%s: %v, %v; want %s", reason, got, err, want)
		}
	}
	for _, reason := range []string{"malformed_model_output", "malformed_tool_use"} {
		_, err := collect(t.Context(), answers(200, bytes.NewReader(frames(hi, stopped(reason), usage))), ask("hi"))
		wantReason(t, err, problem.ReasonProtocol)
	}
}

// TestWholeWithoutUsage: what the provider has finished is not lost because its
// counts are.
func TestWholeWithoutUsage(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]io.Reader{
		"end":       bytes.NewReader(frames(hi, stopped("end_turn"))),
		"cut":       io.MultiReader(bytes.NewReader(frames(hi, stopped("end_turn"))), broken{}),
		"exception": bytes.NewReader(frames(hi, stopped("end_turn"), `!internalServerException {"message":"x"}`)),
	} {
		got, err := collect(t.Context(), answers(200, body), ask("hi"))
		if err != nil || got[len(got)-1].Stop != model.StopEnd {
			t.Errorf("%s: %v, %v; want an end", name, got, err)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

func TestBrokenStreams(t *testing.T) {
	t.Parallel()
	spoilt := frames(hi, stopped("end_turn"))
	spoilt[len(spoilt)-1] ^= 1
	huge := bytes.Clone(frames(hi))
	huge[0] = 0xff
	errorFrame := eventstream.Headers{}
	errorFrame.Set(":message-type", eventstream.StringValue("error"))
	errorFrame.Set(":error-code", eventstream.StringValue("InternalFailure"))
	var unmodeled bytes.Buffer
	_ = eventstream.NewEncoder().Encode(&unmodeled, eventstream.Message{Headers: errorFrame})
	for name, tc := range map[string]struct {
		body   io.Reader
		reason string
	}{
		"throttled":         {bytes.NewReader(frames(hi, `!throttlingException {"message":"x"}`)), problem.ReasonRateLimited},
		"model error":       {bytes.NewReader(frames(hi, `!modelStreamErrorException {"message":"x","originalStatusCode":500}`)), problem.ReasonServerError},
		"server error":      {bytes.NewReader(frames(hi, `!internalServerException {"message":"x"}`)), problem.ReasonServerError},
		"unavailable":       {bytes.NewReader(frames(hi, `!serviceUnavailableException {"message":"x"}`)), problem.ReasonOverloaded},
		"model timeout":     {bytes.NewReader(frames(hi, `!modelTimeoutException {"message":"x"}`)), problem.ReasonTimeout},
		"validation":        {bytes.NewReader(frames(hi, `!validationException {"message":"x"}`)), problem.ReasonBadRequest},
		"too long":          {bytes.NewReader(frames(`!validationException {"message":"Input is too long for requested model."}`)), problem.ReasonContextLength},
		"unknown exception": {bytes.NewReader(frames(hi, `!somethingNewException not JSON`)), problem.ReasonServerError},
		"error message":     {bytes.NewReader(unmodeled.Bytes()), problem.ReasonServerError},
		"nothing":           {http.NoBody, problem.ReasonNetwork},
		"no messageStop":    {bytes.NewReader(frames(hi, usage)), problem.ReasonNetwork},
		"half a frame":      {bytes.NewReader(frames(hi, stopped("end_turn"))[:len(spoilt)-7]), problem.ReasonNetwork},
		"half a prelude":    {bytes.NewReader(append(frames(hi), 0, 0, 0, 99)), problem.ReasonNetwork},
		"connection reset":  {io.MultiReader(bytes.NewReader(frames(hi)), broken{}), problem.ReasonNetwork},
		"wrong checksum":    {bytes.NewReader(spoilt), problem.ReasonProtocol},
		"wrong length":      {bytes.NewReader(huge), problem.ReasonProtocol},
		"not JSON":          {bytes.NewReader(frames(hi, `contentBlockDelta <html>`)), problem.ReasonProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := collect(t.Context(), answers(200, tc.body), ask("hi"))
			wantReason(t, err, tc.reason)
		})
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status     int
		code, msg  string
		header     []string
		reason     string
		retryAfter time.Duration
	}{
		{400, "ValidationException", "bad", nil, problem.ReasonBadRequest, 0},
		{400, "ValidationException", "Input is too long for requested model.", nil, problem.ReasonContextLength, 0},
		{400, "ThrottlingException", "", nil, problem.ReasonRateLimited, 0},
		{400, "ServiceQuotaExceededException", "", nil, problem.ReasonRateLimited, 0},
		{403, "AccessDeniedException", "", nil, problem.ReasonAuth, 0},
		{403, "UnrecognizedClientException", "", nil, problem.ReasonAuth, 0},
		{403, "ExpiredTokenException", "", nil, problem.ReasonAuth, 0},
		{403, "InvalidSignatureException", "", nil, problem.ReasonAuth, 0},
		{404, "ResourceNotFoundException", "", nil, problem.ReasonBadRequest, 0},
		{408, "ModelTimeoutException", "", nil, problem.ReasonTimeout, 0},
		{424, "ModelErrorException", "", nil, problem.ReasonServerError, 0},
		{429, "ThrottlingException", "", []string{"Retry-After", "12"}, problem.ReasonRateLimited, 12 * time.Second},
		{429, "ModelNotReadyException", "", nil, problem.ReasonOverloaded, 0},
		{500, "InternalServerException", "", nil, problem.ReasonServerError, 0},
		{503, "ServiceUnavailableException", "", []string{"Retry-After", "3"}, problem.ReasonOverloaded, 3 * time.Second},
		{502, "", "<html>", nil, problem.ReasonOverloaded, 0},
		{307, "", "", []string{"Location", "http://elsewhere.test"}, problem.ReasonProtocol, 0},
	} {
		body := `{"message":"` + tc.msg + `"}`
		header := append(tc.header, "Content-Type", "application/json", "X-Amzn-ErrorType", tc.code+":http://internal.amazon.com/coral/com.amazon.bedrock/")
		if tc.code == "" {
			body, header = tc.msg, tc.header
		}
		parts, err := collect(t.Context(), answers(tc.status, strings.NewReader(body), header...), ask("hi"))
		if p := wantReason(t, err, tc.reason); p.RetryAfter != tc.retryAfter || len(parts) > 0 {
			t.Errorf("%d %s: retry after %v with %d parts, want %v and none", tc.status, tc.code, p.RetryAfter, len(parts), tc.retryAfter)
		}
	}
	_, err := collect(t.Context(), answers(200, strings.NewReader("<html>welcome"), "Content-Type", "text/html"), ask("hi"))
	wantReason(t, err, problem.ReasonProtocol)
}

// TestBodiesAreClosed: a body left open is a connection lost.
func TestBodiesAreClosed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   []byte
		header string
	}{
		"answer":  {200, frames(hi, stopped("end_turn"), usage), "application/vnd.amazon.eventstream"},
		"broken":  {200, frames(hi), "application/vnd.amazon.eventstream"},
		"page":    {200, []byte("<html>"), "text/html"},
		"refusal": {429, []byte(`{"message":"x"}`), "application/json"},
		"garbage": {500, []byte(`<html>`), "text/html"},
	} {
		body := &closing{Reader: bytes.NewReader(tc.body)}
		_, _ = collect(t.Context(), overWire(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: tc.status, Header: http.Header{"Content-Type": {tc.header}}, Body: body, Request: r}, nil
		}), ask("hi"))
		if !body.closed {
			t.Errorf("%s: the body is open", name)
		}
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

// TestNoAccess: what fails before anything is sent is about our access.
func TestNoAccess(t *testing.T) {
	t.Parallel()
	never := wire(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, io.EOF
	})
	none := account()
	none.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no role")
	})
	nowhere := account()
	nowhere.Region = ""
	for name, cfg := range map[string]aws.Config{"no credentials": none, "no region": nowhere} {
		cfg.HTTPClient = never
		_, err := collect(t.Context(), bedrockmodel.New(bedrockmodel.Config{AWS: cfg}), ask("hi"))
		if p := wantReason(t, err, problem.ReasonAuth); p.Err == nil {
			t.Errorf("%s: the cause is lost", name)
		}
	}
}

// TestEnvironmentIsNotRead: the platform's token must not be used in the place of
// the credentials of a tenant's own account.
func TestEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("AWS_BEARER_TOKEN_BEDROCK", "platform")
	m := overWire(func(r *http.Request) (*http.Response, error) {
		if a := r.Header.Get("Authorization"); !strings.HasPrefix(a, "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/") {
			t.Errorf("Authorization: %s", a)
		}
		return nil, io.EOF
	})
	_, err := collect(t.Context(), m, ask("hi"))
	wantReason(t, err, problem.ReasonNetwork)
}

// TestNoGoroutineIsLeft reads, breaks and fails many times over.
func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 50 {
		for range answers(200, bytes.NewReader(frames(hi, hi, hi))).Stream(t.Context(), tenanttest.Scope("acme"), ask("hi")) {
			break
		}
		_, _ = collect(t.Context(), answers(200, bytes.NewReader(frames(hi, `!throttlingException {}`))), ask("hi"))
		_, _ = collect(t.Context(), answers(200, bytes.NewReader(frames(hi, stopped("end_turn"), usage))), ask("hi"))
	}
	if after := runtime.NumGoroutine(); after > before+5 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

// FuzzStream feeds any bytes as frames, and any payload as an event: it must end in
// a Stop or an error, never both.
func FuzzStream(f *testing.F) {
	f.Add(frames(hi, stopped("end_turn"), usage), "contentBlockStart", `{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"a","name":"b"}}}`)
	f.Add([]byte{0, 0, 0, 16}, "messageStop", `{"stopReason":null}`)
	f.Add([]byte{}, "!validationException", `{"message":1}`)
	f.Fuzz(func(t *testing.T, raw []byte, name, payload string) {
		if len(name) > 200 {
			return
		}
		for _, body := range [][]byte{raw, append(frames(hi, strings.ReplaceAll(name, " ", "_")+" "+payload), raw...)} {
			parts, err := collect(t.Context(), answers(200, bytes.NewReader(body)), ask("hi"))
			stops := 0
			for i, p := range parts {
				if p.Stop != "" {
					if stops++; i != len(parts)-1 {
						t.Fatalf("part %d of %d is a stop", i, len(parts))
					}
				}
			}
			if (stops == 1) == (err != nil) {
				t.Fatalf("%d stops and error %v", stops, err)
			}
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
		unquote := func(s string) string { b, _ := jsontext.AppendUnquote(nil, s); return string(b) }
		delta := `contentBlockDelta {"contentBlockIndex":1,"delta":{"toolUse":{"input":%s}}}`
		parts, err := collect(t.Context(), answers(200, bytes.NewReader(frames(
			`contentBlockStart {"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}`,
			fmt.Sprintf(delta, quote(args[:at])), fmt.Sprintf(delta, quote(args[at:])),
			`contentBlockStop {"contentBlockIndex":1}`, stopped("tool_use"), usage))), ask("hi"))
		if err != nil || len(parts) != 3 || parts[0].ToolCall == nil && parts[1].ToolCall == nil {
			t.Fatal(parts, err)
		}
		want := unquote(quote(args[:at])) + unquote(quote(args[at:]))
		if want == "" {
			want = "{}"
		}
		for _, p := range parts {
			if p.ToolCall != nil && p.ToolCall.Arguments != want {
				t.Fatalf("arguments %q, want %q", p.ToolCall.Arguments, want)
			}
		}
	})
}
