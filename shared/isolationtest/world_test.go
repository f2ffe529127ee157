package isolationtest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"switchboard/shared/app"
	"switchboard/shared/app/apptest"
	"switchboard/shared/attack"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// The companies. Alpha and Beta are neighbours, Gamma is suspended, Delta is the
// operator's to do things to; the others' names are near Alpha's.
const (
	alpha, beta, gamma, delta = apptest.Alpha, apptest.Beta, apptest.Gamma, "delta"
	near                      = "alpha-b"
)

var everyone = []string{alpha, beta, gamma, delta, near}

// identity is somebody at a door.
type identity struct {
	name    string
	project string // whose; "" = nobody's
	person  string // "" = not one person
	key     string // the credential's text
	header  []string
	conv    string // a conversation of their own, to go on with
}

// world is the product with everybody in it and something of everybody's.
type world struct {
	t       testing.TB
	server  *apptest.Server
	handler http.Handler
	routes  []auth.Route
	who     []*identity // who attacks
	by      map[string]*identity
	victims []victim
	keys    map[string]string // project -> id of a key of its own
	secrets []secret
	*attack.Scanner[canary]
	allowed map[string]bool // route, field and who: whom the same request with their own is allowed
}

// victim is a conversation that nobody goes on with.
type victim struct {
	id, project, person string
	reader              *identity
}

// secret is a text that no answer has, and whose it is.
type secret struct{ text, project, person string }

// response is an answer, read whole.
type response struct {
	status int
	header http.Header
	body   []byte
}

func word(parts ...string) string { return root + strings.Join(parts, "") + "end" }

func companies() fstest.MapFS {
	out := fstest.MapFS{}
	for _, p := range everyone {
		add := func(name, text string) { out[p+"/"+name] = &fstest.MapFile{Data: []byte(text)} }
		add("company.yaml", fmt.Sprintf("name: Company %s\norigins: [\"%s\"]\n", word("name", p), apptest.Origin(p)))
		add("assistants/website.md", "You answer. "+word("rule", p))
		add("assistants/spare.md", "You answer for a while.")
		add("assistants/"+word("desk", p)+".md", "You answer for the desk.")
		add("knowledge/fees.md", "---\ntitle: Fees\n---\n## Visits\nA diagnostic visit costs $149 ("+word("fees", p)+").\n")
	}
	return out
}

// newWorld starts the product and gives everybody something.
func newWorld(t testing.TB) *world {
	t.Helper()
	s := apptest.Start(t, apptest.Options{Company: companies()})
	w := &world{t: t, server: s, handler: app.All(&s.Local.Parts), routes: app.Routes(&s.Local.Parts), by: map[string]*identity{}, keys: map[string]string{}}
	w.people()
	var cs []canary
	for _, p := range everyone {
		cs = append(cs, canary{word("name", p), p, "", true}, canary{word("fees", p), p, "", true}, canary{word("desk", p), p, "", true}, canary{word("rule", p), p, "", false},
			canary{word("key", p), p, "", false}, canary{word("talk", p), p, "", false}, canary{word("user", p), p, "", false}, canary{word("called", p), p, "", false})
		for _, v := range []string{"ada", "bob"} {
			cs = append(cs, canary{word("talk", p, v), p, "visitor:~" + v, false})
		}
	}
	w.Scanner = newScanner(cs)
	w.conversations()
	w.shut()
	w.probe()
	return w
}

// issue makes a credential with a canary for its name.
func (w *world) issue(c auth.Credential) (auth.Credential, string) {
	w.t.Helper()
	c.Name = word("key", c.Project)
	c, secret, err := w.server.Local.Directory.Issue(context.Background(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return c, secret.Reveal()
}

// join adds somebody who attacks.
func (w *world) join(i identity) *identity {
	w.who, w.by[i.name] = append(w.who, &i), &i
	if i.key != "" && !strings.HasPrefix(i.key, "pk_") {
		w.secrets = append(w.secrets, secret{i.key[len(i.key)-20:], "", ""})
	}
	return &i
}

// people gives everybody their credential.
func (w *world) people() {
	sk := func(project string, role tenant.Role) string {
		c, text := w.issue(auth.Credential{Kind: auth.SecretKey, Project: project, Role: role})
		w.keys[project] = c.ID
		return text
	}
	pk := map[string]string{}
	for _, p := range everyone {
		_, pk[p] = w.issue(auth.Credential{Kind: auth.Publishable, Project: p})
	}
	page := func(p string) []string { return []string{"Origin", apptest.Origin(p)} }
	token := func(p, key, visitor string) string {
		r := w.send(t0(key, "POST", "/v1/widget/token", `{"assistant":"website","visitor_id":"`+visitor+`"}`, page(p)...))
		return apptest.Get(r.body, "token")
	}
	_, op := w.issue(auth.Credential{Kind: auth.OperatorKey})
	w.join(identity{name: "anonymous"})
	w.join(identity{name: "viewer", project: alpha, key: sk(alpha, tenant.Viewer)})
	w.join(identity{name: "sk", project: alpha, key: sk(alpha, 0)})
	w.join(identity{name: "sk(neighbour)", project: beta, key: sk(beta, 0)})
	w.join(identity{name: "pk", project: alpha, key: pk[alpha], header: page(alpha)})
	w.join(identity{name: "ada", project: alpha, person: "visitor:~ada", key: token(alpha, pk[alpha], "ada"), header: page(alpha)})
	w.join(identity{name: "bob", project: alpha, person: "visitor:~bob", key: token(alpha, pk[alpha], "bob"), header: page(alpha)})
	w.join(identity{name: "ada(neighbour)", project: beta, person: "visitor:~ada", key: token(beta, pk[beta], "ada"), header: page(beta)})
	w.join(identity{name: "op", key: op})
	w.join(identity{name: "op(acts)", project: alpha, key: op, header: []string{"Act-As", alpha, "Act-As-Reason", "the customer asked us"}})
	w.join(identity{name: "suspended", project: gamma, key: sk(gamma, 0)})
	w.join(identity{name: "visitor(suspended)", project: alpha, person: "visitor:~eve", key: token(alpha, pk[alpha], "eve"), header: page(alpha)})
	w.join(identity{name: "visitor(of suspended)", project: gamma, person: "visitor:~ada", key: token(gamma, pk[gamma], "ada"), header: page(gamma)})
	w.join(identity{name: "sk(near)", project: near, key: sk(near, 0)})
	c, text := w.issue(auth.Credential{Kind: auth.SecretKey, Project: alpha})
	w.join(identity{name: "revoked", project: alpha, key: text})
	sk(delta, 0)
	endedKey, ended := w.issue(auth.Credential{Kind: auth.Publishable, Project: alpha})
	w.join(identity{name: "visitor(of revoked)", project: alpha, person: "visitor:~dan", key: token(alpha, ended, "dan"), header: page(alpha)})
	for _, id := range []string{c.ID, endedKey.ID} {
		if err := w.server.Local.Directory.Revoke(context.Background(), id); err != nil {
			w.t.Fatal(err)
		}
	}
}

// t0 is a request with a credential, before there is anybody.
func t0(key, method, target, body string, header ...string) *attempt {
	return &attempt{who: &identity{key: key, header: header}, method: method, target: target, body: body}
}

// conversations are one of each kind, and one of their own for all who may have one.
func (w *world) conversations() {
	say := func(i *identity, more string) string {
		r := w.send(&attempt{who: i, method: "POST", target: "/v1/chat", body: `{"assistant":"website",` + more + `}`})
		id := apptest.Get(r.body, "conversation_id")
		if r.status != 200 || id == "" {
			w.t.Fatalf("%s: %d %s", i.name, r.status, r.body)
		}
		return id
	}
	victim := func(i *identity, person, member, talk string) {
		id := say(i, `"message":"What does a visit cost? `+talk+`"`+member)
		for range 2 { // enough for pages
			say(i, `"conversation_id":"`+id+`","message":"`+talk+`"`+member)
		}
		w.victims = append(w.victims, victimOf(id, i, person))
	}
	for _, i := range w.who {
		switch i.name {
		case "sk", "sk(neighbour)", "suspended", "sk(near)":
			victim(i, "", "", word("talk", i.project))
			user := word("user", i.project)
			victim(i, user, `,"user":{"id":"`+user+`","name":"`+word("called", i.project)+`"}`, word("talk", i.project))
			i.conv = say(i, `"message":"mine"`)
		case "ada", "bob", "ada(neighbour)":
			victim(i, i.person, "", word("talk", i.project, strings.TrimPrefix(i.person, "visitor:~")))
			i.conv = say(i, `"message":"mine"`)
		}
	}
	for _, name := range []string{"viewer", "op(acts)"} { // who cannot begin one
		w.by[name].conv = w.by["sk"].conv
	}
}

func victimOf(id string, i *identity, person string) victim { return victim{id, i.project, person, i} }

// shut suspends who is to be suspended, before anybody's caches know them: the gate
// of the attacks is a new one.
func (w *world) shut() {
	d, ctx := w.server.Local.Directory, context.Background()
	a, errA := tenant.ParseID(alpha)
	g, errG := tenant.ParseID(gamma)
	for _, err := range []error{errA, errG, d.SuspendProject(ctx, g, "unpaid"), d.SuspendPerson(ctx, a, "visitor:~eve")} {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	p := w.server.Local.Parts
	p.Gate = auth.NewGate(d, app.Sites{Companies: w.server.Local.Catalog}, w.server.Local.Audit)
	w.handler, w.routes = app.All(&p), app.Routes(&p)
}

// send makes the attempt and reads the answer whole.
func (w *world) send(a *attempt) response { return w.sendIn(context.Background(), a) }

func (w *world) sendIn(ctx context.Context, a *attempt) response {
	r, err := a.request(ctx)
	if err != nil { // nothing that a server could be sent
		return response{status: http.StatusBadRequest, header: http.Header{}}
	}
	out := &recorder{header: http.Header{}}
	w.handler.ServeHTTP(out, r)
	return response{out.status, out.header, out.body.Bytes()}
}

// recorder is a ResponseWriter that keeps what is written.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

func (r *recorder) Flush()                           {}
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }
func (r *recorder) ReadFrom(s io.Reader) (int64, error) {
	r.WriteHeader(200)
	return r.body.ReadFrom(s)
}
