package admin_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"switchboard/shared/app/apptest"
	"switchboard/shared/tenant/auth"
)

const projects = "/admin/v1/projects"

func operator(t *testing.T, s *apptest.Server) string {
	t.Helper()
	_, secret, err := s.Local.Directory.Issue(context.Background(), auth.Credential{Kind: auth.OperatorKey})
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal()
}

func want(t *testing.T, a apptest.Answer, status int, pairs ...string) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if got := a.Get(pairs[i]); got != pairs[i+1] {
			t.Errorf("%s is %q, want %q: %s", pairs[i], got, pairs[i+1], a.Body)
		}
	}
}

func TestKeysOfAProject(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	op := operator(t, s)
	keys := projects + "/alpha/keys"
	made := s.Post(op, keys, `{"kind":"secret","name":"crm"}`)
	want(t, made, 200, "kind", "secret", "role", "owner", "status", "active")
	key, id := made.Get("key"), made.Get("id")
	want(t, s.Do(key, "GET", "/v1/models", ""), 200)
	viewer := s.Post(op, keys, `{"kind":"secret","role":"viewer"}`)
	want(t, viewer, 200, "role", "viewer")
	want(t, s.Do(viewer.Get("key"), "GET", "/v1/models", ""), 403)
	want(t, s.Post(op, keys, `{"kind":"identity"}`), 200, "kind", "identity", "role", "")
	for body, field := range map[string]string{
		`{"kind":"operator"}`:                   "kind",
		`{}`:                                    "kind",
		`{"kind":"secret","role":"king"}`:       "role",
		`{"kind":"publishable","role":"owner"}`: "role",
		`{"kind":"secret","expires_at":"2020-01-01T00:00:00Z"}`:       "expires_at",
		`{"kind":"secret","name":"` + strings.Repeat("x", 101) + `"}`: "name",
		`{"kind":"secret","project":"beta"}`:                          "project",
	} {
		want(t, s.Post(op, keys, body), 400, "field", field)
	}
	want(t, s.Post(op, projects+"/beta/keys", `{"kind":"secret"}`), 200)
	listed := s.Do(op, "GET", keys+"?limit=2", "")
	want(t, listed, 200)
	rest := s.Do(op, "GET", keys+"?limit=2&cursor="+listed.Get("next_cursor"), "")
	want(t, rest, 200, "next_cursor", "")
	if n := strings.Count(listed.Body+rest.Body, `"id"`); n != 3 || strings.Contains(listed.Body+rest.Body, key[20:]) {
		t.Errorf("%d keys listed: %s %s", n, listed.Body, rest.Body)
	}
	// Another project's key is as unknown there as one that nobody has.
	want(t, s.Do(op, "DELETE", projects+"/beta/keys/"+id, ""), 404, "detail", "There is no such credential.")
	want(t, s.Do(op, "DELETE", keys+"/"+id, ""), 200, "status", "revoked")
	want(t, s.Do(op, "DELETE", keys+"/"+id, ""), 200, "status", "revoked")
	want(t, s.Do(op, "GET", projects+"/nobody/keys", ""), 404, "detail", "There is no such project.")
	want(t, s.Do(op, "GET", projects+"/_directory/keys", ""), 404, "detail", "There is no such project.")
}

func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	op := operator(t, s)
	want(t, s.Do(op, "GET", projects, ""), 200, "data.0.id", "alpha", "data.0.status", "active")
	want(t, s.Post(op, projects+"/beta/suspend", `{}`), 400, "field", "reason")
	want(t, s.Post(op, projects+"/beta/suspend", `{"reason":"unpaid"}`), 200, "status", "suspended", "reason", "unpaid")
	want(t, s.Do(s.Key(apptest.Beta), "GET", "/v1/models", ""), 403, "reason", "suspended")
	want(t, s.Do(s.Key(apptest.Alpha), "GET", "/v1/models", ""), 200)
	want(t, s.Post(op, projects+"/beta/resume", ""), 200, "status", "active", "suspended_at", "")
	want(t, s.Post(op, projects+"/beta/users/visitor:~ada/suspend", ""), 200, "status", "suspended")
	want(t, s.Post(op, projects+"/beta/users/visitor:~ada/resume", ""), 200, "status", "active")
}

// What an operator does to a company is in that company's own audit log, and in no
// other's; where it cannot be kept, nothing is done.
func TestTheCompanyHasItOnRecord(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	op := operator(t, s)
	began := time.Now().Add(-time.Second)
	want(t, s.Post(op, projects+"/beta/suspend", `{"reason":"unpaid"}`), 200)
	want(t, s.Post(op, projects+"/beta/resume", ""), 200)
	got, _, err := s.Local.Audit.List(t.Context(), auth.ForWork(s.Local.Companies[1].ID, "test"), 10, "")
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if e := got[1]; e.Action != "POST /admin/v1/projects/{project}/suspend" || !strings.HasPrefix(op, "op_"+e.Actor) || e.As != "operator_key" || e.Time.Before(began) || e.Request == "" {
		t.Errorf("%+v", e)
	}
	if got, _, err := s.Local.Audit.List(t.Context(), auth.ForWork(s.Local.Companies[0].ID, "test"), 10, ""); err != nil || len(got) != 0 {
		t.Errorf("the neighbour's log: %+v, %v", got, err)
	}
}
