package auth_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
	"switchboard/shared/tenant/tenanttest"
)

// ends is how a stream ended.
type ends struct {
	took  time.Duration
	cause error
}

// streaming is a route at POST /open that is open for ten minutes or until it is ended.
func streaming(out chan<- ends) auth.Route {
	allow := auth.Allow{Kinds: []auth.Kind{auth.SecretKey, auth.VisitorToken, auth.OperatorKey}, Can: tenant.CanChat}
	return auth.Stream("POST /open", allow, func(ctx context.Context, _ tenant.Scope, _ *auth.Request[auth.None], reply *auth.Reply) error {
		began := time.Now()
		reply.Events()
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Minute):
		}
		out <- ends{time.Since(began), context.Cause(ctx)}
		reply.Event("done", []byte("{}"))
		return nil
	})
}

// open opens a stream by way of the gateway, or with a word that was had before.
func (gw *gateway) open(credential string, word auth.PrincipalToken, headers ...string) {
	r := httptest.NewRequest("POST", "/open", nil)
	r.Header.Set("Authorization", "Bearer "+credential)
	r.Header.Set("Origin", home)
	for p := range slices.Chunk(headers, 2) {
		r.Header.Add(p[0], p[1])
	}
	if word == "" {
		word = gw.ask(r)
	}
	go gw.ServePrincipal(httptest.NewRecorder(), r, word)
}

// visited is a site behind an authorizer with two visitors.
type visited struct {
	*page
	gw       *gateway
	ada, bob string
}

func newVisited(t *testing.T, out chan<- ends) *visited {
	t.Helper()
	v := &visited{page: &page{}}
	v.door, v.gw = newBehind(t, sites{"acme": {Origins: []string{home}, Assistants: []string{"website"}}}, &notary{}, streaming(out), auth.WidgetToken())
	c, pk := v.issue(t, auth.Credential{Kind: auth.Publishable})
	v.key, v.pk = c.ID, pk
	v.ada = v.give(t, v.pk, `{"assistant":"website","visitor_id":"ada"}`).Token
	v.bob = v.give(t, v.pk, `{"assistant":"website","visitor_id":"bob"}`).Token
	return v
}

// What a stream was opened with, its project or its person ends, and the stream ends
// within a minute, though nobody asks the directory; what is not concerned goes on.
func TestOpenStreamsEndByTheirStanding(t *testing.T) {
	acme, _ := tenant.ParseID("acme")
	for name, c := range map[string]struct {
		end  func(*visited, auth.Credential) error
		over []string // whose streams end
		kind problem.Kind
	}{
		"the secret key":      {func(v *visited, k auth.Credential) error { return v.dir.Revoke(context.Background(), k.ID) }, []string{"key"}, problem.Unauthenticated},
		"the publishable key": {func(v *visited, _ auth.Credential) error { return v.dir.Revoke(context.Background(), v.key) }, []string{"ada", "bob"}, problem.Unauthenticated},
		"one of the project's own": {func(v *visited, _ auth.Credential) error {
			_, err := v.dir.RevokeOf(context.Background(), acme, v.key)
			return err
		}, []string{"ada", "bob"}, problem.Unauthenticated},
		"a person": {func(v *visited, _ auth.Credential) error {
			return v.dir.SuspendPerson(context.Background(), acme, "visitor:~ada")
		}, []string{"ada"}, problem.Forbidden},
		"the project": {func(v *visited, _ auth.Credential) error {
			return v.dir.SuspendProject(context.Background(), acme, "unpaid")
		}, []string{"key", "ada", "bob"}, problem.Forbidden},
		"nothing": {func(*visited, auth.Credential) error { return nil }, nil, 0},
	} {
		for _, when := range []time.Duration{time.Second, 26 * time.Second, 49 * time.Second, 3 * time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				streams := map[string]chan ends{"key": make(chan ends, 1), "ada": make(chan ends, 1), "bob": make(chan ends, 1)}
				route := make(chan ends, 3)
				v := newVisited(t, route)
				k, text := v.issue(t, auth.Credential{})
				for who, credential := range map[string]string{"key": text, "ada": v.ada, "bob": v.bob} {
					one := auth.Handler(v.gate, []auth.Route{streaming(streams[who])})
					(&gateway{Door: one, authorizer: v.gw.authorizer, held: map[string]answered{}}).open(credential, "")
				}
				time.Sleep(when)
				if err := c.end(v, k); err != nil {
					t.Fatal(err)
				}
				for who, ch := range streams {
					e := <-ch
					if !slices.Contains(c.over, who) {
						if e.took < 10*time.Minute || e.cause != nil {
							t.Errorf("%s after %v: that of %s ended after %v: %v", name, when, who, e.took, e.cause)
						}
						continue
					}
					if e.took > when+time.Minute || !problem.Is(e.cause, c.kind) {
						t.Errorf("%s after %v: that of %s ended after %v: %v", name, when, who, e.took, e.cause)
					}
				}
				time.Sleep(time.Minute) // what watched has gone
				synctest.Wait()
			})
		}
	}
}

// The worst that revocation.go counts: a stream that begins on the last moment of a word
// that was had before the revocation, in a process that has just read the standing.
func TestAStreamThatBeginsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := make(chan ends, 2)
		v := newVisited(t, out)
		k, text := v.issue(t, auth.Credential{})
		_, other := v.issue(t, auth.Credential{})
		v.gw.open(other, "") // keeps the standing in memory
		time.Sleep(25*time.Second + time.Millisecond)
		synctest.Wait() // it was read again just now
		word := v.gw.word(t, text)
		if err := v.dir.Revoke(t.Context(), k.ID); err != nil {
			t.Fatal(err)
		}
		revoked := time.Now()
		time.Sleep(auth.Lives.Vouch - 2*time.Second) // a word ends with a whole second
		v.gw.open(text, word)
		e := <-out
		if late := time.Since(revoked); late > auth.Lives.Bites || late < auth.Lives.Vouch || !problem.Is(e.cause, problem.Unauthenticated) {
			t.Errorf("it ended %v after the key was revoked: %v", late, e.cause)
		}
		if e := <-out; e.cause != nil {
			t.Errorf("control: the other ended after %v: %v", e.took, e.cause)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

// An operator's key is no project's, so no standing tells of it: what it has open ends
// with the authorizer's word.
func TestAnOperatorsStreamEndsWithTheWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := make(chan ends, 1)
		v := newVisited(t, out)
		_, op := v.issue(t, auth.Credential{Kind: auth.OperatorKey, Can: tenant.CanChat})
		v.gw.open(op, "", "Act-As", "acme", "Act-As-Reason", "the customer asked us to look")
		if e := <-out; e.took < 30*time.Second || e.took > time.Minute || !problem.Is(e.cause, problem.Unauthenticated) {
			t.Errorf("after %v: %v", e.took, e.cause)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

// A table that does not answer says nothing against a stream while what is known of it
// is young enough; then nobody can say that it stands.
func TestAStandingThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := make(chan ends, 1)
		d, gw := newBehind(t, nil, nil, streaming(out))
		_, text := d.issue(t, auth.Credential{})
		gw.broken.Store(true)
		gw.open(text, "")
		if e := <-out; e.took < 40*time.Second || e.took > time.Minute || !problem.Is(e.cause, problem.Unavailable) {
			t.Errorf("after %v: %v", e.took, e.cause)
		}
		gw.broken.Store(false)
		gw.open(text, "")
		if e := <-out; e.took < 10*time.Minute {
			t.Errorf("when it is back: after %v: %v", e.took, e.cause)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

// kept is the standing in the project's own table.
type kept struct {
	Project   string               `json:"project"`
	Suspended bool                 `json:"suspended"`
	Blocked   []string             `json:"blocked"`
	Revoked   []string             `json:"revoked"`
	Identity  map[string]time.Time `json:"identity"`
}

func (gw *gateway) kept(t *testing.T, project string) (k kept) {
	t.Helper()
	it, err := gw.tenants.Get(t.Context(), tenanttest.Scope(project), table.Key{Kind: auth.StandingKind, ID: "standing"})
	if err == nil && it.Version > 0 {
		err = json.Unmarshal(it.Body, &k)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The directory is written first. Where the standing cannot be, whoever asked is told
// that it is not everywhere, and asking again mends it.
func TestAStandingThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	acme, _ := tenant.ParseID("acme")
	d, gw := newBehind(t, nil, nil)
	c, text := d.issue(t, auth.Credential{})
	for name, do := range map[string]func() error{
		"revoke":  func() error { return d.dir.Revoke(t.Context(), c.ID) },
		"suspend": func() error { return d.dir.SuspendProject(t.Context(), acme, "unpaid") },
		"block":   func() error { return d.dir.SuspendPerson(t.Context(), acme, "ada") },
	} {
		gw.broken.Store(true)
		if err := do(); !problem.Is(err, problem.Unavailable) || !strings.Contains(problem.From(err).Message(), "again") {
			t.Errorf("%s: %v", name, err)
		}
		gw.broken.Store(false)
		if err := do(); err != nil {
			t.Errorf("%s again: %v", name, err)
		}
	}
	if _, ok, err := d.dir.Verify(t.Context(), auth.SecretKey, text); ok || err != nil {
		t.Errorf("the directory: %v, %v", ok, err)
	}
	k := gw.kept(t, "acme")
	if k.Project != "acme" || !k.Suspended || !slices.Equal(k.Blocked, []string{"ada"}) || !slices.Equal(k.Revoked, []string{c.ID}) {
		t.Errorf("the standing: %+v", k)
	}
	if k := gw.kept(t, "bolt"); k.Project != "" {
		t.Errorf("the neighbour's: %+v", k)
	}
}

// Whoever writes last has read what the others wrote.
func TestStandingsOfManyAtOnce(t *testing.T) {
	t.Parallel()
	d, gw := newBehind(t, nil, nil)
	acme, _ := tenant.ParseID("acme")
	var ids []string
	for range 8 {
		c, _ := d.issue(t, auth.Credential{})
		ids = append(ids, c.ID)
	}
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			if err := d.dir.Revoke(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := d.dir.SuspendPerson(t.Context(), acme, fmt.Sprint("person ", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	k := gw.kept(t, "acme")
	slices.Sort(ids)
	slices.Sort(k.Revoked)
	if !slices.Equal(ids, k.Revoked) || len(k.Blocked) != len(ids) {
		t.Errorf("%+v", k)
	}
}

// What can have nothing open any more is not carried on, and an identity key that ended
// vouches for nobody.
func TestAStandingForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, gw := newBehind(t, nil, nil)
		old, _ := d.issue(t, auth.Credential{})
		short, _ := d.issue(t, auth.Credential{Kind: auth.IdentityKey, Expires: time.Now().Add(time.Hour)})
		long, _ := d.issue(t, auth.Credential{Kind: auth.IdentityKey})
		if k := gw.kept(t, "acme"); len(k.Identity) != 2 {
			t.Errorf("control: %+v", k)
		}
		if err := d.dir.Revoke(t.Context(), old.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		c, _ := d.issue(t, auth.Credential{})
		if err := d.dir.Revoke(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
		if k := gw.kept(t, "acme"); !slices.Equal(k.Revoked, []string{c.ID}) || len(k.Identity) != 1 || k.Identity[short.ID] != (time.Time{}) {
			t.Errorf("%+v; %s goes on", k, long.ID)
		}
	})
}

// An identity key vouches for visitors soon after it was made, and not longer than it
// holds; and whoever makes keys up does not have the table read each time.
func TestANewIdentityKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisited(t, make(chan ends, 1)) // whose standing is held
		key, secret := v.issue(t, auth.Credential{Kind: auth.IdentityKey})
		identified := func(kid string) int {
			tok := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "ada", "aud": "acme", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()})
			tok.Header["kid"] = kid
			text, err := tok.SignedString([]byte(secret))
			if err != nil {
				t.Fatal(err)
			}
			return v.token(v.pk, home, `{"assistant":"website","identity":"`+text+`"}`).Code
		}
		time.Sleep(6 * time.Second)
		if code := identified(key.ID); code != 200 {
			t.Errorf("after 6 seconds: %d", code)
		}
		reads := v.gw.reads.Load()
		for range 100 {
			if code := identified("0000000000000000"); code != 401 {
				t.Errorf("an unknown key: %d", code)
			}
		}
		if n := v.gw.reads.Load() - reads; n > 1 {
			t.Errorf("%d reads for keys that are made up", n)
		}
		if err := v.dir.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if code := identified(key.ID); code != 401 {
			t.Errorf("a minute after it was revoked: %d", code)
		}
		synctest.Wait()
	})
}
