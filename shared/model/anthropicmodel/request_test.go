package anthropicmodel_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"switchboard/shared/model"
	"switchboard/shared/model/anthropicmodel"
	"switchboard/shared/problem"
)

// sent is the request that req becomes.
func sent(t *testing.T, req model.Request) (*http.Request, string) {
	t.Helper()
	var got *http.Request
	var body []byte
	m := anthropicmodel.New(anthropicmodel.Config{
		APIKey: "key", BaseURL: "http://provider.test/gateway",
		HTTPClient: &http.Client{Transport: wire(func(r *http.Request) (*http.Response, error) {
			got = r
			body, _ = io.ReadAll(r.Body)
			return nil, io.EOF
		})},
	})
	if _, err := collect(t.Context(), m, req); got == nil {
		t.Fatal("nothing was sent: ", err)
	}
	return got, string(body)
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	r, _ := sent(t, ask("hi"))
	if r.Method != "POST" || r.URL.String() != "http://provider.test/gateway/v1/messages" {
		t.Errorf("%s %s", r.Method, r.URL)
	}
	for name, want := range map[string]string{"X-Api-Key": "key", "Anthropic-Version": "2023-06-01", "Content-Type": "application/json", "Authorization": ""} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestEnvironmentIsNotRead: the platform's credentials must not travel to the
// provider of a tenant that brings its own.
func TestEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "platform")
	t.Setenv("ANTHROPIC_AUTH_TOKEN", "platform")
	t.Setenv("ANTHROPIC_BASE_URL", "http://platform.test")
	t.Setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Platform: platform")
	r, _ := sent(t, ask("hi"))
	if r.URL.Host != "provider.test" {
		t.Errorf("sent to %s", r.URL.Host)
	}
	for name, values := range r.Header {
		if strings.Contains(strings.Join(values, ""), "platform") {
			t.Errorf("%s: %q", name, values)
		}
	}
}

func TestRequestBody(t *testing.T) {
	t.Parallel()
	hi := []model.Message{{Role: model.User, Text: "hi"}}
	used := []model.Message{
		{Role: model.User, Text: "book"},
		{Role: model.Assistant, Text: "one moment", ToolCalls: []model.ToolCall{{ID: "t1", Name: "book", Arguments: `{"day":1}`}, {ID: "t2", Name: "look", Arguments: `{"day":`}}},
		{Role: model.ToolRole, ToolCallID: "t1", Text: "done"},
		{Role: model.ToolRole, ToolCallID: "t2"},
		{Role: model.User, Text: "and?"},
	}
	tools := []model.Tool{{Name: "book", Description: "Books.", Parameters: []byte(`{"type":"object","properties":{"day":{"type":"integer","minimum":1}}}`)}, {Name: "look"}}
	temperature, topP := 1.5, 0.5
	for name, tc := range map[string]struct {
		req  model.Request
		want string
	}{
		"plain": {model.Request{Model: "claude", Messages: hi},
			`{"model":"claude","max_tokens":1024,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"stream":true}`},
		"everything": {model.Request{Model: "claude-haiku-4-5", System: "Be brief.", Messages: hi, MaxOutputTokens: 5, Temperature: &temperature, TopP: &topP, StopSequences: []string{"\n", "END"}},
			`{"model":"claude-haiku-4-5","max_tokens":5,"system":"Be brief.","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"temperature":1,"stop_sequences":["END"],"stream":true}`},
		"tools": {model.Request{Model: "claude", Messages: hi, Tools: tools, ToolChoice: "required"},
			`{"model":"claude","max_tokens":1024,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],` +
				`"tools":[{"name":"book","description":"Books.","input_schema":{"type":"object","properties":{"day":{"type":"integer","minimum":1}}}},{"name":"look","input_schema":{"type":"object","properties":{}}}],` +
				`"tool_choice":{"type":"any"},"stream":true}`},
		"tools used, none offered": {model.Request{Model: "claude", Messages: used},
			`{"model":"claude","max_tokens":1024,"messages":[` +
				`{"role":"user","content":[{"type":"text","text":"book"}]},` +
				`{"role":"assistant","content":[{"type":"text","text":"one moment"},{"type":"tool_use","id":"t1","name":"book","input":{"day":1}},{"type":"tool_use","id":"t2","name":"look","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"done"},{"type":"tool_result","tool_use_id":"t2"},{"type":"text","text":"and?"}]}],` +
				`"tools":[{"name":"book","input_schema":{"type":"object","properties":{}}},{"name":"look","input_schema":{"type":"object","properties":{}}}],` +
				`"tool_choice":{"type":"none"},"stream":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got := sent(t, tc.req)
			if d := cmp.Diff(indent(tc.want), indent(got)); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func indent(s string) string {
	v := jsontext.Value(s)
	_ = v.Indent()
	return string(v)
}

func TestToolChoice(t *testing.T) {
	t.Parallel()
	for choice, want := range map[string]string{
		"": "", "auto": "", "none": `"tool_choice":{"type":"none"}`, "required": `"tool_choice":{"type":"any"}`,
		"look": `"tool_choice":{"type":"tool","name":"look"}`,
	} {
		req := ask("hi")
		req.Tools, req.ToolChoice = []model.Tool{{Name: "look"}}, choice
		if _, body := sent(t, req); !strings.Contains(body, want) || (want == "") == strings.Contains(body, "tool_choice") {
			t.Errorf("%q: %s; want %s", choice, body, want)
		}
	}
}

// TestBrokenSchema: a tool's schema that is not JSON is our mistake.
func TestBrokenSchema(t *testing.T) {
	t.Parallel()
	req := ask("hi")
	req.Tools = []model.Tool{{Name: "look", Parameters: []byte(`{"type":`)}}
	if _, err := collect(t.Context(), answers(200, http.NoBody), req); !problem.Is(err, problem.Internal) {
		t.Errorf("error = %v, want internal", err)
	}
}
