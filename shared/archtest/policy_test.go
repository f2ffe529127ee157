package archtest_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
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

// identity is somebody at a door.
type identity struct {
	auth.Credential          // what they were issued; the zero one: nothing
	visitor         string   // of the project's site, with a widget token
	header          []string // sent along
}

var (
	alphaPage = []string{"Origin", apptest.Origin(apptest.Alpha)}
	betaPage  = []string{"Origin", apptest.Origin(apptest.Beta)}
)

// actsAs are the headers of an operator who acts as the project.
func actsAs(project string) []string {
	return []string{"Act-As", project, "Act-As-Reason", "the customer asked us to look"}
}

// identities are all who may stand at a door.
var identities = map[string]identity{
	"anonymous":        {},
	"forged":           {Credential: auth.Credential{Kind: auth.SecretKey}},
	"sk":               {Credential: auth.Credential{Kind: auth.SecretKey}},
	"sk(chat)":         {Credential: auth.Credential{Kind: auth.SecretKey, Can: tenant.CanChat}},
	"sk(read)":         {Credential: auth.Credential{Kind: auth.SecretKey, Can: tenant.CanReadConversations}},
	"sk(viewer)":       {Credential: auth.Credential{Kind: auth.SecretKey, Role: tenant.Viewer}},
	"sk(from a page)":  {Credential: auth.Credential{Kind: auth.SecretKey}, header: alphaPage},
	"pk":               {Credential: auth.Credential{Kind: auth.Publishable}, header: alphaPage},
	"pk(elsewhere)":    {Credential: auth.Credential{Kind: auth.Publishable}, header: betaPage},
	"is":               {Credential: auth.Credential{Kind: auth.IdentityKey}},
	"widget":           {visitor: "ada", header: alphaPage},
	"widget(other)":    {visitor: "bob", header: alphaPage},
	"widget(stolen)":   {visitor: "ada", header: betaPage},
	"widget(nowhere)":  {visitor: "ada"},
	"widget(neighbor)": {Credential: auth.Credential{Project: apptest.Beta}, visitor: "ada", header: betaPage},
	"op":               {Credential: auth.Credential{Kind: auth.OperatorKey}},
	"op(acts)":         {Credential: auth.Credential{Kind: auth.OperatorKey}, header: actsAs(apptest.Alpha)},
	"op(acts as beta)": {Credential: auth.Credential{Kind: auth.OperatorKey}, header: actsAs(apptest.Beta)},
	"expired":          {Credential: auth.Credential{Kind: auth.SecretKey, Expires: time.Now().Add(-time.Minute)}},
	"revoked":          {Credential: auth.Credential{Kind: auth.SecretKey}},
	"revoked(pk)":      {Credential: auth.Credential{Kind: auth.Publishable}, header: alphaPage},
	"suspended":        {Credential: auth.Credential{Kind: auth.SecretKey, Project: apptest.Gamma}},
	"sk(neighbor)":     {Credential: auth.Credential{Kind: auth.SecretKey, Project: apptest.Beta}},
}

// Whom no door knows, and whom every door knows and refuses.
var (
	nobody = []string{"anonymous", "forged", "expired", "revoked", "revoked(pk)", "is"}
	never  = []string{"suspended", "widget(stolen)", "widget(nowhere)"}
)

// policy is who may do what: the whole of it. A route that is not in it fails the
// test, and so does an identity that a route says nothing about.
var policy = newPolicy(
	allow("POST /v1/chat", "sk", "sk(chat)", "sk(from a page)", "sk(neighbor)", "widget", "widget(other)", "widget(neighbor)"),
	deny("POST /v1/chat", "sk(read)", "sk(viewer)", "pk", "pk(elsewhere)", "op", "op(acts)", "op(acts as beta)"),

	allow("POST /v1/chat/completions", "sk", "sk(chat)", "sk(from a page)", "sk(neighbor)"),
	deny("POST /v1/chat/completions", "sk(read)", "sk(viewer)", "pk", "pk(elsewhere)", "widget", "widget(other)", "widget(neighbor)", "op", "op(acts)", "op(acts as beta)"),

	allow("GET /v1/models", "sk", "sk(chat)", "sk(from a page)", "sk(neighbor)"),
	deny("GET /v1/models", "sk(read)", "sk(viewer)", "pk", "pk(elsewhere)", "widget", "widget(other)", "widget(neighbor)", "op", "op(acts)", "op(acts as beta)"),

	allow("GET /v1/models/{id}", "sk", "sk(chat)", "sk(from a page)", "sk(neighbor)"), // each has an assistant of that name
	deny("GET /v1/models/{id}", "sk(read)", "sk(viewer)", "pk", "pk(elsewhere)", "widget", "widget(other)", "widget(neighbor)", "op", "op(acts)", "op(acts as beta)"),

	allow("GET /v1/conversations/{id}", "sk", "sk(read)", "sk(viewer)", "sk(from a page)", "widget", "op(acts)"),
	deny("GET /v1/conversations/{id}", "sk(chat)", "pk", "pk(elsewhere)", "op"),
	unknown("GET /v1/conversations/{id}", "sk(neighbor)", "widget(other)", "widget(neighbor)", "op(acts as beta)"), // another's is as good as none

	allow("POST /v1/widget/token", "pk", "widget", "widget(other)", "widget(neighbor)"),
	operators("GET /admin/v1/projects", 200),
	operators("POST /admin/v1/projects", 200),
	operators("GET /admin/v1/projects/{project}", 200),
	operators("PATCH /admin/v1/projects/{project}", 200),
	operators("GET /admin/v1/projects/{project}/versions", 200),
	operators("POST /admin/v1/projects/{project}/rollback", 200),
	operators("GET /admin/v1/projects/{project}/files", 200),
	operators("PUT /admin/v1/projects/{project}/files", 200),
	operators("GET /admin/v1/projects/{project}/assistants", 200),
	operators("POST /admin/v1/projects/{project}/assistants", 200),
	operators("GET /admin/v1/projects/{project}/assistants/{assistant}", 200),
	operators("PATCH /admin/v1/projects/{project}/assistants/{assistant}", 200),
	operators("DELETE /admin/v1/projects/{project}/assistants/{assistant}", 200),
	operators("GET /admin/v1/projects/{project}/assistants/{assistant}/versions", 200),
	operators("POST /admin/v1/projects/{project}/assistants/{assistant}/rollback", 200),
	operators("POST /admin/v1/projects/{project}/suspend", 200),
	operators("POST /admin/v1/projects/{project}/resume", 200),
	operators("POST /admin/v1/projects/{project}/users/{user}/suspend", 200),
	operators("POST /admin/v1/projects/{project}/users/{user}/resume", 200),
	operators("GET /admin/v1/projects/{project}/keys", 200),
	operators("POST /admin/v1/projects/{project}/keys", 200),
	operators("DELETE /admin/v1/projects/{project}/keys/{key}", 404), // there is no key of that id

	deny("POST /v1/widget/token", "sk", "sk(chat)", "sk(read)", "sk(viewer)", "sk(from a page)", "sk(neighbor)", "pk(elsewhere)", "op", "op(acts)", "op(acts as beta)"),
)

// bodies are what a route is asked where it takes a body. It is a good request, so
// that a refusal can be of nothing but the identity.
var bodies = map[string]string{
	"POST /v1/chat": `{"assistant":"website","message":"What does a visit cost?"}`,
	"POST /admin/v1/projects/{project}/suspend":                         `{"reason":"unpaid"}`,
	"POST /admin/v1/projects/{project}/keys":                            `{"kind":"publishable"}`,
	"POST /admin/v1/projects":                                           `{"id":"omega","name":"Omega"}`,
	"PATCH /admin/v1/projects/{project}":                                `{"locale":"de-DE"}`,
	"POST /admin/v1/projects/{project}/rollback":                        `{"version":1}`,
	"PUT /admin/v1/projects/{project}/files":                            `{"files":{"company.yaml":"name: Gamma"},"dry_run":true}`,
	"POST /admin/v1/projects/{project}/assistants":                      `{"id":"fresh","instructions":"You answer."}`,
	"PATCH /admin/v1/projects/{project}/assistants/{assistant}":         `{"greeting":"Hello."}`,
	"POST /admin/v1/projects/{project}/assistants/{assistant}/rollback": `{"version":1}`,
	"POST /v1/widget/token":                                             `{"assistant":"website"}`,
	"POST /v1/chat/completions":                                         `{"model":"website","messages":[{"role":"user","content":"What does a visit cost?"}]}`,
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

// operators lets operator keys in, with that status, and nobody else.
func operators(route string, status int) (out []rule) {
	for who := range identities {
		switch {
		case strings.HasPrefix(who, "op"):
			out = append(out, rule{route, who, status})
		case !slices.Contains(nobody, who):
			out = append(out, rule{route, who, 403})
		}
	}
	return out
}

func newPolicy(lists ...[]rule) map[string]map[string]int {
	p := map[string]map[string]int{}
	for _, list := range lists {
		for _, r := range list {
			if p[r.route] == nil {
				p[r.route] = map[string]int{}
				for _, who := range nobody {
					p[r.route][who] = 401
				}
				for _, who := range never {
					p[r.route][who] = 403
				}
			}
			p[r.route][r.who] = r.status
		}
	}
	return p
}

// keys gives each identity what it shows.
func keys(t *testing.T, s *apptest.Server) map[string]string {
	t.Helper()
	out := map[string]string{}
	for who, i := range identities {
		c := i.Credential
		if c.Kind != auth.OperatorKey && c.Project == "" {
			c.Project = apptest.Alpha
		}
		switch {
		case i.visitor != "":
			out[who] = s.Token(c.Project, i.visitor)
			continue
		case c.Kind == "":
			continue
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
	gamma, err := tenant.ParseID(apptest.Gamma)
	if err == nil {
		err = s.Local.Directory.SuspendProject(t.Context(), gamma, "unpaid")
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Company: fstest.MapFS{apptest.Gamma + "/assistants/spare.md": {Data: []byte("You answer.")}}})
	key := keys(t, s)
	turn := s.Post(key["sk"], "/v1/chat", `{"assistant":"website","message":"What does a visit cost?","user":{"id":"visitor:~ada"}}`)
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
		assistant := "website"
		if method == "DELETE" {
			assistant = "spare" // for good: the others go on asking for theirs
		}
		path = strings.NewReplacer("{assistant}", assistant, "{id}", id, "{project}", apptest.Gamma, "{user}", "ada", "{key}", "0000000000000000").Replace(path)
		for who := range identities {
			want, ok := policy[r.Pattern][who]
			if !ok {
				t.Errorf("the policy does not say what %s may do on %s", who, r.Pattern)
				continue
			}
			a := s.Do(key[who], method, path, bodies[r.Pattern], identities[who].header...)
			if a.Status != want {
				t.Errorf("%s on %s: %d, want %d: %s", who, r.Pattern, a.Status, want, a.Body)
			}
			if isProblem := a.Header.Get("Content-Type") == "application/problem+json"; isProblem != (want != 200) {
				t.Errorf("%s on %s: %s", who, r.Pattern, a.Header.Get("Content-Type"))
			}
			if strings.Contains(who, "neighbor") && strings.Contains(a.Body, "alphacanary") {
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
