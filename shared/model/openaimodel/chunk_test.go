package openaimodel_test

import (
	"testing"

	"switchboard/shared/model/openaimodel"
)

// chunks are what servers send; the first ones are the hot shape.
var chunks = []struct {
	data string
	fast bool
}{
	{`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"gpt-5-mini","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" world"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aB3"}` + "\n", true},
	{`{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]}`, true},
	{`{"choices":[{"delta":{"content":"\"quoted\" \ud83d\ude00 \u00fc\n"}}]}`, true},
	{`{"choices":[{"delta":{"content":null}}]}`, true},
	{`{"choices":[{"delta":{}}]}`, true},
	{`{ "usage" : null , "choices" : [ { "delta" : { "content" : "x" } , "index" : 0 } ] } `, true},
	{`{"choices":[{"delta":{"content":"a","reasoning_content":"why"}}]}`, true},
	{`{"choices":[]}`, false},
	{`{"choices":null}`, false},
	{`{"choices":[{"index":1,"delta":{"content":"other"}}]}`, false},
	{`{"choices":[{"index":0.0,"delta":{"content":"x"}}]}`, false},
	{`{"choices":[{"delta":{"content":"a"}}],"choices":[{"delta":{"content":"b"}}]}`, false},
	{`{"choices":[{"delta":{"content":"a","content":"b"}}]}`, false},
	{`{"choices":[{"delta":{"content":"a"},"delta":{}}]}`, false},
	{`{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}`, false},
	{`{"choices":[{"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}`, false},
	{`{"choices":[{"delta":{"refusal":"no"}}]}`, false},
	{`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"n","arguments":"{"}}]}}]}`, false},
	{`{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}`, false},
	{`{"error":{"message":"no"}}`, false},
	{`{"error":null,"choices":[{"delta":{"content":"a"}}]}`, true},
	{`{"choices":[{"delta":{"content":"\ud800"}}]}`, false},
	{"{\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}", false},
	{"{\"choices\":[{\"delta\":{\"content\":\"a\nb\"}}]}", false},
	{`{"\u0063hoices":[{"delta":{"content":"a"}}]}`, false},
	{`{"choices":[{"delta":{"content":"a"}}]}{}`, false},
	{`{"choices":[{"delta":{"content":"a"}}],"created":01}`, false},
	{`{"choices":[{"delta":{"content":"a"}}],"created":1e5}`, false},
	{`{"choices":[{"delta":{"content":"a"}}],"object":nullx}`, false},
	{`{"choices":[{"delta":{"content":"a"}}],"object":5}`, false},
	{`[DONE]`, false}, {``, false}, {`null`, false}, {`{`, false}, {`{}`, false},
}

func TestPlainTextTakesTheHotShape(t *testing.T) {
	t.Parallel()
	for _, c := range chunks {
		if _, ok := openaimodel.PlainText([]byte(c.data)); ok != c.fast {
			t.Errorf("plainText(%s) = %v", c.data, ok)
		}
		agree(t, []byte(c.data))
	}
}

// agree checks the promise of plainText: what it reads, decode reads alike.
func agree(t *testing.T, data []byte) {
	t.Helper()
	got, ok := openaimodel.PlainText(data)
	if !ok {
		return
	}
	want, plain, err := openaimodel.Decode(data)
	if err != nil || !plain || got != want {
		t.Errorf("plainText(%q) = %q; decode says %q (plain %v, %v)", data, got, want, plain, err)
	}
}

func FuzzPlainText(f *testing.F) {
	for _, c := range chunks {
		f.Add([]byte(c.data))
	}
	f.Fuzz(agree)
}
