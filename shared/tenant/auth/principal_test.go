package auth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/tabletest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// gateway is a door behind an authorizer, which it asks as API Gateway does.
type gateway struct {
	*auth.Door
	authorizer *auth.Authorizer
	tenants    *table.Table
	holds      time.Duration // of its cache; 0 = it has none

	broken atomic.Bool  // the tenants' table
	reads  atomic.Int32 // of it, and writes
	mu     sync.Mutex
	held   map[string]answered
}

type answered struct {
	auth.Authorization
	at time.Time
}

// newBehind is behindAuthorizer, with the gateway in hand.
func newBehind(t testing.TB, sites auth.Sites, w auth.Witness, routes ...auth.Route) (*door, *gateway) {
	t.Helper()
	dir, files := newDirectory(t)
	gw := &gateway{held: map[string]answered{}}
	gw.tenants = tabletest.Observe(newTable(t, t.TempDir()), func(context.Context, string) error {
		gw.reads.Add(1)
		if gw.broken.Load() {
			return errors.New("the table is away")
		}
		return nil
	})
	dir = dir.WithStandings(gw.tenants)
	var err error
	if gw.authorizer, err = auth.NewAuthorizer(dir, master); err != nil {
		t.Fatal(err)
	}
	g, err := auth.NewGateBehind(master, gw.tenants, sites, w)
	if err != nil {
		t.Fatal(err)
	}
	if len(routes) == 0 {
		routes = []auth.Route{echo()}
	}
	gw.Door = auth.Handler(g, routes)
	return &door{dir, g, files, gw}, gw
}

// ServeHTTP asks the authorizer, or its own memory of it. Whom that refuses comes in
// without its word, which a gateway would not let them.
func (gw *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	gw.ServePrincipal(w, r, gw.ask(r))
}

func (gw *gateway) ask(r *http.Request) auth.PrincipalToken {
	key := fmt.Sprint(r.Header["Authorization"], r.Header["X-Api-Key"])
	gw.mu.Lock()
	defer gw.mu.Unlock()
	if a, ok := gw.held[key]; ok && time.Since(a.at) < gw.holds {
		return a.Principal
	}
	a, err := gw.authorizer.Authorize(r.Context(), r.Header)
	if err != nil && !problem.Is(err, problem.Unauthenticated) {
		panic(err) // no test here has a directory that fails
	}
	gw.held[key] = answered{a, time.Now()}
	return a.Principal
}

// show asks the echo route with a credential and somebody's word, around the gateway.
func (gw *gateway) show(credential string, word auth.PrincipalToken, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/echo", strings.NewReader(`{"message":"hi"}`))
	r.Header.Set("Authorization", "Bearer "+credential)
	for p := range slices.Chunk(headers, 2) {
		r.Header.Add(p[0], p[1])
	}
	w := httptest.NewRecorder()
	gw.ServePrincipal(w, r, word)
	return w
}

// word is what the authorizer says of a credential.
func (gw *gateway) word(t testing.TB, credential string) auth.PrincipalToken {
	t.Helper()
	a, err := gw.authorizer.Authorize(t.Context(), http.Header{"Authorization": {"Bearer " + credential}})
	if err != nil {
		t.Fatal(err)
	}
	return a.Principal
}

// Whoever has no word of the authorizer's for the credential they show is nobody, with
// the one answer that all of those get.
// flipped is the text with another last character.
func flipped(text string) string {
	if last := len(text) - 1; text[last] != '0' {
		return text[:last] + "0"
	}
	return text[:len(text)-1] + "1"
}

func TestPrincipalTokens(t *testing.T) {
	t.Parallel()
	d, gw := newBehind(t, nil, nil)
	_, mine := d.issue(t, auth.Credential{})
	_, second := d.issue(t, auth.Credential{}) // of the same project
	_, theirs := d.issue(t, auth.Credential{Project: "bolt"})
	_, operator := d.issue(t, auth.Credential{Kind: auth.OperatorKey})
	good := gw.word(t, mine)
	parts := strings.Split(string(good), ".")
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(string(good), claims); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprint(claims), "hash") || strings.Contains(string(good), mine) {
		t.Errorf("the word tells of the secret: %v", claims)
	}
	sign := func(method jwt.SigningMethod, key any, edit func(jwt.MapClaims)) auth.PrincipalToken {
		c := jwt.MapClaims{}
		for k, v := range claims {
			c[k] = v
		}
		if edit != nil {
			edit(c)
		}
		text, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return auth.PrincipalToken(text)
	}
	derived := func(master []byte, purpose string) []byte {
		key, err := auth.Derive(master, purpose)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	ours, others := derived(master, "principal token"), derived(bytes.Repeat([]byte("n"), 32), "principal token")
	_, ed, _ := ed25519.GenerateKey(nil)
	one := requestID.ReplaceAllString(d.say("sk_nothing").Body.String(), "")
	for name, c := range map[string]struct {
		credential string
		word       auth.PrincipalToken
		status     int
	}{
		"control":                           {mine, good, 200},
		"control, signed by the test":       {mine, sign(jwt.SigningMethodHS256, ours, nil), 200},
		"none":                              {mine, "", 401},
		"the neighbour's":                   {mine, gw.word(t, theirs), 401},
		"for the neighbour":                 {theirs, good, 401},
		"of another key of the project":     {mine, gw.word(t, second), 401},
		"an operator's":                     {mine, gw.word(t, operator), 401},
		"for a wrong secret":                {flipped(mine), good, 401},
		"shown as the credential":           {string(good), good, 401},
		"the credential as the word":        {mine, auth.PrincipalToken(mine), 401},
		"another master key":                {mine, sign(jwt.SigningMethodHS256, others, nil), 401},
		"the key of widget tokens":          {mine, sign(jwt.SigningMethodHS256, derived(master, "widget token"), nil), 401},
		"the master key itself":             {mine, sign(jwt.SigningMethodHS256, master, nil), 401},
		"the empty key":                     {mine, sign(jwt.SigningMethodHS256, []byte{}, nil), 401},
		"alg none":                          {mine, sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), 401},
		"alg none, same claims":             {mine, auth.PrincipalToken("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + "."), 401},
		"HS512":                             {mine, sign(jwt.SigningMethodHS512, ours, nil), 401},
		"EdDSA":                             {mine, sign(jwt.SigningMethodEdDSA, ed, nil), 401},
		"no signature":                      {mine, auth.PrincipalToken(parts[0] + "." + parts[1] + "."), 401},
		"four parts":                        {mine, good + ".x", 401},
		"two words":                         {mine, good + "," + good, 401},
		"with a space":                      {mine, " " + good, 401},
		"padded":                            {mine, good + "=", 401},
		"JSON":                              {mine, `{"key":{"kind":"sk","project":"acme"}}`, 401},
		"very long":                         {mine, auth.PrincipalToken(parts[0] + "." + strings.Repeat("A", 1<<20) + "." + parts[2]), 401},
		"signed by the test, expired":       {mine, sign(jwt.SigningMethodHS256, ours, func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Second).Unix() }), 401},
		"signed by the test, for ever":      {mine, sign(jwt.SigningMethodHS256, ours, func(c jwt.MapClaims) { delete(c, "exp") }), 401},
		"signed by the test, a widget's":    {mine, sign(jwt.SigningMethodHS256, ours, func(c jwt.MapClaims) { c["aud"] = "switchboard/widget" }), 401},
		"signed by the test, of no key":     {mine, sign(jwt.SigningMethodHS256, ours, func(c jwt.MapClaims) { delete(c, "key") }), 401},
		"signed by the test, for no digest": {mine, sign(jwt.SigningMethodHS256, ours, func(c jwt.MapClaims) { delete(c, "for") }), 401},
		"signed by the test, for a prefix":  {mine, sign(jwt.SigningMethodHS256, ours, func(c jwt.MapClaims) { c["for"] = c["for"].(string)[:20] }), 401},
	} {
		w := gw.show(c.credential, c.word)
		if w.Code != c.status || w.Code == 401 && requestID.ReplaceAllString(w.Body.String(), "") != one {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for i := range good { // each byte
		b := []byte(good)
		if b[i] ^= 1; b[i] == '.' || good[i] == '.' {
			b[i] = 'A'
		}
		if w := gw.show(mine, auth.PrincipalToken(b)); w.Code != 401 {
			t.Errorf("with byte %d of %d changed: %d", i, len(good), w.Code)
		}
	}
	// It is a parameter of the host's: nothing that a client sends is taken for it, and
	// who serves plain HTTP has none.
	for _, name := range []string{"Principal", "X-Principal", "X-Switchboard-Principal", "X-Amzn-Principal", "X-Amzn-Request-Context", "X-Authorizer-Principal", "Cookie"} {
		for _, value := range []string{string(good), "principal=" + string(good), `{"authorizer":{"principal":"` + string(good) + `"}}`} {
			if w := gw.show(mine, "", name, value); w.Code != 401 {
				t.Errorf("in the header %s: %d", name, w.Code)
			}
		}
	}
	if w := ask(gw.Door, "POST", "/echo?principal="+string(good), `{"message":"hi"}`, "Authorization", "Bearer "+mine); w.Code != 401 {
		t.Errorf("over plain HTTP: %d", w.Code)
	}
}

// A gate over the directory believes the directory, whatever an event says.
func TestADirectorysGateBelievesNoToken(t *testing.T) {
	t.Parallel()
	d, gw := newBehind(t, nil, nil)
	c, text := d.issue(t, auth.Credential{})
	word := gw.word(t, text)
	believes := func() int { // by a gate that holds nothing yet
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/echo", strings.NewReader(`{"message":"hi"}`))
		r.Header.Set("Authorization", "Bearer "+text)
		auth.Handler(auth.NewGate(d.dir, nil, nil), []auth.Route{echo()}).ServePrincipal(w, r, word)
		return w.Code
	}
	if code := believes(); code != 200 {
		t.Errorf("control: %d", code)
	}
	if err := d.dir.Revoke(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if code := believes(); code != 401 {
		t.Errorf("revoked, with a word that says it is not: %d", code)
	}
}

func TestSuspendedBehindAnAuthorizer(t *testing.T) {
	t.Parallel()
	d, gw := newBehind(t, nil, nil)
	_, text := d.issue(t, auth.Credential{})
	_, other := d.issue(t, auth.Credential{Project: "bolt"})
	id, _ := tenant.ParseID("acme")
	if err := d.dir.SuspendProject(t.Context(), id, "unpaid"); err != nil {
		t.Fatal(err)
	}
	if w := gw.show(text, gw.word(t, text)); w.Code != 403 || !strings.Contains(w.Body.String(), `"reason":"suspended"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	wantStatus(t, gw.show(other, gw.word(t, other)), 200)
}

// What is counted is told apart, and the same each time.
func TestUsageKeys(t *testing.T) {
	t.Parallel()
	u, err := auth.NewUsageKeys(master)
	if err != nil {
		t.Fatal(err)
	}
	v, err := auth.NewUsageKeys(bytes.Repeat([]byte("n"), 32))
	if err != nil {
		t.Fatal(err)
	}
	acme, _ := tenant.ParseID("acme")
	named, _ := tenant.ParseID("operators")
	all := []string{u.Project(acme), u.Project(named), u.Operators(), v.Project(acme), v.Operators()}
	for i, k := range all {
		if len(k) != 40 || slices.Index(all, k) != i {
			t.Errorf("%q", all)
		}
	}
	if again, _ := auth.NewUsageKeys(master); again.Project(acme) != all[0] {
		t.Error("it is another key each time")
	}
	if _, err := auth.NewUsageKeys(master[:31]); err == nil {
		t.Error("a short master key does")
	}
}
