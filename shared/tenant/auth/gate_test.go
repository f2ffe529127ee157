package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"switchboard/shared/cache"
	"switchboard/shared/seal"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/table/tabletest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

// Every credential that does not hold gets one answer, to the byte.
func TestUnauthenticated(t *testing.T) { bothWays(t, testUnauthenticated) }

func testUnauthenticated(t *testing.T, by way) {
	t.Parallel()
	d := by(t, nil, nil)
	c, good := d.issue(t, auth.Credential{})
	revoked, dead := d.issue(t, auth.Credential{})
	if err := d.dir.Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	_, expired := d.issue(t, auth.Credential{Expires: time.Now().Add(-time.Second)})
	_, pk := d.issue(t, auth.Credential{Kind: auth.Publishable})
	_, second := d.issue(t, auth.Credential{})
	wrong := "sk_" + c.ID + "_" + someSecret
	const a, x = "Authorization", "X-Api-Key"
	var first string
	for _, tc := range []struct {
		name    string
		headers []string
	}{
		{"no credential", nil},
		{"empty", []string{a, ""}},
		{"scheme alone", []string{a, "Bearer"}},
		{"scheme and space", []string{a, "Bearer "}},
		{"no scheme", []string{a, good}},
		{"another scheme", []string{a, "Basic " + good}},
		{"tab for space", []string{a, "Bearer\t" + good}},
		{"two in one", []string{a, "Bearer " + good + "," + good}},
		{"two in one, spaced", []string{a, "Bearer " + good + " " + good}},
		{"sent twice", []string{a, "Bearer " + good, a, "Bearer " + good}},
		{"sent twice beside a key", []string{a, "Bearer " + good, a, "Bearer " + good, x, good}},
		{"key sent twice", []string{x, good, x, good}},
		{"two that differ", []string{a, "Bearer " + good, x, second}},
		{"empty beside a key", []string{a, "", x, good}},
		{"scheme alone beside a key", []string{a, "Bearer ", x, good}},
		{"another scheme beside a key", []string{a, "Basic abc", x, good}},
		{"empty key beside a bearer", []string{a, "Bearer " + good, x, ""}},
		{"empty key", []string{x, ""}},
		{"scheme in the key", []string{x, "Bearer " + good}},
		{"wrong secret", []string{a, "Bearer " + wrong}},
		{"kind swapped, sk to op", []string{a, "Bearer op" + good[2:]}},
		{"kind swapped, pk to sk", []string{a, "Bearer sk" + pk[2:] + "_" + someSecret}},
		{"kind swapped, sk to pk", []string{a, "Bearer pk_" + c.ID}},
		{"id of one, secret of another", []string{a, "Bearer " + good[:20] + second[20:]}},
		{"secret cut", []string{a, "Bearer " + good[:len(good)-1]}},
		{"upper case", []string{a, "Bearer " + strings.ToUpper(good)}},
		{"unknown id", []string{a, "Bearer sk_" + someID + "_" + someSecret}},
		{"revoked", []string{a, "Bearer " + dead}},
		{"expired", []string{a, "Bearer " + expired}},
		{"injection", []string{a, "Bearer sk_' OR 1=1 --"}},
	} {
		w := ask(d, "POST", "/echo", `{"message":"hi"}`, tc.headers...)
		got := fmt.Sprintln(w.Code, w.Header().Get("Content-Type"), w.Header().Get("WWW-Authenticate"), w.Header().Get("Cache-Control"),
			requestID.ReplaceAllString(w.Body.String(), ""))
		if first == "" {
			first = got
		}
		if got != first || w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %s; want %s", tc.name, got, first)
		}
	}
	for _, headers := range [][]string{
		{a, "Bearer " + good}, {a, "bearer " + good}, {a, "BEARER  " + good + " "}, {x, good}, {a, "Bearer " + good, x, good},
	} {
		wantStatus(t, ask(d, "POST", "/echo", `{"message":"hi"}`, headers...), 200)
	}
}

func TestScopeIsTheCredentials(t *testing.T) { bothWays(t, testScopeIsTheCredentials) }

func testScopeIsTheCredentials(t *testing.T, by way) {
	t.Parallel()
	d := by(t, nil, nil)
	_, a := d.issue(t, auth.Credential{Project: "acme"})
	_, b := d.issue(t, auth.Credential{Project: "beta"})
	for text, project := range map[string]string{a: "acme", b: "beta"} {
		w := ask(d, "POST", "/echo?q=beta&project=beta&tenant=beta", `{"message":"beta"}`, "Authorization", "Bearer "+text,
			"X-Amz-Tenant-Id", "beta", "X-Tenant-Id", "beta", "X-Project-Id", "beta", "X-Request-From", "internal", "Cookie", "project=beta")
		wantStatus(t, w, 200)
		if !strings.Contains(w.Body.String(), `"project":"`+project+`"`) {
			t.Errorf("of %s: %s", project, w.Body)
		}
	}
}

// A Scope has what its credential has, and not a bit more.
func TestScopeIsNoWiderThanTheCredential(t *testing.T) {
	bothWays(t, testScopeIsNoWiderThanTheCredential)
}

func testScopeIsNoWiderThanTheCredential(t *testing.T, by way) {
	t.Parallel()
	var got tenant.Scope
	d := by(t, nil, nil, noBody("GET /scope", func(_ context.Context, sc tenant.Scope) error { got = sc; return nil }))
	for _, can := range []tenant.Capability{tenant.CanChat, tenant.CanReadConversations, tenant.CanChat | tenant.CanReadConversations} {
		c, text := d.issue(t, auth.Credential{Can: can})
		wantStatus(t, ask(d, "GET", "/scope", "", "Authorization", "Bearer "+text), 200)
		for _, one := range []tenant.Capability{tenant.CanChat, tenant.CanReadConversations, 1 << 20} {
			if got.Can(one) != (can&one != 0) {
				t.Errorf("of a credential with %b: Can(%b) = %v", can, one, got.Can(one))
			}
		}
		if got.Actor() != c.ID || got.Kind().String() != "secret_key" || got.Role() != c.Role || got.Project().String() != "acme" {
			t.Errorf("%+v of %+v", got, c)
		}
	}
}

func TestForbidden(t *testing.T) { bothWays(t, testForbidden) }

func testForbidden(t *testing.T, by way) {
	t.Parallel()
	ok := func(http.ResponseWriter, *http.Request) {}
	d := by(t, nil, nil, echo(),
		auth.JSON("GET /none", auth.Allow{}, pass), auth.JSON("GET /op", auth.Allow{Kinds: []auth.Kind{auth.OperatorKey}}, pass),
		auth.Public("GET /public", http.HandlerFunc(ok)))
	_, pk := d.issue(t, auth.Credential{Kind: auth.Publishable})
	_, op := d.issue(t, auth.Credential{Kind: auth.OperatorKey, Can: tenant.CanChat})
	_, narrow := d.issue(t, auth.Credential{Can: tenant.CanReadConversations})
	_, full := d.issue(t, auth.Credential{})
	for _, c := range []struct {
		name, method, path, text string
		code                     int
	}{
		{"publishable key", "POST", "/echo", pk, 403},
		{"operator key opens no company's data", "POST", "/echo", op, 403},
		{"no capability", "POST", "/echo", narrow, 403},
		{"control", "POST", "/echo", full, 200},
		{"zero Allow", "GET", "/none", full, 403},
		{"zero Allow, operator", "GET", "/none", op, 403},
		{"operator where allowed gets no Scope", "GET", "/op", op, 403},
		{"public", "GET", "/public", "", 200},
	} {
		if w := ask(d, c.method, c.path, `{"message":"hi"}`, "Authorization", "Bearer "+c.text); w.Code != c.code {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.code)
		}
	}
}

// A known credential outlives the directory until it is stale; an unknown one is
// refused for want of an answer, not let in and not called wrong.
func TestDirectoryDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		_, known := d.issue(t, auth.Credential{})
		_, unseen := d.issue(t, auth.Credential{})
		wantStatus(t, d.say(known), 200)
		if err := d.dir.Close(); err != nil {
			t.Fatal(err)
		}
		w := d.say(unseen)
		wantStatus(t, w, 503)
		if w.Header().Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		wantStatus(t, d.say("sk_malformed"), 401)
		for range 49 { // one second short of stale
			time.Sleep(time.Second)
			wantStatus(t, d.say(known), 200)
		}
		time.Sleep(2 * time.Second)
		wantStatus(t, d.say(known), 503)
		synctest.Wait()
	})
}

// Guessed ids take bounded memory and do not push out a credential that exists.
func TestFlood(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	_, text := d.issue(t, auth.Credential{})
	wantStatus(t, d.say(text), 200)
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	for i := range auth.MaxUnknown + 500 {
		id := []byte(someID)
		id[0], id[1], id[2] = alphabet[i&31], alphabet[i>>5&31], alphabet[i>>10&31]
		if w := d.say("sk_" + string(id) + "_" + someSecret); w.Code != 401 {
			t.Fatalf("guess %d: %d", i, w.Code)
		}
	}
	if known, unknown := d.gate.Held(); known != 1 || unknown > auth.MaxUnknown {
		t.Errorf("held: %d known, %d unknown", known, unknown)
	}
	d.dir.Close()
	wantStatus(t, d.say(text), 200)
}

// remote is a door whose directory is across a network that a test can hold up.
func remote(t *testing.T) (*door, *dynamotest.Server) {
	t.Helper()
	endpoint, server := dynamotest.Start(t)
	client := dynamodb.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	if err := dynamotable.CreateTable(t.Context(), client, "directory"); err != nil {
		t.Fatal(err)
	}
	tbl, err := dynamotable.Open(dynamotable.Config{Client: client, Table: "directory", CursorKey: make([]byte, 32), Sealer: sealtest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := auth.NewDirectory(tbl, master)
	if err != nil {
		t.Fatal(err)
	}
	g := auth.NewGate(dir, nil, nil)
	return &door{dir: dir, gate: g, Handler: auth.Handler(g, []auth.Route{echo()})}, server
}

// Many who ask for the same credential at the same time ask the directory once.
func TestLookupsAreShared(t *testing.T) {
	t.Parallel()
	d, server := remote(t)
	_, text := d.issue(t, auth.Credential{})
	release := make(chan struct{})
	server.OnCall(func(dynamotest.Call) dynamotest.Fault { return dynamotest.Fault{Wait: release} })
	before := server.Calls("GetItem")
	answers := make([]*httptest.ResponseRecorder, 64)
	var wg, begun sync.WaitGroup
	for i := range answers {
		begun.Add(1)
		wg.Go(func() { begun.Done(); answers[i] = d.say(text) })
	}
	begun.Wait()
	close(release)
	wg.Wait()
	for _, w := range answers {
		wantStatus(t, w, 200)
	}
	if n := server.Calls("GetItem") - before; n != 2 { // the credential, and its project
		t.Errorf("%d reads of the directory", n)
	}
}

// A credential is looked up again before it is stale, and no request waits for it.
func TestRefreshHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	d, server := remote(t)
	_, text := d.issue(t, auth.Credential{})
	wantStatus(t, d.say(text), 200)
	release, arrived := make(chan struct{}), make(chan struct{}, 16)
	server.OnCall(func(dynamotest.Call) dynamotest.Fault {
		arrived <- struct{}{}
		return dynamotest.Fault{Wait: release}
	})
	before := server.Calls("GetItem")
	d.gate.Suspend(cache.Fresh)
	for range 100 {
		wantStatus(t, d.say(text), 200)
	}
	<-arrived
	<-arrived
	if n := server.Calls("GetItem") - before; n != 2 { // the credential, and its project
		t.Errorf("%d reads of the directory", n)
	}
	close(release)
}

// A look-up in the background is on nobody's goroutine: a panic in it, left alone,
// would end the process. It is a look-up that failed.
func TestARefreshThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tbl, err := sqlitetable.Open(t.TempDir(), make([]byte, 32), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tbl.Close()
		var broken atomic.Bool
		dir, err := auth.NewDirectory(tabletest.Observe(tbl, func(context.Context, string) error {
			if broken.Load() {
				panic("directory")
			}
			return nil
		}).SealedBy(seal.Unsealed()), master)
		if err != nil {
			t.Fatal(err)
		}
		d := &door{dir: dir, gate: auth.NewGate(dir, nil, nil)}
		d.Handler = auth.Handler(d.gate, []auth.Route{echo()})
		_, text := d.issue(t, auth.Credential{})
		wantStatus(t, d.say(text), 200)
		broken.Store(true)
		time.Sleep(cache.Fresh)
		wantStatus(t, d.say(text), 200)
		synctest.Wait()
		broken.Store(false)
		time.Sleep(time.Second)
		wantStatus(t, d.say(text), 200) // and it is looked up again
		synctest.Wait()
		broken.Store(true)
		time.Sleep(cache.Stale - time.Second)
		wantStatus(t, d.say(text), 200)
		synctest.Wait()
	})
}

// Two who revoke a credential at the same moment have both done it.
func TestRevokeAtOnce(t *testing.T) {
	t.Parallel()
	d, server := remote(t)
	c, text := d.issue(t, auth.Credential{})
	both := make(chan struct{})
	before := server.Calls("GetItem")
	server.OnCall(func(call dynamotest.Call) dynamotest.Fault {
		if call.Op != "GetItem" {
			return dynamotest.Fault{}
		}
		if call.N == before+2 { // both have read what neither has written
			close(both)
		}
		return dynamotest.Fault{Wait: both}
	})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := d.dir.Revoke(t.Context(), c.ID); err != nil {
				t.Errorf("Revoke: %v", err)
			}
		})
	}
	wg.Wait()
	if _, ok, err := d.dir.Verify(t.Context(), auth.SecretKey, text); ok || err != nil {
		t.Errorf("revoked: %v, %v", ok, err)
	}
}
