package archtest_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/shared/app"
	"switchboard/shared/app/apptest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// logged is what was logged by this package's tests.
var logged record

type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	os.Exit(m.Run())
}

// identities are all who may stand at a door; nil is nobody.
var identities = map[string]*auth.Credential{
	"anonymous":    nil,
	"forged":       {Kind: auth.SecretKey},
	"sk":           {Kind: auth.SecretKey},
	"sk(chat)":     {Kind: auth.SecretKey, Can: tenant.CanChat},
	"sk(read)":     {Kind: auth.SecretKey, Can: tenant.CanReadConversations},
	"pk":           {Kind: auth.Publishable},
	"op":           {Kind: auth.OperatorKey},
	"expired":      {Kind: auth.SecretKey, Expires: time.Now().Add(-time.Minute)},
	"revoked":      {Kind: auth.SecretKey},
	"revoked(pk)":  {Kind: auth.Publishable},
	"sk(neighbor)": {Kind: auth.SecretKey, Project: apptest.Beta},
}

// nobody are the identities that no door knows.
var nobody = []string{"anonymous", "forged", "expired", "revoked", "revoked(pk)"}

// policy is who may do what: the whole of it. A route that is not in it fails the
// test, and so does an identity that a route says nothing about.
var policy = newPolicy(
	allow("POST /v1/chat", "sk", "sk(chat)", "sk(neighbor)"),
	deny("POST /v1/chat", "sk(read)", "pk", "op"),

	allow("POST /v1/chat/completions", "sk", "sk(chat)", "sk(neighbor)"),
	deny("POST /v1/chat/completions", "sk(read)", "pk", "op"),

	allow("GET /v1/models", "sk", "sk(chat)", "sk(neighbor)"),
	deny("GET /v1/models", "sk(read)", "pk", "op"),

	allow("GET /v1/models/{id}", "sk", "sk(chat)", "sk(neighbor)"), // each has an assistant of that name
	deny("GET /v1/models/{id}", "sk(read)", "pk", "op"),

	allow("GET /v1/conversations/{id}", "sk", "sk(read)"),
	deny("GET /v1/conversations/{id}", "sk(chat)", "pk", "op"),
	unknown("GET /v1/conversations/{id}", "sk(neighbor)"), // another's is as good as none
)

// bodies are what a route is asked where it takes a body. It is a good request, so
// that a refusal can be of nothing but the identity.
var bodies = map[string]string{
	"POST /v1/chat":             `{"assistant":"website","message":"What does a visit cost?"}`,
	"POST /v1/chat/completions": `{"model":"website","messages":[{"role":"user","content":"What does a visit cost?"}]}`,
}

// rule says what one identity is answered on one route.
type rule struct {
	route, who string
	status     int
}

func rules(route string, status int, who []string) (out []rule) {
	for _, w := range who {
		out = append(out, rule{route, w, status})
	}
	return out
}

func allow(route string, who ...string) []rule   { return rules(route, 200, who) }
func deny(route string, who ...string) []rule    { return rules(route, 403, who) }
func unknown(route string, who ...string) []rule { return rules(route, 404, who) }

func newPolicy(lists ...[]rule) map[string]map[string]int {
	p := map[string]map[string]int{}
	for _, list := range lists {
		for _, r := range list {
			if p[r.route] == nil {
				p[r.route] = map[string]int{}
				for _, who := range nobody {
					p[r.route][who] = 401
				}
			}
			p[r.route][r.who] = r.status
		}
	}
	return p
}

// keys issues a credential for each identity.
func keys(t *testing.T, s *apptest.Server) map[string]string {
	t.Helper()
	out := map[string]string{}
	for who, c := range identities {
		if c == nil {
			continue
		}
		c := *c
		if c.Kind != auth.OperatorKey && c.Project == "" {
			c.Project = apptest.Alpha
		}
		issued, secret, err := s.Local.Directory.Issue(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		out[who] = secret.Reveal()
		if strings.HasPrefix(who, "revoked") {
			if err := s.Local.Directory.Revoke(context.Background(), issued.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	out["forged"] = out["forged"][:len(out["forged"])-8] + "00000000"
	return out
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	key := keys(t, s)
	turn := s.Post(key["sk"], "/v1/chat", bodies["POST /v1/chat"])
	conversation := turn.Get("conversation_id")
	if turn.Status != 200 || conversation == "" {
		t.Fatalf("control: %d %s", turn.Status, turn.Body)
	}
	listed := map[string]bool{}
	for _, r := range app.Routes(&s.Local.Parts) {
		if r.Public {
			continue
		}
		listed[r.Pattern] = true
		method, path, _ := strings.Cut(r.Pattern, " ")
		id := conversation
		if strings.HasPrefix(path, "/v1/models/") {
			id = "website"
		}
		path = strings.ReplaceAll(path, "{id}", id)
		for who := range identities {
			want, ok := policy[r.Pattern][who]
			if !ok {
				t.Errorf("the policy does not say what %s may do on %s", who, r.Pattern)
				continue
			}
			a := s.Do(key[who], method, path, bodies[r.Pattern])
			if a.Status != want {
				t.Errorf("%s on %s: %d, want %d: %s", who, r.Pattern, a.Status, want, a.Body)
			}
			if isProblem := a.Header.Get("Content-Type") == "application/problem+json"; isProblem != (want != 200) {
				t.Errorf("%s on %s: %s", who, r.Pattern, a.Header.Get("Content-Type"))
			}
			if who == "sk(neighbor)" && strings.Contains(a.Body, "alphacanary") {
				t.Errorf("%s on %s: %s", who, r.Pattern, a.Body)
			}
		}
	}
	log := logged.text()
	if !strings.Contains(log, "status=403") {
		t.Error("control: refusals are not logged")
	}
	for who, text := range key {
		if !strings.HasPrefix(text, "pk_") && strings.Contains(log, text[len(text)-16:]) {
			t.Errorf("the secret of %s was logged", who)
		}
	}
	for _, words := range []string{"What does a visit cost", "alphacanary"} {
		if strings.Contains(log, words) {
			t.Errorf("%q was logged", words)
		}
	}
	for route := range policy {
		if !listed[route] {
			t.Errorf("the policy speaks of %s, which nobody serves", route)
		}
	}
}
