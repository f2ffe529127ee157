package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// notary is a witness that notes, or fails.
type notary struct {
	noted []string
	err   error
}

func (n *notary) ActsAs(_ context.Context, sc tenant.Scope, reason, request string) error {
	if n.err == nil {
		n.noted = append(n.noted, sc.Project().String()+": "+sc.Actor()+": "+reason+": "+request)
	}
	return n.err
}

func (n *notary) Administers(ctx context.Context, sc tenant.Scope, action, request string, ids ...string) error {
	return n.ActsAs(ctx, sc, action+" "+strings.Join(ids, ","), request)
}

// An operator opens a company's data only by its name and with a reason, and only
// once that is on record.
func TestActAs(t *testing.T) { bothWays(t, testActAs) }

func testActAs(t *testing.T, by way) {
	t.Parallel()
	n := &notary{}
	var seen []who
	route := auth.JSON("GET /data", auth.Allow{Kinds: []auth.Kind{auth.SecretKey, auth.OperatorKey}, Can: tenant.CanReadConversations},
		func(_ context.Context, sc tenant.Scope, _ *auth.Request[auth.None]) (struct{}, error) {
			seen = append(seen, who{Project: sc.Project().String(), Kind: sc.Kind().String(), Actor: sc.Actor()})
			return struct{}{}, nil
		})
	d := by(t, sites{"acme": {}}, n, route, echo())
	op, text := d.issue(t, auth.Credential{Kind: auth.OperatorKey})
	_, sk := d.issue(t, auth.Credential{Project: "bolt"})
	const why = "the customer asked us to look"
	for _, c := range []struct {
		name   string
		header []string
		code   int
	}{
		{"no company", nil, 403},
		{"no reason", []string{"Act-As", "acme"}, 403},
		{"an empty reason", []string{"Act-As", "acme", "Act-As-Reason", ""}, 403},
		{"hardly a reason", []string{"Act-As", "acme", "Act-As-Reason", "because"}, 403},
		{"a reason of lines", []string{"Act-As", "acme", "Act-As-Reason", "long enough\nact-as: bolt"}, 403},
		{"two companies", []string{"Act-As", "acme", "Act-As", "bolt", "Act-As-Reason", why}, 403},
		{"an unknown company", []string{"Act-As", "nobody", "Act-As-Reason", why}, 404},
		{"the directory", []string{"Act-As", "_directory", "Act-As-Reason", why}, 404},
		{"control", []string{"Act-As", "acme", "Act-As-Reason", why}, 200},
	} {
		w := ask(d, "GET", "/data", "", append(c.header, "Authorization", "Bearer "+text)...)
		if w.Code != c.code || (c.code == 200) != (len(n.noted) == 1) || len(seen) != len(n.noted) {
			t.Errorf("%s: %d, noted %q, seen %v", c.name, w.Code, n.noted, seen)
		}
	}
	if want := (who{Project: "acme", Kind: "operator_key", Actor: op.ID}); len(seen) != 1 || seen[0] != want {
		t.Errorf("%+v", seen)
	}
	// The headers are an operator's: with a company's own key they mean nothing.
	if w := ask(d, "GET", "/data", "", "Authorization", "Bearer "+sk, "Act-As", "acme", "Act-As-Reason", why); w.Code != 200 || seen[1].Project != "bolt" {
		t.Errorf("with bolt's key: %d %+v", w.Code, seen)
	}
	// A route that does not let operators in lets none in by this way.
	if w := ask(d, "POST", "/echo", `{"message":"hi"}`, "Authorization", "Bearer "+text, "Act-As", "acme", "Act-As-Reason", why); w.Code != 403 {
		t.Errorf("echo: %d", w.Code)
	}
	n.err = errors.New("the disk is full")
	if w := ask(d, "GET", "/data", "", "Authorization", "Bearer "+text, "Act-As", "acme", "Act-As-Reason", why); w.Code != 503 || len(seen) != 2 {
		t.Errorf("unrecorded: %d, seen %v", w.Code, seen)
	}
}

func TestAdminRoutesAreTheOperators(t *testing.T) {
	t.Parallel()
	d := newDoor(t, auth.Admin("GET /admin/v1/x", func(_ context.Context, o auth.Operator, _ *auth.Request[auth.None]) (string, error) {
		if !o.Valid() {
			return "", problem.New(problem.Internal, "test", "nobody")
		}
		return o.Actor(), nil
	}))
	op, text := d.issue(t, auth.Credential{Kind: auth.OperatorKey})
	_, sk := d.issue(t, auth.Credential{})
	_, pk := d.issue(t, auth.Credential{Kind: auth.Publishable})
	for credential, code := range map[string]int{text: 200, sk: 403, pk: 403, "": 401} {
		w := ask(d, "GET", "/admin/v1/x", "", "Authorization", "Bearer "+credential)
		if w.Code != code || code == 200 && !strings.Contains(w.Body.String(), op.ID) {
			t.Errorf("%.2s: %d %s, want %d", credential, w.Code, w.Body, code)
		}
	}
	var nobody auth.Operator
	if nobody.Valid() {
		t.Error("the zero Operator is somebody")
	}
}

// A revocation or a suspension ends what is open within a minute, and the handler
// learns why; what is not concerned goes on.
func TestOpenStreamsEnd(t *testing.T) { bothWays(t, testOpenStreamsEnd) }

func testOpenStreamsEnd(t *testing.T, by way) {
	for name, end := range map[string]func(*testing.T, *door, auth.Credential) error{
		"revoked": func(t *testing.T, d *door, c auth.Credential) error { return d.dir.Revoke(t.Context(), c.ID) },
		"suspended": func(t *testing.T, d *door, _ auth.Credential) error {
			id, _ := tenant.ParseID("acme")
			return d.dir.SuspendProject(t.Context(), id, "")
		},
		"control": func(*testing.T, *door, auth.Credential) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cause error
				d := by(t, nil, nil, stream(func(ctx context.Context, out *auth.Reply) error {
					out.Events()
					select {
					case <-ctx.Done():
						cause = context.Cause(ctx)
					case <-time.After(10 * time.Minute):
					}
					out.Event("done", []byte("{}"))
					return nil
				}))
				c, text := d.issue(t, auth.Credential{})
				began := time.Now()
				done := make(chan struct{})
				go func() {
					defer close(done)
					ask(d, "GET", "/stream", "", "Authorization", "Bearer "+text)
				}()
				time.Sleep(time.Second)
				if err := end(t, d, c); err != nil {
					t.Fatal(err)
				}
				<-done
				switch took := time.Since(began); {
				case name == "control" && (took < 10*time.Minute || cause != nil):
					t.Errorf("ended after %v: %v", took, cause)
				case name != "control" && (took > time.Minute || !problem.Is(cause, problem.Unauthenticated) && !problem.Is(cause, problem.Forbidden)):
					t.Errorf("ended after %v: %v", took, cause)
				}
				time.Sleep(time.Minute) // what watched has gone
			})
		})
	}
}
