package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	integrations "switchboard/company-integrations"
	"switchboard/shared/app"
	"switchboard/shared/app/apptest"
	"switchboard/shared/app/local"
	"switchboard/shared/model"
	"switchboard/shared/model/modeltest"
	"switchboard/shared/tenant/auth"
)

// tokensArrive lets the model go on only when its first words have been read.
func tokensArrive(t *testing.T, bootstrap string) {
	gate := make(chan struct{})
	r := newRig(t, bootstrap, func(modeltest.Call) modeltest.Script {
		return modeltest.Script{{Text: "Yes, "}, {Text: "we do [1].", Wait: gate}, {Usage: &model.Usage{Input: 1000, Output: 100}}, {Stop: model.StopEnd}}
	})
	key := r.key(t, project)
	resp := r.start(t, longest).begin(t, event(t, "chat_stream", key))
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream; charset=utf-8" {
		t.Fatalf("got %d %v", resp.StatusCode, resp.Header)
	}
	next := apptest.Events(resp.Body)
	start, _ := next()
	first, _ := next()
	if start.Name != "start" || first != (apptest.Event{Name: "delta", Data: `{"text":"Yes, "}`}) {
		t.Fatalf("before the gate: %v, %v", start, first)
	}
	close(gate)
	var names []string
	last := first
	for e, ok := next(); ok; e, ok = next() {
		names, last = append(names, e.Name), e
	}
	if d := cmp.Diff([]string{"delta", "citation", "done"}, names); d != "" {
		t.Errorf("after the gate (-want +got):\n%s", d)
	}
	want(t, apptest.Answer{Status: 200, Body: last.Data}, 200, "turn_id", apptest.Get([]byte(start.Data), "turn_id"),
		"citations.0.document_id", "panel-upgrades", "usage.model", "openai/scripted", "usage.input_tokens", "1000", "usage.output_tokens", "100")
	if _, err := resp.Body.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the stream ended with %v", err)
	}
	if calls := r.model.Calls(); len(calls) != 1 || calls[0].User != asked || !strings.Contains(calls[0].System, "Lenhart Electric") {
		t.Errorf("the model was asked %v", calls)
	}
}

func buffered(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, apptest.Echo)
	key := r.key(t, project)
	f := r.start(t, longest)
	a := f.ask(t, event(t, "chat", key))
	want(t, a, 200, "message.content", "You said: "+asked, "usage.input_tokens", "10", "usage.output_tokens", "20", "citations", "[]")
	if a.Header.Get("Content-Type") != "application/json" || a.Header.Get("X-Request-Id") != "0d3c7f5e-6a51-4a39-9d55-1c7f3b0f6a01" {
		t.Errorf("header %v", a.Header)
	}
	if again := f.ask(t, event(t, "chat", key)); again.Body != a.Body || len(r.model.Calls()) != 1 {
		t.Errorf("sent again it is %s, after %d calls of the model", again.Body, len(r.model.Calls()))
	}
	want(t, f.ask(t, event(t, "conversation", key, of(a.Get("conversation_id")))), 200,
		"messages.0.content", asked, "messages.1.content", "You said: "+asked, "messages.1.state", "done", "user.name", "Dana")
	// To another company it is not there.
	want(t, f.ask(t, event(t, "conversation", r.key(t, other), of(a.Get("conversation_id")))), 404)
}

func completions(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, apptest.Echo)
	key := r.key(t, project)
	f := r.start(t, longest)
	want(t, f.ask(t, event(t, "chat_completions", key)), 200, "object", "chat.completion", "model", "website",
		"choices.0.message.content", "You said: "+asked, "choices.0.finish_reason", "stop", "usage.total_tokens", "30")
	var text, finish, usage, last string
	for _, e := range stream(t, f.ask(t, event(t, "chat_completions_stream", key))) {
		data := []byte(e.Data)
		text += apptest.Get(data, "choices.0.delta.content")
		if last = e.Data; last == "[DONE]" {
			continue
		}
		if s := apptest.Get(data, "choices.0.finish_reason"); s != "null" && s != "" {
			finish = s
		}
		if s := apptest.Get(data, "usage.total_tokens"); s != "" {
			usage = s
		}
	}
	if text != "You said: "+asked || finish != "stop" || usage != "30" || last != "[DONE]" {
		t.Errorf("streamed %q, finish %q, usage %s, last %q", text, finish, usage, last)
	}
	want(t, f.ask(t, event(t, "models", key)), 200, "data.0.id", "dispatch", "data.1.id", "website", "data.1.owned_by", project)
}

const (
	begins  = `{"assistant":"website","message":"My name is Dana and I live in Arlington Heights."}`
	goesOn  = `{"assistant":"website","conversation_id":"%s","message":"Where do I live?"}`
	private = "Arlington Heights"
)

func noted(modeltest.Call) modeltest.Script { return apptest.Says("Noted.") }

// remember takes a turn in one process, a second there, and a third in another. It
// returns how often the table was asked for what had been said.
func remember(t *testing.T, r *rig, env ...string) (queries int) {
	r.secrets = append(r.secrets, private)
	key := r.key(t, project)
	f := r.start(t, longest, env...)
	first := f.ask(t, event(t, "chat", key, says(begins)))
	want(t, first, 200)
	conversation := first.Get("conversation_id")
	goOn := event(t, "chat", key, says(fmt.Sprintf(goesOn, conversation)))
	before := 0
	if r.dynamo != nil {
		before = r.dynamo.Calls("Query")
	}
	want(t, f.ask(t, goOn), 200, "conversation_id", conversation)
	f.Kill()
	want(t, r.start(t, longest, env...).ask(t, goOn), 200, "conversation_id", conversation)
	for i, c := range r.model.Calls() {
		if n := strings.Count(string(c.Body), "Where do I live?"); n != i || !strings.Contains(string(c.Body), private) {
			t.Errorf("call %d of the model has the question %d times: %s", i, n, c.Body)
		}
	}
	if len(r.model.Calls()) != 3 {
		t.Errorf("%d calls of the model", len(r.model.Calls()))
	}
	if r.dynamo == nil {
		return 0
	}
	const company = 2 // the other process reads its definitions and its articles, once
	return r.dynamo.Calls("Query") - before - company
}

func rememberedByTable(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, noted)
	if n := remember(t, r); r.dynamo != nil && n != 2 {
		t.Errorf("the table was asked %d times, want once each turn", n)
	}
}

func rememberedByRedis(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, noted)
	redis := miniredis.RunT(t)
	if n := remember(t, r, "REDIS_URL=redis://"+redis.Addr()+"/0"); n != 0 {
		t.Errorf("the table was asked %d times though there is a window", n)
	}
	keys := redis.Keys()
	if len(keys) != 1 || !strings.HasPrefix(keys[0], project+"#") {
		t.Errorf("Redis holds %q", keys)
	}
	// Without its Redis the function goes on, by the table.
	key := r.key(t, project)
	f := r.start(t, longest, "REDIS_URL=redis://"+redis.Addr()+"/0")
	_, conversation, _ := strings.Cut(keys[0], "#window#")
	conversation = strings.Trim(conversation, "{}")
	redis.Close()
	want(t, f.ask(t, event(t, "chat", key, says(fmt.Sprintf(goesOn, conversation)))), 200, "conversation_id", conversation)
	if calls := r.model.Calls(); !strings.Contains(string(calls[len(calls)-1].Body), private) {
		t.Error("the conversation went with Redis")
	}
}

var changing = regexp.MustCompile(`[0-7][0-9A-HJKMNP-TV-Z]{25}|"created":\d+|"request_id":"[^"]*"|\d{4}-\d\d-\d\dT[0-9:.]+Z`)

// sameAsOneProcess asks the function and the one-process server the same. Their
// stores and search indexes differ; their answers must not.
func sameAsOneProcess(t *testing.T, bootstrap string) {
	l, err := local.Open(t.Context(), local.Options{Data: t.TempDir(), Companies: integrations.FS})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	server := httptest.NewServer(app.Chat(&l.Parts))
	t.Cleanup(server.Close)
	r := newRig(t, bootstrap, nil)
	f := r.start(t, longest, "SWITCHBOARD_MODEL=extract")
	for _, q := range questions(t, l) {
		_, secret, err := l.Directory.Issue(t.Context(), auth.Credential{Kind: auth.SecretKey, Project: q.project})
		if err != nil {
			t.Fatal(err)
		}
		theirs := post(t, server.URL+q.path, secret.Reveal(), q.body)
		ours := f.ask(t, event(t, "chat", r.key(t, q.project), says(q.body), func(ev *events.APIGatewayProxyRequest) { ev.Path = q.path }))
		if ours.Status != theirs.Status || ours.Header.Get("Content-Type") != theirs.Header.Get("Content-Type") {
			t.Errorf("%s %s: %d %v, in one process %d %v", q.project, q.body, ours.Status, ours.Header, theirs.Status, theirs.Header)
		}
		if d := cmp.Diff(changing.ReplaceAllString(theirs.Body, "*"), changing.ReplaceAllString(ours.Body, "*")); d != "" {
			t.Errorf("%s %s (-one process +function):\n%s", q.project, q.body, d)
		}
	}
}

type question struct{ project, path, body string }

// questions are those the companies suggest to their visitors, each by another
// door than the one before, and two that are refused.
func questions(t *testing.T, l *local.Local) []question {
	t.Helper()
	out := []question{
		{project, "/v1/chat", `{"assistant":"coach","message":"What is my Spanish goal for April?"}`},
		{project, "/v1/chat", `{"assistant":"website","massage":"?"}`},
	}
	ask := func(project, assistant, text string) {
		doors := []struct{ path, body string }{
			{"/v1/chat", `{"assistant":%q,"message":%q}`},
			{"/v1/chat", `{"assistant":%q,"message":%q,"stream":true}`},
			{"/v1/chat/completions", `{"model":%q,"messages":[{"role":"user","content":%q}]}`},
			{"/v1/chat/completions", `{"model":%q,"messages":[{"role":"user","content":%q}],"stream":true}`},
		}
		d := doors[len(out)%len(doors)]
		out = append(out, question{project, d.path, fmt.Sprintf(d.body, assistant, text)})
	}
	ask(project, "website", asked)
	for _, c := range l.Companies {
		for _, a := range c.Assistants {
			for _, s := range a.Suggestions {
				ask(c.ID.String(), a.ID, s)
			}
		}
	}
	if len(out) < 25 { // control
		t.Fatalf("%d questions", len(out))
	}
	return out
}

func post(t *testing.T, url, key, body string) apptest.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return apptest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}
}
