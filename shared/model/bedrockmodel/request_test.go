package bedrockmodel_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"switchboard/shared/model"
	"switchboard/shared/problem"
)

// sent is the request that req becomes.
func sent(t *testing.T, req model.Request) (*http.Request, string) {
	t.Helper()
	var got *http.Request
	var body []byte
	m := overWire(func(r *http.Request) (*http.Response, error) {
		got = r
		body, _ = io.ReadAll(r.Body)
		return nil, io.EOF
	})
	if _, err := collect(t.Context(), m, req); got == nil {
		t.Fatal("nothing was sent: ", err)
	}
	return got, string(body)
}

func TestRequestPath(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"us.anthropic.claude-haiku-4-5-20251001-v1:0":                    "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse-stream",
		"arn:aws:bedrock:us-east-1:1:application-inference-profile/abc1": "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc1/converse-stream",
	} {
		req := ask("hi")
		req.Model = id
		r, _ := sent(t, req)
		if got := r.URL.EscapedPath(); r.Method != "POST" || got != want {
			t.Errorf("%s %s, want %s", r.Method, got, want)
		}
		if a := r.Header.Get("Authorization"); !strings.HasPrefix(a, "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/") || !strings.Contains(a, "/us-east-1/bedrock/") {
			t.Errorf("Authorization: %s", a)
		}
	}
}

func TestRequestBody(t *testing.T) {
	t.Parallel()
	hi := []model.Message{{Role: model.User, Text: "hi"}}
	used := []model.Message{
		{Role: model.Assistant, Text: "How can I help?"},
		{Role: model.User, Text: "book"},
		{Role: model.Assistant, Text: "one moment", ToolCalls: []model.ToolCall{{ID: "t1", Name: "book", Arguments: `{"day":1}`}, {ID: "t2", Name: "look", Arguments: `{"day":`}}},
		{Role: model.ToolRole, ToolCallID: "t1", Text: "done"},
		{Role: model.ToolRole, ToolCallID: "t2"},
		{Role: model.User, Text: "and?"},
	}
	schema := `{"type":"object","properties":{"day":{"type":"integer","maximum":9007199254740993}}}`
	tools := []model.Tool{{Name: "book", Description: "Books.", Parameters: []byte(schema)}, {Name: "look"}}
	specs := `"tools":[{"toolSpec":{"name":"book","description":"Books.","inputSchema":{"json":` + schema + `}}},{"toolSpec":{"name":"look","inputSchema":{"json":{"type":"object","properties":{}}}}}]`
	temperature, topP := 1.5, 0.5
	for name, tc := range map[string]struct {
		req  model.Request
		want string
	}{
		"plain": {model.Request{Model: "m", Messages: hi},
			`{"inferenceConfig":{"maxTokens":1024},"messages":[{"role":"user","content":[{"text":"hi"}]}]}`},
		"everything": {model.Request{Model: "m", System: "Be brief.", Messages: hi, MaxOutputTokens: 5, Temperature: &temperature, TopP: &topP, StopSequences: []string{"\n", "END"}},
			`{"inferenceConfig":{"maxTokens":5,"temperature":1,"topP":0.5,"stopSequences":["END"]},"system":[{"text":"Be brief."}],"messages":[{"role":"user","content":[{"text":"hi"}]}]}`},
		"tools": {model.Request{Model: "m", Messages: hi, Tools: tools, ToolChoice: "required"},
			`{"inferenceConfig":{"maxTokens":1024},"messages":[{"role":"user","content":[{"text":"hi"}]}],"toolConfig":{` + specs + `,"toolChoice":{"any":{}}}}`},
		"one tool": {model.Request{Model: "m", Messages: hi, Tools: tools, ToolChoice: "look"},
			`{"inferenceConfig":{"maxTokens":1024},"messages":[{"role":"user","content":[{"text":"hi"}]}],"toolConfig":{` + specs + `,"toolChoice":{"tool":{"name":"look"}}}}`},
		"tools used": {model.Request{Model: "m", Messages: used, Tools: tools},
			`{"inferenceConfig":{"maxTokens":1024},"messages":[` +
				`{"role":"user","content":[{"text":"book"}]},` +
				`{"role":"assistant","content":[{"text":"one moment"},{"toolUse":{"toolUseId":"t1","name":"book","input":{"day":1}}},{"toolUse":{"toolUseId":"t2","name":"look","input":{}}}]},` +
				`{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"done"}]}},{"toolResult":{"toolUseId":"t2","content":[{"text":"(nothing)"}]}},{"text":"and?"}]}],` +
				`"toolConfig":{` + specs + `}}`},
		"tools used, none allowed": {model.Request{Model: "m", Messages: used, Tools: tools, ToolChoice: "none"},
			`{"inferenceConfig":{"maxTokens":1024},"messages":[` +
				`{"role":"user","content":[{"text":"book"}]},` +
				`{"role":"assistant","content":[{"text":"one moment"},{"text":"[called book with {\"day\":1}]"},{"text":"[called look with {\"day\":]"}]},` +
				`{"role":"user","content":[{"text":"[book returned: done]"},{"text":"[look returned: ]"},{"text":"and?"}]}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got := sent(t, tc.req)
			if d := cmp.Diff(canonical(tc.want), canonical(got)); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

// canonical is s indented, with names in order. Numbers stay as they are.
func canonical(s string) string {
	v := jsontext.Value(s)
	_ = v.Format(jsontext.ReorderRawObjects(true), jsontext.Multiline(true))
	return string(v)
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
