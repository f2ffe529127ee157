package main_test

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"switchboard/shared/app/apptest"
	"switchboard/shared/model/modeltest"
	"switchboard/shared/seal/kmsseal/kmstest"
)

func refusals(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, apptest.Echo)
	key := r.key(t, project)
	f := r.start(t, longest)
	want(t, f.ask(t, event(t, "chat", key)), 200) // control, and the first to use its Idempotency-Key
	as := func(method string) func(*events.APIGatewayProxyRequest) {
		return func(ev *events.APIGatewayProxyRequest) { ev.HTTPMethod = method }
	}
	for name, c := range map[string]struct {
		event       []byte
		status      int
		kind, field string
	}{
		"a key that nobody has":         {event(t, "chat_bad_key", ""), 401, "unauthenticated", ""},
		"a key of the wrong kind":       {event(t, "chat", "pk"+key[2:]), 401, "unauthenticated", ""},
		"an assistant that is not":      {event(t, "chat_unknown_assistant", key), 404, "not_found", ""},
		"another company's assistant":   {event(t, "chat", r.key(t, "personal-example")), 404, "not_found", ""},
		"a conversation that is not":    {event(t, "conversation", key), 404, "not_found", ""},
		"a body that is none":           {event(t, "chat_malformed", key), 400, "invalid", "message"},
		"a field that is not":           {event(t, "chat", key, says(`{"assistant":"website","massage":"hi"}`)), 400, "invalid", "massage"},
		"nothing asked":                 {event(t, "chat", key, says(`{"assistant":"website"}`)), 400, "invalid", "message"},
		"the same key, another request": {event(t, "chat", key, func(ev *events.APIGatewayProxyRequest) { ev.Body = strings.Replace(ev.Body, "panel", "roof", 1) }), 409, "conflict", ""},
		"a method that is not":          {event(t, "chat", key, as("DELETE")), 405, "invalid", ""},
		"a path that is not":            {event(t, "chat", key, func(ev *events.APIGatewayProxyRequest) { ev.Path = "/v1/chats" }), 404, "not_found", ""},
	} {
		a := f.ask(t, c.event)
		if a.Status != c.status || a.Header.Get("Content-Type") != "application/problem+json" ||
			a.Get("type") != "urn:switchboard:problem:"+c.kind || a.Get("field") != c.field || a.Get("request_id") != a.Header.Get("X-Request-Id") {
			t.Errorf("%s: %d %v %s", name, a.Status, a.Header, a.Body)
		}
	}
	if n := len(r.model.Calls()); n != 1 {
		t.Errorf("the model was called %d times", n)
	}
}

func brokenOff(t *testing.T, bootstrap string) {
	var calls atomic.Int32
	r := newRig(t, bootstrap, func(modeltest.Call) modeltest.Script {
		if calls.Add(1) < 3 {
			return modeltest.Script{{Text: "half an"}, {Cut: true}}
		}
		return apptest.Says("a whole answer")
	})
	key := r.key(t, project)
	f := r.start(t, longest)
	got := stream(t, f.ask(t, event(t, "chat_stream", key)))
	start, last := got[0], apptest.Answer{Status: 200, Body: got[len(got)-1].Data}
	if len(got) != 3 || got[1].Data != `{"text":"half an"}` || got[2].Name != "error" {
		t.Errorf("events %v", got)
	}
	want(t, last, 200, "status", "502", "reason", "network", "turn_id", apptest.Get([]byte(start.Data), "turn_id"))

	got = stream(t, f.ask(t, event(t, "chat_completions_stream", key)))
	if end := got[len(got)-1]; !strings.Contains(end.Data, `"error":{`) || apptest.Get([]byte(end.Data), "error.type") != "api_error" {
		t.Errorf("a completion ended in %v", end)
	}
	got = stream(t, f.ask(t, event(t, "chat_stream", key)))
	want(t, apptest.Answer{Status: 200, Body: got[len(got)-1].Data}, 200, "turn_id", last.Get("turn_id"), "usage.output_tokens", "20")
}

// hold is a provider that says so much and then nothing, once; its later answers
// are whole.
func hold(beginning modeltest.Script) func(modeltest.Call) modeltest.Script {
	var calls atomic.Int32
	return func(modeltest.Call) modeltest.Script {
		if calls.Add(1) == 1 {
			return append(beginning, modeltest.Step{Hang: true})
		}
		return apptest.Says("a whole answer")
	}
}

// deadline lets a function's time run out in the middle of an answer. lambdahost
// ends the turn at half of a time as short as this one.
func deadline(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, hold(modeltest.Script{{Text: "half an"}}))
	key := r.key(t, project)
	f := r.start(t, 4*time.Second)
	resp := f.begin(t, event(t, "chat_stream", key))
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("the stream broke after %q: %v", body, err)
	}
	got := stream(t, apptest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body)})
	if len(got) != 3 || got[0].Name != "start" || got[1].Name != "delta" || got[2].Name != "error" {
		t.Fatalf("events %v", got)
	}
	turn, conversation := apptest.Get([]byte(got[0].Data), "turn_id"), apptest.Get([]byte(got[0].Data), "conversation_id")
	want(t, apptest.Answer{Status: 200, Body: got[2].Data}, 200, "status", "503", "reason", "interrupted", "retry_after", "1", "turn_id", turn)
	read := event(t, "conversation", key, of(conversation))
	want(t, f.ask(t, read), 200, "messages.1.state", "interrupted", "messages.1.content", "half an")
	f.Kill()

	f = r.start(t, longest)
	got = stream(t, f.ask(t, event(t, "chat_stream", key)))
	want(t, apptest.Answer{Status: 200, Body: got[len(got)-1].Data}, 200, "turn_id", turn, "conversation_id", conversation, "usage.output_tokens", "20")
	a := f.ask(t, read)
	want(t, a, 200, "messages.1.state", "done", "messages.1.content", "a whole answer")
	if n := strings.Count(a.Body, `"role"`); n != 2 {
		t.Errorf("%d messages are stored: %s", n, a.Body)
	}
}

func deadlineBuffered(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, hold(nil))
	key := r.key(t, project)
	a := r.start(t, 4*time.Second).ask(t, event(t, "chat", key))
	want(t, a, 503, "reason", "interrupted", "retry_after", "1")
	if a.Header.Get("Retry-After") != "1" || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("header %v", a.Header)
	}
	want(t, r.start(t, longest).ask(t, event(t, "chat", key)), 200, "message.content", "a whole answer")
}

// killed ends a process in the middle of a turn. Until the function's time has run
// out, and a little longer, nobody can tell that from a process still at work: a
// retry waits, and one that has no time to is told to come back.
func killed(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, hold(modeltest.Script{{Text: "half an"}}))
	key := r.key(t, project)
	f := r.start(t, 4*time.Second)
	next := apptest.Events(f.begin(t, event(t, "chat_stream", key)).Body)
	start, _ := next()
	if e, ok := next(); !ok || e.Name != "delta" {
		t.Fatalf("got %v", e)
	}
	f.Kill()
	want(t, r.start(t, 2*time.Second).ask(t, event(t, "chat_stream", key)), 503, "reason", "timeout")
	if n := len(r.model.Calls()); n != 1 {
		t.Errorf("the model was called %d times", n)
	}
	got := stream(t, r.start(t, longest).ask(t, event(t, "chat_stream", key)))
	want(t, apptest.Answer{Status: 200, Body: got[len(got)-1].Data}, 200,
		"turn_id", apptest.Get([]byte(start.Data), "turn_id"), "usage.output_tokens", "20")
}

// staysSmall serves every company from one process, large questions and answers
// among them; how much memory that took is checked when the test ends.
func staysSmall(t *testing.T, bootstrap string) {
	answer := strings.Repeat("A long answer. ", 64<<10/15)
	var parts []string
	for len(answer) > 0 {
		n := min(64, len(answer))
		parts, answer = append(parts, answer[:n]), answer[n:]
	}
	r := newRig(t, bootstrap, func(modeltest.Call) modeltest.Script { return apptest.Says(parts...) })
	f := r.start(t, longest)
	question := strings.Repeat("How much is a panel? ", 30<<10/21)
	for range 5 {
		for _, p := range []string{project, other, "outside-client-a", "personal-example"} {
			key, assistant := r.key(t, p), "website"
			if p == "personal-example" {
				assistant = "coach"
			}
			a := f.ask(t, event(t, "chat", key, says(`{"assistant":"`+assistant+`","stream":true,"message":"`+question+`"}`)))
			if !strings.Contains(a.Body, "event: done") {
				t.Fatalf("%s: %.200s", p, a.Body)
			}
		}
	}
}

// keysAway takes one tenant's key away at KMS, which a new process needs: that tenant
// is told to come back, nobody else notices, and nothing is stored in the clear.
func keysAway(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, apptest.Echo)
	mine, theirs := r.key(t, project), r.key(t, other)
	r.keys.KMS.OnCall(func(c kmstest.Call) string {
		if c.Context["project"] == project {
			return "DisabledException"
		}
		return ""
	})
	f := r.start(t, longest)
	for range 3 {
		a := f.ask(t, event(t, "chat", mine))
		want(t, a, 503)
		if a.Header.Get("Retry-After") == "" || strings.Contains(a.Body, "Disabled") {
			t.Errorf("%v %s", a.Header, a.Body)
		}
		want(t, f.ask(t, event(t, "chat", theirs)), 200)
	}
	if n := len(r.model.Calls()); n != 1 { // the events are one turn, sent again
		t.Errorf("the model was asked %d times", n)
	}
	r.keys.KMS.OnCall(nil)
	want(t, r.start(t, longest).ask(t, event(t, "chat", mine)), 200) // and when it is back
}

// unopened starts the function with what it needs left out: clients are told to
// come back, and the log says what is missing.
func unopened(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, nil)
	key := r.key(t, project)
	f := r.start(t, longest, "SWITCHBOARD_TABLE=")
	a := f.ask(t, event(t, "chat", key))
	want(t, a, 503)
	if a.Header.Get("Content-Type") != "application/problem+json" || a.Header.Get("Retry-After") == "" || strings.Contains(a.Body, "SWITCHBOARD") {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	f.Kill()
	if !strings.Contains(f.Logs(), "SWITCHBOARD_TABLE is not set") {
		t.Errorf("the log says\n%s", f.Logs())
	}
}
