package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"switchboard/shared/seal/sealtest"
	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// logged is all that was logged by this package's tests.
var logged = &record{}

type record struct {
	mu      sync.Mutex
	b       bytes.Buffer
	secrets []string
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) secret(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, s)
}

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

// TestMain looks, after everything ran, for any secret in the log.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewJSONHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	code := m.Run()
	text := logged.text()
	for _, s := range logged.secrets {
		if strings.Contains(text, s[len(s)-20:]) {
			fmt.Println("FAIL: a secret was logged")
			code = 1
		}
	}
	os.Exit(code)
}

var (
	master = bytes.Repeat([]byte("m"), 32)
	sk     = []auth.Kind{auth.SecretKey}
)

// door is a service behind the gate.
type door struct {
	dir   *auth.Directory
	gate  *auth.Gate
	files string // where the directory's bytes are
	http.Handler
}

func newDoor(t testing.TB, routes ...auth.Route) *door {
	t.Helper()
	return newSite(t, nil, nil, routes...)
}

// newSite is newDoor with sites that may have widget tokens, and with a witness.
func newSite(t testing.TB, known auth.Sites, w auth.Witness, routes ...auth.Route) *door {
	t.Helper()
	return overDirectory(t, known, w, routes...)
}

// way is one of the two in which a gate learns who asks.
type way func(t testing.TB, sites auth.Sites, w auth.Witness, routes ...auth.Route) *door

// bothWays runs a test with each: whoever is let in by one is by the other, too.
func bothWays(t *testing.T, test func(*testing.T, way)) {
	for name, w := range map[string]way{"over the directory": overDirectory, "behind an authorizer": behindAuthorizer} {
		t.Run(name, func(t *testing.T) { test(t, w) })
	}
}

func overDirectory(t testing.TB, known auth.Sites, w auth.Witness, routes ...auth.Route) *door {
	t.Helper()
	dir, files := newDirectory(t)
	d := &door{dir: dir, gate: auth.NewGate(dir, known, w), files: files}
	if known, ok := known.(sites); ok {
		for id := range known {
			d.project(t, id)
		}
	}
	if len(routes) == 0 {
		routes = []auth.Route{echo()}
	}
	d.Handler = auth.Handler(d.gate, routes)
	return d
}

// project makes a project.
func (d *door) project(t testing.TB, name string) {
	t.Helper()
	id, err := tenant.ParseID(name)
	if err == nil {
		_, err = d.dir.PutProject(t.Context(), id, auth.About{Name: name})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// behindAuthorizer has an authorizer in front, and reads no directory.
func behindAuthorizer(t testing.TB, sites auth.Sites, w auth.Witness, routes ...auth.Route) *door {
	t.Helper()
	d, _ := newBehind(t, sites, w, routes...)
	return d
}

func newDirectory(t testing.TB) (dir *auth.Directory, files string) {
	t.Helper()
	files = t.TempDir()
	dir, err := auth.NewDirectory(newTable(t, files), master)
	if err != nil {
		t.Fatal(err)
	}
	return dir, files
}

func newTable(t testing.TB, files string) *table.Table {
	t.Helper()
	tbl, err := sqlitetable.Open(files, make([]byte, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tbl.Close() })
	return tbl.SealedBy(sealtest.New(t))
}

// issue makes a credential like c of project acme.
func (d *door) issue(t testing.TB, c auth.Credential) (auth.Credential, string) {
	t.Helper()
	if c.Kind == "" {
		c.Kind = auth.SecretKey
	}
	if c.Kind != auth.OperatorKey && c.Project == "" {
		c.Project = "acme"
	}
	c, s, err := d.dir.Issue(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind != auth.Publishable {
		logged.secret(s.Reveal())
	}
	return c, s.Reveal()
}

type echoBody struct {
	Message string `json:"message"`
	User    *struct {
		ID string `json:"id"`
	} `json:"user"`
}

type echoAnswer struct {
	Project string `json:"project"`
	Message string `json:"message"`
	Key     string `json:"key"`
	Query   string `json:"q"`
	ID      string `json:"id"`
}

// echo answers with what its handler was given.
func echo() auth.Route {
	return auth.JSON("POST /echo", auth.Allow{Kinds: sk, Can: tenant.CanChat},
		func(_ context.Context, sc tenant.Scope, in *auth.Request[echoBody]) (echoAnswer, error) {
			return echoAnswer{sc.Project().String(), in.Body.Message, in.IdempotencyKey, in.Query("q"), in.ID}, nil
		})
}

// noBody makes a route without a body that runs fn.
func noBody(pattern string, fn func(context.Context, tenant.Scope) error) auth.Route {
	return auth.JSON(pattern, auth.Allow{Kinds: sk},
		func(ctx context.Context, sc tenant.Scope, _ *auth.Request[auth.None]) (struct{}, error) {
			return struct{}{}, fn(ctx, sc)
		})
}

// stream makes a route at GET /stream that answers through a Reply.
func stream(fn func(context.Context, *auth.Reply) error) auth.Route {
	return auth.Stream("GET /stream", auth.Allow{Kinds: sk},
		func(ctx context.Context, _ tenant.Scope, _ *auth.Request[auth.None], out *auth.Reply) error {
			return fn(ctx, out)
		})
}

// ask sends one request; headers are name, value, name, value.
func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, rd)
	for p := range slices.Chunk(headers, 2) {
		r.Header.Add(p[0], p[1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// say asks the echo route under a credential.
func (d *door) say(text string) *httptest.ResponseRecorder {
	return ask(d, "POST", "/echo", `{"message":"hi"}`, "Authorization", "Bearer "+text)
}

func wantStatus(t testing.TB, w *httptest.ResponseRecorder, code int) {
	t.Helper()
	if w.Code != code {
		t.Fatalf("status %d, want %d: %s", w.Code, code, w.Body)
	}
}

func pass(context.Context, tenant.Scope, *auth.Request[auth.None]) (struct{}, error) {
	return struct{}{}, nil
}
