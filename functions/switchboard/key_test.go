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
	if r := run(t, "key", "create", "alpha", "--data", data, "--url", nobodyListens); r.code == 0 || !strings.Contains(r.stderr, "no data directory") {
		t.Errorf("before there is anything: %+v", r)
	}
	s := serve(t, data, dir, "")
	if r := run(t, "key", "create", "--kind", "operator", "--data", data); r.code == 0 || !strings.Contains(r.stderr, "in use") {
		t.Errorf("while a server runs: %+v", r)
	}
	// The key in dev-keys.json is the one of the server that wrote it.
	served := run(t, "key", "create", "alpha", "--data", data, "--url", s.url)
	if served.code != 0 || !strings.HasPrefix(served.stdout, "sk_") {
		t.Errorf("by the server that runs: %+v", served)
	}
	s.stop(t)
	make := func(args ...string) string {
		t.Helper()
		r := run(t, append([]string{"key", "create", "--data", data, "--url", nobodyListens}, args...)...)
		if r.code != 0 {
			t.Fatalf("%v: %+v", args, r)
		}
		return strings.TrimSpace(r.stdout)
	}
	first, second, viewer := make("alpha"), make("alpha", "--name", "next"), make("alpha", "--role", "viewer")
	publishable, identity, operator := make("alpha", "--kind", "publishable"), make("alpha", "--kind", "identity"), make("--kind", "operator")
	var described struct {
		ID, Key string
		Expires string `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(make("alpha", "--json", "--expires", "1h")), &described); err != nil || !strings.Contains(described.Key, described.ID) || described.Expires == "" {
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
		full := append([]string{"key", "create", "--data", data, "--url", nobodyListens}, args...)
		if args == nil {
			full = []string{"key", "revoke", "0000000000000000", "--data", data}
		}
		if r := run(t, full...); r.code == 0 || !strings.Contains(strings.ToLower(r.stderr), name) || r.stdout != "" {
			t.Errorf("%v: %+v, want %q", full, r, name)
		}
	}
	if r := run(t, "key", "revoke", "alpha", strings.Split(first, "_")[1], "--data", data, "--url", nobodyListens); r.code != 0 {
		t.Errorf("revoke: %+v", r)
	}
	s = serve(t, data, dir, "")
	for name, c := range map[string]struct {
		key  string
		code int
	}{
		"the revoked one": {first, 401}, "the one beside it": {second, 200}, "the server's": {strings.TrimSpace(served.stdout), 200}, "described": {described.Key, 200}, "a viewer's": {viewer, 403},
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

// The same commands, asked of a server that runs.
func TestKeysOfARunningServer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.says([]string{"There is none."}, "key", "list", "gamma")
	text := strings.TrimSpace(d.ok("key", "create", "gamma", "--name", "crm", "--role", "viewer", "--expires", "1h"))
	id := strings.Split(text, "_")[1]
	if !strings.HasPrefix(text, "sk_") || d.Do(text, "GET", "/v1/conversations/x", "").Status == 401 {
		t.Errorf("%q opens nothing", text)
	}
	got := d.json([]string{"kind", "role", "status", "key"}, "key", "create", "gamma", "--kind", "publishable")
	if d.equal(got[:3], "publishable", "", "active"); !strings.HasPrefix(got[3], "pk_") {
		t.Errorf("%q", got)
	}
	if out := d.ok("key", "list", "gamma"); !strings.Contains(out, id+"  ") || !strings.Contains(out, "viewer  active") || !strings.Contains(out, "crm") || strings.Contains(out, text[20:]) {
		t.Errorf("%s", out)
	}
	d.equal(d.json([]string{"next_cursor", "data.2"}, "key", "list", "gamma"), "", "")
	d.says([]string{id + " is revoked."}, "key", "revoke", "gamma", id)
	d.equal(d.json([]string{"id", "status"}, "key", "revoke", "gamma", id), id, "revoked")
	d.says([]string{"viewer  revoked"}, "key", "list", "gamma") // a server that has used it forgets it within a minute
	d.refused("There is no such credential.", "key", "revoke", "alpha", id)
	d.refused("--role is for secret keys", "key", "create", "gamma", "--kind", "identity", "--role", "viewer")

	// More than one page of them, and the directory, which is the server's.
	for range 101 {
		d.Key("beta")
	}
	if out := d.ok("key", "list", "beta", "--json"); strings.Count(out, `"id"`) != 101 {
		t.Errorf("%d keys", strings.Count(out, `"id"`))
	}
	for _, args := range [][]string{{"key", "create", "--kind", "operator"}, {"key", "revoke", id}} {
		d.refused("while no server has it open: the data directory "+d.Data+" is in use", append(args, "--data", d.Data)...)
	}
	// A server that the URL does not say has the directory.
	d.refused("is in use", "key", "create", "gamma", "--data", d.Data, "--url", nobodyListens)
}

// And asked of the data directory of one that is stopped.
func TestKeysOfAStoppedServer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Stop()
	d.process.Env = map[string]string{"SWITCHBOARD_URL": nobodyListens, "SWITCHBOARD_DATA": d.Data}
	d.says([]string{"There is none."}, "key", "list", "gamma")
	id := d.json([]string{"id", "kind", "role", "status"}, "key", "create", "gamma", "--name", "crm")
	d.equal(id[1:], "secret", "owner", "active")
	d.equal(d.json([]string{"data.0.id", "data.0.name", "data.0.key"}, "key", "list", "gamma"), id[0], "crm", "")
	operator := d.json([]string{"id", "kind", "key"}, "key", "create", "--kind", "operator")
	if operator[1] != "operator" || !strings.HasPrefix(operator[2], "op_"+operator[0]) {
		t.Errorf("%q", operator)
	}
	d.refused("There is no project nobody.", "key", "create", "nobody")
	d.refused("There is no project nobody.", "key", "list", "nobody")
	d.refused("There is no such credential.", "key", "revoke", "alpha", id[0])
	d.says([]string{id[0] + " is revoked."}, "key", "revoke", "gamma", id[0])
	d.equal(d.json([]string{"status"}, "key", "revoke", operator[0]), "revoked")
	d.equal(d.json([]string{"data.0.status"}, "key", "list", "gamma"), "revoked")
	d.refused("nothing listens at "+nobodyListens, "key", "create", "gamma", "--data", t.TempDir())
}
