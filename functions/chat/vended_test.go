package main_test

import (
	"strings"
	"testing"

	"switchboard/shared/app/apptest"
	"switchboard/shared/app/aws/iamtest"
)

// vended takes turns of two companies. Every item of theirs is touched in a session of
// its own company's, which STS is asked for once. Nothing is touched on the function's
// own credentials, and the directory not at all.
func vended(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, apptest.Echo)
	mine, theirs := r.key(t, project), r.key(t, other)
	f := r.start(t, longest)
	for range 3 {
		a := f.ask(t, event(t, "chat", mine))
		want(t, a, 200, "message.content", "You said: "+asked)
		want(t, f.ask(t, event(t, "chat_stream", theirs)), 200)
		want(t, f.ask(t, event(t, "conversation", theirs, of(a.Get("conversation_id")))), 404)
	}
	for p, want := range map[string]int{project: 1, other: 1, "_directory": 0} {
		if n := r.aws.Assumed(p); n != want {
			t.Errorf("STS was asked %d times for %s", n, p)
		}
	}
	done := r.aws.Allowed()
	for _, p := range []string{project, other} {
		if done[p+" GetItem"] == 0 || done[p+" PutItem"] == 0 {
			t.Errorf("%s: %v", p, done)
		}
	}
	for what := range done {
		if _, action, _ := strings.Cut(what, " "); action == "" {
			t.Errorf("on the function's own credentials: %s", what)
		}
	}
}

// unassumed takes one company's sessions away: that company is told to come back, the
// other goes on, and nothing of the first is touched on other credentials.
func unassumed(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, apptest.Echo)
	mine, theirs := r.key(t, project), r.key(t, other)
	f := r.start(t, longest)
	want(t, f.ask(t, event(t, "chat", theirs)), 200)
	r.aws.OnAssume(func(a iamtest.Assumed) iamtest.Answer {
		if a.Project == project {
			return iamtest.Answer{Status: 400, Code: "Throttling"}
		}
		return iamtest.Answer{}
	})
	for range 3 {
		a := f.ask(t, event(t, "chat", mine))
		want(t, a, 503)
		if a.Header.Get("Retry-After") == "" || strings.Contains(a.Body, "Throttling") || strings.Contains(a.Body, "STS") {
			t.Errorf("%v %s", a.Header, a.Body)
		}
		want(t, f.ask(t, event(t, "chat", theirs)), 200)
	}
	for what := range r.aws.Allowed() {
		if strings.HasPrefix(what, project+" ") {
			t.Errorf("%s was done", what)
		}
	}
	r.aws.OnAssume(nil)
	want(t, r.start(t, longest).ask(t, event(t, "chat", mine)), 200) // and when it is back
}

// roleless starts the function without its data role: it serves nobody, and says why.
// That it may go without has to be said.
func roleless(t *testing.T, bootstrap string) {
	r := newRig(t, bootstrap, apptest.Echo)
	key := r.key(t, project)
	for text, env := range map[string][]string{
		"SWITCHBOARD_DATA_ROLE is not set":                            {"SWITCHBOARD_DATA_ROLE="},
		"SWITCHBOARD_DATA_ROLE and SWITCHBOARD_UNVENDED are both set": {"SWITCHBOARD_UNVENDED=1"},
		"is not the ARN of a role":                                    {"SWITCHBOARD_DATA_ROLE=data"},
	} {
		f := r.start(t, longest, env...)
		want(t, f.ask(t, event(t, "chat", key)), 503)
		f.Kill()
		if !strings.Contains(f.Logs(), text) {
			t.Errorf("%v: the log says\n%s", env, f.Logs())
		}
	}
	f := r.start(t, longest, "SWITCHBOARD_DATA_ROLE=", "SWITCHBOARD_UNVENDED=1", "AWS_ENDPOINT_URL_DYNAMODB="+r.endpoint)
	want(t, f.ask(t, event(t, "chat", key)), 200)
	f.Kill()
	if n := r.aws.Assumed(project); n != 0 || !strings.Contains(f.Logs(), "the function's own credentials") {
		t.Errorf("unvended: %d sessions, and the log says\n%s", n, f.Logs())
	}
}
