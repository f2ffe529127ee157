package auth_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

const (
	home   = "https://www.acme.example"
	foreig = "https://www.acme.example.evil.example"
)

// sites are companies by project.
type sites map[string]auth.Site

func (s sites) Site(_ context.Context, sc tenant.Scope) (auth.Site, error) {
	site, ok := s[sc.Project().String()]
	if !ok {
		return auth.Site{}, problem.New(problem.NotFound, "sites.Site", "no such project")
	}
	return site, nil
}

// who is what a handler sees of a scope.
type who struct {
	Project   string `json:"project"`
	Kind      string `json:"kind"`
	Actor     string `json:"actor"`
	Assistant string `json:"assistant"`
	Person    string `json:"person"`
	Proven    bool   `json:"proven"`
}

func whoami() auth.Route {
	allow := auth.Allow{Kinds: []auth.Kind{auth.SecretKey, auth.VisitorToken, auth.OperatorKey}, Can: tenant.CanChat}
	return auth.JSON("POST /who", allow, func(_ context.Context, sc tenant.Scope, _ *auth.Request[auth.None]) (who, error) {
		return who{sc.Project().String(), sc.Kind().String(), sc.Actor(), sc.Assistant(), sc.Person(), sc.Proven()}, nil
	})
}

// page is a company's page in a browser.
type page struct {
	*door
	key, pk, other string
	sign           ed25519.PrivateKey
}

func newPage(t *testing.T, by way) *page {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{sign: private}
	p.door = by(t, sites{
		"acme": {Origins: []string{home, "https://shop.acme.example:8443"}, Assistants: []string{"website", "intern"}, Identity: []ed25519.PublicKey{public}},
		"bolt": {Origins: []string{"https://bolt.example"}, Assistants: []string{"website"}},
		"none": {Assistants: []string{"website"}},
	}, nil, whoami(), auth.WidgetToken())
	c, pk := p.issue(t, auth.Credential{Kind: auth.Publishable})
	p.key, p.pk = c.ID, pk
	_, p.other = p.issue(t, auth.Credential{Kind: auth.Publishable, Project: "bolt"})
	return p
}

// token asks for a token; an origin of "" sends none.
func (p *page) token(credential, origin, body string) *httptest.ResponseRecorder {
	h := []string{"Authorization", "Bearer " + credential}
	if origin != "" {
		h = append(h, "Origin", origin)
	}
	return ask(p, "POST", "/v1/widget/token", body, h...)
}

type given struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires_at"`
	Visitor string    `json:"visitor_id"`
}

func (p *page) give(t testing.TB, credential, body string) given {
	t.Helper()
	w := p.token(credential, home, body)
	wantStatus(t, w, 200)
	var g given
	if err := json.Unmarshal(w.Body.Bytes(), &g); err != nil || g.Token == "" {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return g
}

// who asks who the token is, from the origin.
func (p *page) who(t *testing.T, token, origin string) (int, who) {
	t.Helper()
	h := []string{"Authorization", "Bearer " + token}
	if origin != "" {
		h = append(h, "Origin", origin)
	}
	w := ask(p, "POST", "/who", "", h...)
	var got who
	if w.Code == 200 {
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
	}
	// Only the page it was given to may read the answer, whatever it is.
	if allowed := w.Header().Get("Access-Control-Allow-Origin"); allowed != "" && allowed != home || w.Code == 200 && allowed != origin {
		t.Errorf("status %d and Access-Control-Allow-Origin %q for %q", w.Code, allowed, origin)
	}
	return w.Code, got
}

const website = `{"assistant":"website"}`

func TestWidgetToken(t *testing.T) { bothWays(t, testWidgetToken) }

func testWidgetToken(t *testing.T, by way) {
	t.Parallel()
	p := newPage(t, by)
	g := p.give(t, p.pk, website)
	if left := time.Until(g.Expires); left > 15*time.Minute || left < 14*time.Minute {
		t.Errorf("it holds for %v", left)
	}
	code, got := p.who(t, g.Token, home)
	if code != 200 || got.Project != "acme" || got.Kind != "widget_token" || got.Actor != p.key || got.Assistant != "website" ||
		!strings.HasPrefix(got.Person, "visitor:") || !got.Proven {
		t.Errorf("%d %+v", code, got)
	}
	// Who kept the visitor's id is that visitor again; who did not is another.
	if _, again := p.who(t, p.give(t, p.pk, `{"assistant":"website","visitor_id":"`+g.Visitor+`"}`).Token, home); again.Person != got.Person || !again.Proven {
		t.Errorf("again: %+v", again)
	}
	if _, other := p.who(t, p.give(t, p.pk, website).Token, home); other.Person == got.Person {
		t.Error("two visitors are one")
	}
	// An id that a page made up is a claim, and no other kind of person has its name.
	if _, claim := p.who(t, p.give(t, p.pk, `{"assistant":"website","visitor_id":"ada"}`).Token, home); claim.Person != "visitor:~ada" || claim.Proven {
		t.Errorf("a claim: %+v", claim)
	}
}

// TestTokenIsRefused: each refusal beside the control, which is TestWidgetToken.
func TestTokenIsRefused(t *testing.T) { bothWays(t, testTokenIsRefused) }

func testTokenIsRefused(t *testing.T, by way) {
	t.Parallel()
	p := newPage(t, by)
	_, sk := p.issue(t, auth.Credential{})
	_, none := p.issue(t, auth.Credential{Kind: auth.Publishable, Project: "none"})
	_, op := p.issue(t, auth.Credential{Kind: auth.OperatorKey})
	forged := p.give(t, p.pk, website).Visitor
	if last := len(forged) - 1; forged[last] == 'a' {
		forged = forged[:last] + "b"
	} else {
		forged = forged[:last] + "a"
	}
	for _, c := range []struct {
		name, credential, origin, body string
		code                           int
	}{
		{"another origin", p.pk, "https://evil.example", website, 403},
		{"a longer origin", p.pk, foreig, website, 403},
		{"a subdomain", p.pk, "https://a.www.acme.example", website, 403},
		{"the parent domain", p.pk, "https://acme.example", website, 403},
		{"http", p.pk, "http://www.acme.example", website, 403},
		{"a port", p.pk, home + ":8443", website, 403},
		{"a path", p.pk, home + "/", website, 403},
		{"upper case", p.pk, "https://WWW.acme.example", website, 403},
		{"null", p.pk, "null", website, 403},
		{"no origin", p.pk, "", website, 403},
		{"the neighbour's origin", p.pk, "https://bolt.example", website, 403},
		{"no origins at all", none, home, website, 403},
		{"the neighbour's key", p.other, home, website, 403},
		{"a secret key", sk, home, website, 403},
		{"an operator key", op, home, website, 403},
		{"nobody", "", home, website, 401},
		{"an unknown key", "pk_0000000000000000", home, website, 401},
		{"an unknown assistant", p.pk, home, `{"assistant":"cellar"}`, 404},
		{"no assistant", p.pk, home, `{}`, 400},
		{"a forged visitor", p.pk, home, `{"assistant":"website","visitor_id":"` + forged + `"}`, 400},
		{"a visitor without a mark", p.pk, home, `{"assistant":"website","visitor_id":"v_0123"}`, 400},
		{"an odd visitor", p.pk, home, `{"assistant":"website","visitor_id":"a\nb"}`, 400},
		{"an identity of nobody", p.pk, home, `{"assistant":"website","identity":"x"}`, 401},
		{"a project in the body", p.pk, home, `{"assistant":"website","project":"bolt"}`, 400},
	} {
		w := p.token(c.credential, c.origin, c.body)
		if w.Code != c.code {
			t.Errorf("%s: %d, want %d: %s", c.name, w.Code, c.code, w.Body)
		}
		if c.code == 403 && w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", c.name, w.Header())
		}
	}
	w := ask(p, "POST", "/v1/widget/token", website, "Authorization", "Bearer "+p.pk, "Origin", home, "Origin", home)
	if w.Code != 403 {
		t.Errorf("two origins: %d", w.Code)
	}
}

func TestATokenIsOfItsOriginAndTime(t *testing.T) { bothWays(t, testATokenIsOfItsOriginAndTime) }

func testATokenIsOfItsOriginAndTime(t *testing.T, by way) {
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t, by)
		token := p.give(t, p.pk, website).Token
		for origin, want := range map[string]int{home: 200, "https://shop.acme.example:8443": 403, "https://evil.example": 403, "null": 403, "": 403} {
			if code, _ := p.who(t, token, origin); code != want {
				t.Errorf("from %q: %d, want %d", origin, code, want)
			}
		}
		if w := p.token(token, "https://shop.acme.example:8443", website); w.Code != 403 {
			t.Errorf("renewed from another origin: %d", w.Code)
		}
		time.Sleep(14 * time.Minute)
		if code, _ := p.who(t, token, home); code != 200 {
			t.Errorf("after 14 minutes: %d", code)
		}
		time.Sleep(2 * time.Minute)
		if code, _ := p.who(t, token, home); code != 401 {
			t.Errorf("after 16 minutes: %d", code)
		}
	})
}

func TestRenewal(t *testing.T) { bothWays(t, testRenewal) }

func testRenewal(t *testing.T, by way) {
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t, by)
		token := p.give(t, p.pk, website).Token
		_, first := p.who(t, token, home)
		for _, c := range []struct {
			body string
			code int
		}{
			{`{"assistant":"intern"}`, 404}, {`{"assistant":"website","visitor_id":"ada"}`, 400}, {`{"assistant":"website","identity":"x"}`, 400},
		} {
			if w := p.token(token, home, c.body); w.Code != c.code {
				t.Errorf("renewed with %s: %d, want %d", c.body, w.Code, c.code)
			}
		}
		began := time.Now()
		for time.Since(began) < 12*time.Hour {
			token = p.give(t, token, website).Token
			if _, now := p.who(t, token, home); now != first {
				t.Fatalf("after %v: %+v, was %+v", time.Since(began), now, first)
			}
			time.Sleep(10 * time.Minute)
		}
		time.Sleep(4 * time.Minute)
		if w := p.token(token, home, website); w.Code != 401 {
			t.Errorf("renewed after %v: %d", time.Since(began), w.Code)
		}
	})
}

// What ends a credential, a project or a person ends what was given for it.
func TestTokensEndWithWhatTheyWereGivenFor(t *testing.T) {
	bothWays(t, testTokensEndWithWhatTheyWereGivenFor)
}

func testTokensEndWithWhatTheyWereGivenFor(t *testing.T, by way) {
	for name, end := range map[string]func(*testing.T, *page, tenant.ID) error{
		"the key is revoked": func(t *testing.T, p *page, _ tenant.ID) error { return p.dir.Revoke(t.Context(), p.key) },
		"the project suspended": func(t *testing.T, p *page, id tenant.ID) error {
			return p.dir.SuspendProject(t.Context(), id, "unpaid")
		},
		"the person suspended": func(t *testing.T, p *page, id tenant.ID) error {
			return p.dir.SuspendPerson(t.Context(), id, "visitor:~ada")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPage(t, by)
				id, _ := tenant.ParseID("acme")
				body := `{"assistant":"website","visitor_id":"ada"}`
				token, bob := p.give(t, p.pk, body).Token, p.give(t, p.pk, `{"assistant":"website","visitor_id":"bob"}`).Token
				if err := end(t, p, id); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if code, _ := p.who(t, token, home); code != 401 && code != 403 {
					t.Errorf("a minute after: %d", code)
				}
				if w := p.token(p.pk, home, body); w.Code != 401 && w.Code != 403 {
					t.Errorf("a new one: %d", w.Code)
				}
				if code, _ := p.who(t, bob, home); (code == 200) != (name == "the person suspended") {
					t.Errorf("another visitor: %d", code)
				}
				if err := errors.Join(p.dir.ResumeProject(t.Context(), id), p.dir.ResumePerson(t.Context(), id, "visitor:~ada")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if code, _ := p.who(t, token, home); (code == 200) != (name != "the key is revoked") {
					t.Errorf("after it was undone: %d", code)
				}
			})
		})
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	p := newPage(t, overDirectory)
	for _, c := range []struct {
		path, method, origin string
		code                 int
	}{
		{"/v1/widget/token", "POST", home, 204},
		{"/who", "POST", "https://anybody.example", 204}, // it says nothing of whose the origin is
		{"/who", "POST", "null", 403},
		{"/who", "POST", "", 403},
		{"/who", "DELETE", home, 403},
		{"/nothing", "POST", home, 403},
	} {
		h := []string{"Access-Control-Request-Method", c.method, "Access-Control-Request-Headers", "authorization"}
		if c.origin != "" {
			h = append(h, "Origin", c.origin)
		}
		w := ask(p, "OPTIONS", c.path, "", h...)
		if allowed := w.Header().Get("Access-Control-Allow-Origin"); w.Code != c.code || (allowed == c.origin && c.origin != "") != (c.code == 204) || w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%+v: %d %v", c, w.Code, w.Header())
		}
	}
}
