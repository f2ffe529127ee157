package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"switchboard/shared/app/apptest"
	"switchboard/shared/model/modeltest"
)

const (
	visit    = `{"assistant":"website","message":"What does a diagnostic visit cost?"}`
	chatPath = "/v1/chat"
)

func want(t *testing.T, a apptest.Answer, status int, pairs ...string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("status %d, want %d: %s", a.Status, status, a.Body)
		return
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if got := a.Get(pairs[i]); got != pairs[i+1] {
			t.Errorf("%s is %q, want %q, in %s", pairs[i], got, pairs[i+1], a.Body)
		}
	}
}

func TestAnAnswerFromKnowledgeIsCited(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	a := s.Post(s.Key(apptest.Alpha), chatPath, visit)
	want(t, a, 200,
		"message.role", "assistant", "memories_used", "[]",
		"citations.0.index", "1", "citations.0.document_id", "fees", "citations.0.passage_id", "fees#visits",
		"citations.0.title", "Fees", "citations.0.heading", "Visits", "citations.0.url", "https://alpha.example/fees",
		"usage.model", "extract", "usage.input_tokens", "0", "usage.cost_microusd", "0")
	if text := a.Get("message.content"); !strings.Contains(text, "$149") || !strings.Contains(text, "[1]") {
		t.Errorf("the answer is %q", text)
	}
	for _, id := range []string{"turn_id", "conversation_id"} {
		if len(a.Get(id)) != 26 {
			t.Errorf("%s is %q", id, a.Get(id))
		}
	}
}

func TestItSaysWhenItDoesNotKnow(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	a := s.Post(s.Key(apptest.Alpha), chatPath, `{"assistant":"website","message":"Do you sell tropical fish?"}`)
	want(t, a, 200, "citations", "[]")
	if text := a.Get("message.content"); !strings.Contains(text, "could not find") {
		t.Errorf("the answer is %q", text)
	}
}

func TestNeighboursAnswerFromTheirOwnKnowledge(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	a := s.Post(s.Key(apptest.Alpha), chatPath, visit)
	b := s.Post(s.Key(apptest.Beta), chatPath, visit)
	if !strings.Contains(a.Body, "alphacanary") || strings.Contains(a.Body, "betacanary") ||
		!strings.Contains(b.Body, "betacanary") || strings.Contains(b.Body, "alphacanary") {
		t.Errorf("alpha: %s\nbeta: %s", a.Body, b.Body)
	}
}

func TestAStreamIsStartDeltasCitationsDone(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: func(modeltest.Call) modeltest.Script {
		return apptest.Says("A visit costs ", "$149 [1].", " \"quoted\"\n")
	}})
	events := s.Stream(s.Key(apptest.Alpha), chatPath, strings.Replace(visit, "{", `{"stream":true,`, 1))
	var names []string
	var text strings.Builder
	for _, e := range events {
		names = append(names, e.Name)
		if e.Name == "delta" {
			text.WriteString(apptest.Get([]byte(e.Data), "text"))
		}
	}
	if got := strings.Join(names, " "); got != "start delta delta delta citation done" {
		t.Fatalf("events: %s", got)
	}
	if text.String() != "A visit costs $149 [1]. \"quoted\"\n" {
		t.Errorf("text %q", text.String())
	}
	start, done := apptest.Answer{Status: 200, Body: events[0].Data}, apptest.Answer{Status: 200, Body: events[5].Data}
	want(t, done, 200, "turn_id", start.Get("turn_id"), "conversation_id", start.Get("conversation_id"),
		"message", `{"role":"assistant"}`, "citations.0.passage_id", "fees#visits",
		"usage.model", "openai/scripted", "usage.input_tokens", "10", "usage.output_tokens", "20")
}

// TestTheLastChunkHasADelta: the official clients read choices[0].delta of every
// chunk that has a choice.
func TestTheLastChunkHasADelta(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: apptest.Echo})
	events := s.Stream(s.Key(apptest.Alpha), "/v1/chat/completions",
		`{"model":"website","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`)
	n := len(events)
	if n < 4 || events[n-1].Data != "[DONE]" {
		t.Fatalf("events: %v", events)
	}
	want(t, apptest.Answer{Status: 200, Body: events[0].Data}, 200, "choices.0.delta.role", "assistant", "choices.0.finish_reason", "")
	want(t, apptest.Answer{Status: 200, Body: events[n-3].Data}, 200, "choices.0.delta", "{}", "choices.0.finish_reason", "stop")
	want(t, apptest.Answer{Status: 200, Body: events[n-2].Data}, 200, "choices", "[]", "usage.total_tokens", "30")
	for _, e := range events[:n-2] {
		if apptest.Get([]byte(e.Data), "choices.0.delta") == "" {
			t.Errorf("a chunk without a delta: %s", e.Data)
		}
	}
}

func TestDeltasArriveWhileTheModelIsTalking(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	s := apptest.Start(t, apptest.Options{Drain: time.Millisecond, Script: func(modeltest.Call) modeltest.Script {
		return append(modeltest.Script{{Text: "first"}, {Text: "second", Wait: gate}}, apptest.Says()...)
	}})
	for _, path := range []string{chatPath, "/v1/chat/completions"} {
		body := `{"assistant":"website","message":"hi","stream":true}`
		if path != chatPath {
			body = `{"model":"website","messages":[{"role":"user","content":"hi"}],"stream":true}`
		}
		res, err := s.Send(t.Context(), s.Key(apptest.Alpha), "POST", path, body)
		if err != nil {
			t.Fatal(err)
		}
		next := apptest.Events(res.Body)
		seen := ""
		for !strings.Contains(seen, "first") {
			e, ok := next()
			if !ok {
				break
			}
			seen += e.Data
		}
		if !strings.Contains(seen, "first") {
			t.Fatalf("%s: %q before the model went on", chatPath, seen)
		}
		res.Body.Close()
	}
}

// A stream's first event names the conversation: from then on it can be read, and
// what is sent to it is told to wait, by its own company alone.
func TestAConversationIsThereFromItsStart(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	s := apptest.Start(t, apptest.Options{Script: func(modeltest.Call) modeltest.Script {
		return append(modeltest.Script{{Text: "Hello", Wait: gate}}, apptest.Says()...)
	}})
	key, neighbor := s.Key(apptest.Alpha), s.Key(apptest.Beta)
	res, err := s.Send(t.Context(), key, "POST", chatPath, `{"assistant":"website","message":"hi","user":{"id":"u1"},"stream":true}`)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	next := apptest.Events(res.Body)
	start, _ := next()
	conv := apptest.Get([]byte(start.Data), "conversation_id")
	path, more := "/v1/conversations/"+conv, fmt.Sprintf(`{"assistant":"website","message":"and?","conversation_id":%q}`, conv)
	want(t, s.Do(key, "GET", path, ""), 200, "messages.0.content", "hi", "messages.0.state", "open", "user.id", "u1")
	want(t, s.Post(key, chatPath, more), 409, "retry_after", "1")
	want(t, s.Post(key, chatPath, strings.Replace(more, "{", `{"user":{"id":"u2"},`, 1)), 404)
	want(t, s.Do(neighbor, "GET", path, ""), 404)
	want(t, s.Post(neighbor, chatPath, more), 404)
	close(gate)
	for e, ok := next(); ok; e, ok = next() {
		start = e
	}
	if start.Name != "done" {
		t.Fatalf("the stream ended in %v", start)
	}
	want(t, s.Do(key, "GET", path, ""), 200, "messages.1.content", "Hello", "messages.1.state", "done")
	want(t, s.Post(key, chatPath, more), 200, "conversation_id", conv)
}

func TestConversationIsRemembered(t *testing.T) {
	t.Parallel()
	o := apptest.Options{Script: apptest.Echo, Data: t.TempDir()}
	s := apptest.Start(t, o)
	key := s.Key(apptest.Alpha)
	first := s.Post(key, chatPath, `{"assistant":"website","message":"I am Ada","user":{"id":"u1","name":"Ada"}}`)
	conv := first.Get("conversation_id")
	say := func(s *apptest.Server, message string) string {
		t.Helper()
		a := s.Post(key, chatPath, fmt.Sprintf(`{"assistant":"website","message":%q,"conversation_id":%q,"user":{"id":"u1"}}`, message, conv))
		want(t, a, 200, "conversation_id", conv)
		calls := s.Provider.Calls()
		return string(calls[len(calls)-1].Body)
	}
	second := say(s, "Who am I?")
	if !strings.Contains(second, "I am Ada") || !strings.Contains(second, "You said: I am Ada") {
		t.Errorf("the model saw %s", second)
	}
	s.Stop()
	s = apptest.Start(t, o) // the window was in the old process
	third := say(s, "And now?")
	if !strings.Contains(third, "I am Ada") || !strings.Contains(third, "Who am I?") {
		t.Errorf("after a restart the model saw %s", third)
	}
	if i, j := strings.Index(third, "I am Ada"), strings.Index(third, "Who am I?"); i > j {
		t.Error("the messages are out of order")
	}
	a := s.Do(key, "GET", "/v1/conversations/"+conv, "")
	want(t, a, 200, "id", conv, "assistant", "website", "user.id", "u1",
		"messages.0.content", "I am Ada", "messages.1.content", "You said: I am Ada", "messages.5.content", "You said: And now?", "next_cursor", "")
}

func TestConversationIsRememberedWithoutRedis(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: apptest.Echo, Env: map[string]string{"REDIS_URL": "redis://127.0.0.1:1"}})
	key := s.Key(apptest.Alpha)
	conv := s.Post(key, chatPath, `{"assistant":"website","message":"I am Ada"}`).Get("conversation_id")
	want(t, s.Post(key, chatPath, fmt.Sprintf(`{"assistant":"website","message":"Who am I?","conversation_id":%q}`, conv)), 200)
	if body := string(s.Provider.Calls()[1].Body); !strings.Contains(body, "I am Ada") {
		t.Errorf("the model saw %s", body)
	}
}

func TestTheWindowIsBounded(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: func(c modeltest.Call) modeltest.Script { return apptest.Says(strings.Repeat("long answer ", 200)) }})
	key := s.Key(apptest.Alpha)
	conv, largest := "", 0
	for i := range 30 {
		a := s.Post(key, chatPath, fmt.Sprintf(`{"assistant":"website","message":"question %d","conversation_id":%q}`, i, conv))
		want(t, a, 200)
		conv = a.Get("conversation_id")
		calls := s.Provider.Calls()
		largest = max(largest, len(calls[len(calls)-1].Body))
	}
	if largest > 32<<10 {
		t.Errorf("a prompt grew to %d bytes", largest)
	}
}

// TestForeignAndUnknownAreTheSame: what is another tenant's, another user's or
// another assistant's answers exactly as what does not exist.
func TestForeignAndUnknownAreTheSame(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	alpha, beta := s.Key(apptest.Alpha), s.Key(apptest.Beta)
	conv := s.Post(alpha, chatPath, strings.Replace(visit, "{", `{"user":{"id":"u1"},`, 1)).Get("conversation_id")
	in := func(conv, more string) string {
		return strings.Replace(visit, "{", fmt.Sprintf(`{"conversation_id":%q,%s`, conv, more), 1)
	}
	unknown := s.Post(alpha, chatPath, in("01JZZZZZZZZZZZZZZZZZZZZZZZ", ""))
	want(t, unknown, 404)
	for name, a := range map[string]apptest.Answer{
		"foreign conversation":        s.Post(beta, chatPath, in(conv, "")),
		"another user's":              s.Post(alpha, chatPath, in(conv, `"user":{"id":"u2"},`)),
		"another assistant's":         s.Post(alpha, chatPath, strings.Replace(in(conv, ""), "website", "chain", 1)),
		"not an id":                   s.Post(alpha, chatPath, in("../alpha", "")),
		"unknown assistant":           s.Post(alpha, chatPath, `{"assistant":"nobody","message":"hi"}`),
		"reading it":                  s.Do(beta, "GET", "/v1/conversations/"+conv, ""),
		"reading an unknown one":      s.Do(beta, "GET", "/v1/conversations/01JZZZZZZZZZZZZZZZZZZZZZZZ", ""),
		"the assistant of a stranger": s.Post(beta, chatPath, `{"assistant":"chain","message":"hi"}`),
	} {
		blank := func(a apptest.Answer) string { return strings.ReplaceAll(a.Body, a.Get("request_id"), "") }
		if a.Status != 404 || blank(a) != blank(unknown) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	want(t, s.Post(alpha, chatPath, in(conv, `"user":{"id":"u1"},`)), 200) // the controls
	want(t, s.Do(alpha, "GET", "/v1/conversations/"+conv, ""), 200)
}

func TestBadInputNamesTheField(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	key := s.Key(apptest.Alpha)
	for _, c := range []struct{ name, path, body, field string }{
		{"malformed", chatPath, `{"assistant":`, "assistant"},
		{"not JSON", chatPath, `hello`, "body"},
		{"empty", chatPath, ``, "body"},
		{"duplicate", chatPath, `{"assistant":"website","message":"a","message":"b"}`, "message"},
		{"case-folded", chatPath, `{"assistant":"website","Message":"a"}`, "Message"},
		{"wrong type", chatPath, `{"assistant":"website","message":["a"]}`, "message"},
		{"nested wrong type", chatPath, `{"assistant":"website","message":"a","user":{"id":7}}`, "user.id"},
		{"unknown", chatPath, `{"assistant":"website","message":"a","tenant":"beta"}`, "tenant"},
		{"no message", chatPath, `{"assistant":"website"}`, "message"},
		{"blank message", chatPath, `{"assistant":"website","message":" \n"}`, "message"},
		{"no assistant", chatPath, `{"message":"a"}`, "assistant"},
		{"no user id", chatPath, `{"assistant":"website","message":"a","user":{}}`, "user.id"},
		{"oversized", chatPath, `{"assistant":"website","message":"` + strings.Repeat("a", 256<<10) + `"}`, "body"},
		{"long message", chatPath, `{"assistant":"website","message":"` + strings.Repeat("a", 33<<10) + `"}`, "message"},
		{"no model", "/v1/chat/completions", `{"messages":[{"role":"user","content":"a"}]}`, "model"},
		{"no messages", "/v1/chat/completions", `{"model":"website","messages":[]}`, "messages"},
		{"role", "/v1/chat/completions", `{"model":"website","messages":[{"role":"king","content":"a"}]}`, "messages.0.role"},
		{"content", "/v1/chat/completions", `{"model":"website","messages":[{"role":"user","content":7}]}`, "messages.0.content"},
		{"image", "/v1/chat/completions", `{"model":"website","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, "messages.0.content.0.type"},
		{"two answers", "/v1/chat/completions", `{"model":"website","n":2,"messages":[{"role":"user","content":"a"}]}`, "n"},
		{"ends with the assistant", "/v1/chat/completions", `{"model":"website","messages":[{"role":"assistant","content":"a"}]}`, "messages"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := s.Post(key, c.path, c.body)
			want(t, a, 400, "field", c.field, "title", "Bad Request", "status", "400")
			if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("content type %q", ct)
			}
			if a.Get("request_id") == "" || (c.path != chatPath && a.Get("error.param") != c.field) {
				t.Errorf("got %s", a.Body)
			}
		})
	}
	t.Run("control", func(t *testing.T) {
		t.Parallel()
		want(t, s.Post(key, chatPath, visit), 200)
		want(t, s.Post(key, "/v1/chat/completions", `{"model":"website","messages":[{"role":"user","content":[{"type":"text","text":"visit cost"}]}]}`), 200)
	})
}
