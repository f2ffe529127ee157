package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Keys that the command line made and revoked open, and do not open, what they should.
func TestKeys(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), companies(t, nil)
	if r := run(t, "key", "create", "alpha", "--data", data); r.code == 0 || !strings.Contains(r.stderr, "no data directory") {
		t.Errorf("before there is anything: %+v", r)
	}
	s := serve(t, data, dir, "")
	if r := run(t, "key", "create", "alpha", "--data", data); r.code == 0 || !strings.Contains(r.stderr, "in use") {
		t.Errorf("while a server runs: %+v", r)
	}
	s.stop(t)
	make := func(args ...string) string {
		t.Helper()
		r := run(t, append([]string{"key", "create", "--data", data}, args...)...)
		if r.code != 0 {
			t.Fatalf("%v: %+v", args, r)
		}
		return strings.TrimSpace(r.stdout)
	}
	first, second, viewer := make("alpha"), make("alpha", "--name", "next"), make("alpha", "--role", "viewer")
	publishable, identity, operator := make("alpha", "--kind", "publishable"), make("alpha", "--kind", "identity"), make("--kind", "operator")
	var described struct{ ID, Project, Key, Expires string }
	if err := json.Unmarshal([]byte(make("alpha", "--json", "--expires", "1h")), &described); err != nil || described.Project != "alpha" || !strings.Contains(described.Key, described.ID) || described.Expires == "" {
		t.Errorf("--json: %+v, %v", described, err)
	}
	for name, args := range map[string][]string{
		"kind is":             {"alpha", "--kind", "master"},
		"role is":             {"alpha", "--role", "king"},
		"no project":          {"alpha", "--kind", "operator"},
		"name the project":    {"--kind", "secret"},
		"a time from now":     {"alpha", "--expires", "-1h"},
		"a project id is":     {"Alpha"},
		"no such credential":  nil,
		"unknown flag: --kid": {"alpha", "--kid", "x"},
	} {
		full := append([]string{"key", "create", "--data", data}, args...)
		if args == nil {
			full = []string{"key", "revoke", "0000000000000000", "--data", data}
		}
		if r := run(t, full...); r.code == 0 || !strings.Contains(strings.ToLower(r.stderr), name) || r.stdout != "" {
			t.Errorf("%v: %+v, want %q", full, r, name)
		}
	}
	if r := run(t, "key", "revoke", strings.Split(first, "_")[1], "--data", data); r.code != 0 {
		t.Errorf("revoke: %+v", r)
	}
	s = serve(t, data, dir, "")
	for name, c := range map[string]struct {
		key  string
		code int
	}{
		"the revoked one": {first, 401}, "the one beside it": {second, 200}, "described": {described.Key, 200}, "a viewer's": {viewer, 403},
		"publishable": {publishable, 403}, "identity": {identity, 401}, "operator": {operator, 403},
	} {
		req, err := http.NewRequest("POST", s.url+"/v1/chat", strings.NewReader(`{"assistant":"website","message":"hi"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.key)
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		if res.Body.Close(); res.StatusCode != c.code {
			t.Errorf("%s: %d, want %d: %s", name, res.StatusCode, c.code, body)
		}
	}
}
