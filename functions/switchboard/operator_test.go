package main_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	main "switchboard/functions/switchboard"
	"switchboard/shared/app/apptest"
	"switchboard/shared/tenant/auth"
)

// nobodyListens is a URL at which nothing does: an ephemeral port could be another
// test's by the time.
const nobodyListens = "http://127.0.0.1:1"

// desk is an operator's: a running product, and the command line in this process. What
// it sends goes through a proxy that a test can look at and make fail.
type desk struct {
	*apptest.Server
	t       *testing.T
	key     string
	process main.Process

	mu   sync.Mutex
	sent []request
	fail func(r request, w http.ResponseWriter) bool // answered in the server's place
}

type request struct {
	method, path, body string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{Server: apptest.Start(t, apptest.Options{Data: filepath.Join(t.TempDir(), "data")}), t: t}
	_, secret, err := d.Local.Directory.Issue(t.Context(), auth.Credential{Kind: auth.OperatorKey})
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		q := request{r.Method, r.URL.Path, string(body)}
		d.mu.Lock()
		d.sent = append(d.sent, q)
		fail := d.fail
		d.mu.Unlock()
		if fail == nil || !fail(q, w) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	d.key = secret.Reveal()
	d.process.Env = map[string]string{"SWITCHBOARD_URL": front.URL, "SWITCHBOARD_OPERATOR_KEY": d.key, "SWITCHBOARD_DATA": filepath.Join(t.TempDir(), "none")}
	return d
}

// requests returns what was sent since it was asked last.
func (d *desk) requests() []request {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.sent
	d.sent = nil
	return out
}

func (d *desk) failing(f func(r request, w http.ResponseWriter) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

// ok runs what has to succeed, and returns what it printed.
func (d *desk) ok(args ...string) string {
	d.t.Helper()
	out, errs, failed := d.process.Run(d.t.Context(), args...)
	if failed != "" || errs != "" {
		d.t.Fatalf("%v: %s%s\n%s", args, errs, failed, out)
	}
	if strings.Contains(out, d.key) {
		d.t.Errorf("%v prints the operator key", args)
	}
	return out
}

// says runs what has to succeed and to print all of these.
func (d *desk) says(want []string, args ...string) {
	d.t.Helper()
	out := d.ok(args...)
	for _, w := range want {
		if !strings.Contains(out, w) {
			d.t.Errorf("%v does not say %q:\n%s", args, w, out)
		}
	}
}

// json runs it with --json and returns fields of the one document.
func (d *desk) json(paths []string, args ...string) []string {
	d.t.Helper()
	return fieldsIn(d.t, d.ok(append(args, "--json")...), paths)
}

func fieldsIn(t *testing.T, out string, paths []string) (got []string) {
	t.Helper()
	if strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "{") || !strings.HasSuffix(out, "}\n") {
		t.Fatalf("no document on a line: %s", out)
	}
	for _, p := range paths {
		got = append(got, apptest.Get([]byte(out), p))
	}
	return got
}

// equal holds the fields to what they are to be.
func (d *desk) equal(got []string, want ...string) {
	d.t.Helper()
	if !slices.Equal(got, want) {
		d.t.Errorf("got %q, want %q", got, want)
	}
}

// refused runs what has to fail with the words, and print nothing but why.
func (d *desk) refused(want string, args ...string) {
	d.t.Helper()
	out, _, failed := d.process.Run(d.t.Context(), args...)
	if !strings.Contains(failed, want) || failed == "" || out != "" {
		d.t.Errorf("%v: failed with %q, want %q; printed %q", args, failed, want, out)
	}
	if strings.Contains(failed, d.key) {
		d.t.Errorf("%v prints the operator key", args)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// each is one of every command that speaks to a server, so that none forgets what all
// of them keep to.
func each(dir string) [][]string {
	return [][]string{
		{"sync", "--companies", dir}, {"project", "list"}, {"project", "show", "alpha"}, {"project", "create", "alpha", "--name", "Alpha"},
		{"project", "set", "alpha", "tier=pro"}, {"project", "versions", "alpha"}, {"project", "rollback", "alpha", "1"},
		{"project", "suspend", "alpha", "--reason", "x"}, {"project", "resume", "alpha"}, {"project", "export", "alpha", filepath.Join(dir, "alpha")},
		{"assistant", "list", "alpha"}, {"assistant", "show", "alpha", "website"}, {"assistant", "create", "alpha", "night", "--file", "-"},
		{"assistant", "set", "alpha", "website", "name=A"}, {"assistant", "delete", "alpha", "website"}, {"assistant", "versions", "alpha", "website"},
		{"assistant", "rollback", "alpha", "website", "1"}, {"key", "list", "alpha"}, {"key", "create", "alpha"}, {"key", "revoke", "alpha", "0000000000000000"},
	}
}

func TestEveryCommandNeedsAServerAndAKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	dir := companies(t, nil)
	none := filepath.Join(t.TempDir(), "none")
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }))
	t.Cleanup(page.Close)
	elsewhere := httptest.NewServer(http.RedirectHandler("https://elsewhere.example/", http.StatusMovedPermanently))
	t.Cleanup(elsewhere.Close)
	real := d.process.Env["SWITCHBOARD_URL"]
	for name, c := range map[string]struct{ url, key, want string }{
		"a wrong key":            {real, "op_0000000000000000_0000000000000000000000000000000000000000", "does not take the operator key in SWITCHBOARD_OPERATOR_KEY"},
		"no key at all":          {real, "nonsense", "does not take the operator key"},
		"a company's key":        {real, d.Key(apptest.Alpha), "is not an operator's"},
		"none given":             {real, "", "there is no operator key: set SWITCHBOARD_OPERATOR_KEY"},
		"another kind of server": {page.URL, d.key, "not answer as Switchboard does"},
		"a redirect":             {elsewhere.URL, d.key, "sends its clients to https://elsewhere.example/"},
		"no server":              {nobodyListens, d.key, "switchboard serve"},
		"no URL":                 {"127.0.0.1:8080", d.key, "expected one such as http://127.0.0.1:8080"},
		"in the clear":           {"http://switchboard.example", d.key, "use https"},
	} {
		for _, args := range each(dir) {
			p := main.Process{Stdin: "You answer.", Env: map[string]string{"SWITCHBOARD_URL": c.url, "SWITCHBOARD_OPERATOR_KEY": c.key, "SWITCHBOARD_DATA": none}}
			out, _, failed := p.Run(t.Context(), args...)
			if !strings.Contains(failed, c.want) || out != "" || len(c.key) > 20 && strings.Contains(failed, c.key) {
				t.Errorf("%s: %v: failed with %q, want %q; printed %q", name, args, failed, c.want, out)
			}
		}
	}
	if _, err := os.Stat(none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a data directory was made: %v", err)
	}
}

// An unknown project is one whatever is asked of it.
func TestEveryCommandNeedsAProject(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.process.Stdin = "You answer."
	for _, args := range each(t.TempDir()) {
		if i := slices.Index(args, "alpha"); i >= 0 && args[1] != "create" || args[0] != "project" && i >= 0 {
			args[i] = "nobody"
			d.refused("There is no such project.", args...)
		}
	}
	d.refused("unknown command", "project", "lst")
	d.refused("accepts 1 arg", "project", "show")
}

func TestTheKeyOfADevelopmentServer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	keys, err := d.Local.DevKeys(t.Context(), filepath.Join(d.Data, "dev-keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	delete(d.process.Env, "SWITCHBOARD_OPERATOR_KEY")
	d.key = keys.Operator
	d.refused("there is no operator key", "project", "list")
	d.says([]string{"alpha"}, "project", "list", "--data", d.Data)
	// It is for this machine's server.
	d.refused("set SWITCHBOARD_OPERATOR_KEY", "project", "list", "--data", d.Data, "--url", "https://switchboard.example")
	write(t, filepath.Join(d.Data, "dev-keys.json"), "{}")
	d.refused("holds no operator key", "project", "list", "--data", d.Data)
}

// busy answers as a server does that has no time.
func busy(w http.ResponseWriter, status int, after string) {
	if after != "" {
		w.Header().Set("Retry-After", after)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	io.WriteString(w, `{"detail":"Too much, `+http.StatusText(status)+`."}`)
}

func TestABusyServerIsAskedAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var waited []time.Duration
	d.process.Wait = func(_ context.Context, pause time.Duration) error {
		waited = append(waited, pause)
		return nil
	}
	for name, c := range map[string]struct {
		times  int
		status int
		after  string
		waits  []time.Duration
		want   string // of the failure; "" = none
		args   []string
	}{
		"once, for as long as it says": {1, 503, "7", []time.Duration{7 * time.Second}, "", nil},
		"and again":                    {2, 429, "", []time.Duration{time.Second, 2 * time.Second}, "", nil},
		"not for ever":                 {99, 503, "1", []time.Duration{time.Second, time.Second, time.Second}, "Too much", nil},
		"not for long":                 {99, 429, "3600", nil, "Too much", nil},
		"not what is no such answer":   {1, 409, "1", nil, "Too much", nil},
		"not for a second key":         {1, 503, "1", nil, "Too much", []string{"key", "create", "alpha"}},
	} {
		waited = nil
		left := c.times
		d.failing(func(_ request, w http.ResponseWriter) bool {
			if left--; left < 0 {
				return false
			}
			busy(w, c.status, c.after)
			return true
		})
		args := c.args
		if args == nil {
			args = []string{"project", "set", "alpha", "tier=pro"}
		}
		_, _, failed := d.process.Run(t.Context(), args...)
		if !slices.Equal(waited, c.waits) || (failed == "") != (c.want == "") || !strings.Contains(failed, c.want) {
			t.Errorf("%s: waited %v, failed with %q", name, waited, failed)
		}
	}
	d.failing(func(_ request, w http.ResponseWriter) bool { busy(w, 503, "1"); return true })
	ctx, cancel := context.WithCancel(t.Context())
	d.process.Wait = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	if _, _, failed := d.process.Run(ctx, "project", "list"); failed != "interrupted" {
		t.Errorf("Ctrl-C: %q", failed)
	}
}
