package prove_test

import (
	"context"
	"crypto/ed25519"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/shared/app"
	"switchboard/shared/app/apptest"
	"switchboard/shared/prove"
	"switchboard/shared/prove/registry"
	"switchboard/shared/tenant/auth"
)

// routes are what the product declares.
func routes(s *apptest.Server) []prove.Route { return registry.Routes(app.Routes(&s.Local.Parts)) }

// world is the product, whatever stands before it, and what was said of a run.
type world struct {
	t      *testing.T
	server *apptest.Server
	front  *front
	op     string

	mu   sync.Mutex
	told strings.Builder
}

// newWorld starts the product behind a proxy that breaks it in that way; nil: in none.
func newWorld(t *testing.T, b *breaker) *world {
	t.Helper()
	s := apptest.Start(t, apptest.Options{})
	_, secret, err := s.Local.Directory.Issue(t.Context(), auth.Credential{Kind: auth.OperatorKey})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, server: s, front: newFront(t, s.URL, b), op: secret.Reveal()}
}

func (w *world) plan(classes ...int) prove.Plan {
	return prove.Plan{
		Server: w.front.url, Project: apptest.Alpha, Operator: w.op, Routes: routes(w.server), Version: "test", Assistant: "website",
		Attempts: 1, Rate: 10_000, Turns: 60, Seed: 1, Timeout: time.Minute, Classes: classes,
		Progress: func(line string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told.WriteString(line + "\n")
		},
	}
}

// run runs the plan and holds what is to hold of every run: all is cleaned up, and what
// is written has no secret in it.
func (w *world) run(ctx context.Context, p prove.Plan) (*prove.Report, error) {
	w.t.Helper()
	r, failed := prove.Run(ctx, p)
	if r == nil {
		w.t.Fatal(failed)
	}
	w.clean()
	signed, err := prove.Sign(r, signer())
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := prove.Verify(signed, prove.PublicKey(signer()))
	if err != nil {
		w.t.Fatal(err)
	}
	out := string(signed) + string(prove.HTML(s)) + w.told.String()
	if failed != nil {
		out += failed.Error()
	}
	secrets := w.front.secrets()
	if failed == nil && len(secrets) < 5 { // a run that ended early may have made none
		w.t.Errorf("control: %d secrets were seen", len(secrets))
	}
	for _, secret := range append(secrets, w.op) {
		if strings.Contains(out, secret) || strings.Contains(out, secret[len(secret)-20:]) {
			w.t.Errorf("a secret is in what was written: %.12s...", secret)
		}
	}
	return r, failed
}

func signer() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

// clean holds that no key and no company that was made is in use.
func (w *world) clean() {
	w.t.Helper()
	const projects = "/admin/v1/projects"
	list := w.server.Do(w.op, "GET", projects+"?limit=100", "")
	canaries := 0
	for n := range 100 {
		at := "data." + string(rune('0'+n/10)) + string(rune('0'+n%10))
		at = strings.Replace(at, "data.0", "data.", 1)
		id, status := list.Get(at+".id"), list.Get(at+".status")
		if id == "" {
			break
		}
		if !strings.HasPrefix(id, "canary-") && id != apptest.Alpha {
			continue
		}
		if id != apptest.Alpha {
			if canaries++; status != "suspended" {
				w.t.Errorf("%s is %s", id, status)
			}
		}
		keys := w.server.Do(w.op, "GET", projects+"/"+id+"/keys?limit=100", "")
		if keys.Status != 200 || strings.Contains(keys.Body, `"active"`) {
			w.t.Errorf("keys of %s: %d %s", id, keys.Status, keys.Body)
		}
	}
	if canaries == 0 {
		w.t.Error("control: there is no canary")
	}
}

func row(r *prove.Report, class int) prove.Row {
	return r.Rows[slices.IndexFunc(r.Rows, func(row prove.Row) bool { return row.Class == class })]
}

func TestEveryRouteIsKnown(t *testing.T) {
	t.Parallel()
	for _, rt := range routes(apptest.Start(t, apptest.Options{})) {
		if unknown := prove.Unknown(rt); unknown != "" {
			t.Errorf("%s: this package does not know %s, so nothing is proven of it", rt.Pattern, unknown)
		}
	}
}

func TestAServerThatIsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r, err := w.run(t.Context(), w.plan())
	if err != nil || !r.Proven() {
		t.Fatalf("%s %v %v", r.Verdict, r.Why, err)
	}
	for _, row := range r.Rows {
		if row.Verdict != "passed" || row.Attempts == 0 || row.Controls == 0 {
			t.Errorf("%+v", row)
		}
		if row.Class != 12 && (row.OnCompany == 0 || row.ByCompany == 0) {
			t.Errorf("class %d went in one direction: %+v", row.Class, row)
		}
	}
	for _, c := range r.Routes {
		if !c.Control {
			t.Errorf("%+v", c)
		}
	}
	if len(r.Left) != 4 || r.Turns == 0 || r.Turns > 80 || len(r.NotTested) < 10 {
		t.Errorf("left %q, %d turns, not tested %v", r.Left, r.Turns, r.NotTested)
	}
	t.Logf("%d attempts, %d controls, %d requests in %.1f s", r.Attempts, r.Controls, r.Requests, r.Seconds)
}

// The same seed makes the same attempts.
func TestASeedReplays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var first []prove.Row
	for range 2 {
		r, err := w.run(t.Context(), w.plan(5, 6, 9))
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict == "passed" {
			t.Error("three classes are no proof")
		}
		if first == nil {
			first = r.Rows
		}
		for n, row := range r.Rows {
			if row.Attempts != first[n].Attempts || row.Refused != first[n].Refused {
				t.Errorf("%+v, and before %+v", row, first[n])
			}
		}
	}
}

func TestReadOnlyLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.plan()
	p.ReadOnly = true
	r, err := w.run(t.Context(), p)
	if err != nil || !r.Proven() {
		t.Fatalf("%s %v %v", r.Verdict, r.Why, err)
	}
	if r.Turns != 0 || len(r.Left) != 1 || w.front.count("POST /v1/chat as alpha") != 0 {
		t.Errorf("%d turns, left %q, %d sent", r.Turns, r.Left, w.front.count("POST /v1/chat as alpha"))
	}
}

// A server that breaks isolation in one way is caught by the class that is about it.
func TestAServerThatIsBroken(t *testing.T) {
	t.Parallel()
	for name, b := range breakers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, b)
			p := w.plan(b.class)
			p.Attempts = 0 // each: a defect may show at one of them alone
			r, err := w.run(t.Context(), p)
			got := row(r, b.class)
			if err != nil || r.Verdict != "failed" || got.Verdict != "failed" || got.Sample == nil {
				t.Fatalf("%s, class %d %+v, %v, %v, broken %d times", r.Verdict, b.class, got, r.Why, err, w.front.count("broken"))
			}
			if !strings.Contains(got.Sample.Wrong, b.wrong) {
				t.Errorf("%q is not %q", got.Sample.Wrong, b.wrong)
			}
			if w.front.count("broken") == 0 {
				t.Error("control: the proxy broke nothing")
			}
		})
	}
}

// A run of the usual size finds a defect that shows at few of the attempts alone.
func TestTheUsualSizeFindsThem(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a tenant by header", "an identity that nobody checks"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := breakers()[name]
			w := newWorld(t, b)
			p := w.plan()
			p.Attempts = prove.DefaultAttempts
			r, err := w.run(t.Context(), p)
			if got := row(r, b.class); err != nil || r.Verdict != "failed" || got.Verdict != "failed" {
				t.Fatalf("%s, %+v, %v, %v", r.Verdict, got, r.Why, err)
			}
			t.Logf("%d attempts, %d requests in %.1f s", r.Attempts, r.Requests, r.Seconds)
		})
	}
}

// What tells another's id from one that nobody has is caught beside the attacks of class 2.
func TestAServerThatTells(t *testing.T) {
	t.Parallel()
	for name, b := range oracles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, b)
			r, err := w.run(t.Context(), w.plan(b.class))
			got := row(r, 24)
			if err != nil || r.Verdict != "failed" || got.Verdict != "failed" || w.front.count("broken") == 0 {
				t.Fatalf("%s, %+v, %v, %v", r.Verdict, got, r.Why, err)
			}
		})
	}
}

// Where who may ask is not served, a refusal of others is no proof.
func TestADeadControl(t *testing.T) {
	t.Parallel()
	for name, b := range dead() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, b)
			r, _ := w.run(t.Context(), w.plan(b.class))
			got := row(r, b.class)
			if r.Verdict != "not proven" || got.Verdict == "passed" || got.Failures > 0 {
				t.Fatalf("%s, %+v, %v", r.Verdict, got, r.Why)
			}
			if w.front.count("broken") == 0 {
				t.Error("control: the proxy broke nothing")
			}
		})
	}
}

// A server that is busy is waited for.
func TestPausesAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, busy())
	r, err := w.run(t.Context(), w.plan(2))
	if err != nil || r.Pauses == 0 || row(r, 2).Verdict != "passed" {
		t.Errorf("%d pauses, %+v, %v", r.Pauses, row(r, 2), err)
	}
}

// Whatever ends a run, nothing that it made stays in use: run holds that.
func TestARunThatEndsEarly(t *testing.T) {
	t.Parallel()
	for _, after := range []int{3, 10, 20, 40, 200, 1000} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.front.after(after, cancel)
			r, err := w.run(ctx, w.plan())
			if err == nil || r.Proven() || r.Verdict != "not proven" {
				t.Errorf("given up after %d requests: %s, %v", after, r.Verdict, err)
			}
		})
	}
	t.Run("an answer that is lost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, losing())
		r, err := w.run(t.Context(), w.plan())
		if err == nil || r.Proven() {
			t.Errorf("%s, %v", r.Verdict, err)
		}
	})
}

// What cannot be proven is refused before anything is made.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, change := range map[string]func(*prove.Plan){
		"no such project": func(p *prove.Plan) { p.Project = "nobody" },
		"404":             func(p *prove.Plan) { p.Project = "_directory" },
		"401":             func(p *prove.Plan) { p.Operator = "op_0123456789abcdef_" + strings.Repeat("0", 40) },
		"address":         func(p *prove.Plan) { p.Server = "localhost" },
		"in the clear":    func(p *prove.Plan) { p.Server = "http://192.0.2.1" },
	} {
		p := w.plan()
		change(&p)
		r, err := prove.Run(t.Context(), p)
		if err == nil || !strings.Contains(err.Error(), name) || r.Proven() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list := w.server.Do(w.op, "GET", "/admin/v1/projects", ""); strings.Contains(list.Body, "canary-") {
		t.Errorf("a company was made: %s", list.Body)
	}
}
