package vend_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"switchboard/shared/app/aws/iamtest"
	"switchboard/shared/app/aws/internal/vend"
	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// read reads an item of the project through all of it.
func (r *rig) read(project string) error {
	_, err := r.Get(context.Background(), tenanttest.Scope(project), key("a"))
	return err
}

// asked checks how often STS was asked for each project.
func (r *rig) asked(t *testing.T, want map[string]int) {
	t.Helper()
	for project, n := range want {
		if got := r.account.Assumed(project); got != n {
			t.Errorf("STS was asked %d times for %s, want %d", got, project, n)
		}
	}
}

// TestOneFlightATenant: who asks at the same time is answered by one session.
func TestOneFlightATenant(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r.account.OnAssume(func(iamtest.Assumed) iamtest.Answer { return iamtest.Answer{Hold: gate} })
		var wg sync.WaitGroup
		for range 50 {
			for _, project := range []string{"acme", "acme-2"} {
				wg.Go(func() {
					if err := r.read(project); err != nil {
						t.Error(err)
					}
				})
			}
		}
		synctest.Wait()
		r.asked(t, map[string]int{"acme": 1, "acme-2": 1})
		close(gate)
		wg.Wait()
		r.asked(t, map[string]int{"acme": 1, "acme-2": 1})
	})
}

// TestRenewal: a session in use is renewed in the background after ten minutes, and one
// that nobody used is not; nobody is refused meanwhile.
func TestRenewal(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	synctest.Test(t, func(t *testing.T) {
		if err := r.read("idle-co"); err != nil {
			t.Fatal(err)
		}
		for minute := range 60 {
			for range 3 {
				if err := r.read("acme"); err != nil {
					t.Fatalf("minute %d: %v", minute, err)
				}
			}
			synctest.Wait()
			// The first, and one at 10, 20, 30, 40 and 50 minutes.
			r.asked(t, map[string]int{"acme": 1 + minute/10, "idle-co": 1})
			time.Sleep(time.Minute)
		}
		if err := r.read("idle-co"); err != nil { // long over
			t.Error(err)
		}
		r.asked(t, map[string]int{"idle-co": 2})
		if denied := r.account.Denied(); len(denied) > 0 {
			t.Errorf("refused: %v", denied)
		}
		time.Sleep(time.Minute) // timers of renewals end
	})
}

// TestNothingIsUsedPastItsTime: while STS is down a session serves for 14 minutes, with a
// try each 5 seconds of use after the tenth, and then its tenant is refused: Unavailable.
func TestNothingIsUsedPastItsTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	synctest.Test(t, func(t *testing.T) {
		if err := r.read("acme"); err != nil {
			t.Fatal(err)
		}
		r.account.OnAssume(func(iamtest.Assumed) iamtest.Answer { return iamtest.Answer{Status: 403, Code: "AccessDenied"} })
		began := time.Now()
		for time.Since(began) < 16*time.Minute {
			err := r.read("acme")
			switch served := time.Since(began) < 14*time.Minute-time.Second; { // STS gives whole seconds
			case served && err != nil:
				t.Fatalf("after %v: %v", time.Since(began), err)
			case time.Since(began) >= 14*time.Minute && !problem.Is(err, problem.Unavailable):
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			time.Sleep(30 * time.Second)
		}
		// 1 at the start, 8 renewals from 10:00 to 13:30, 4 from 14:00 on.
		r.asked(t, map[string]int{"acme": 13})
		if denied := r.account.Denied(); len(denied) > 0 {
			t.Errorf("a request went out on something else: %v", denied)
		}
		r.account.OnAssume(nil)
		if err := r.read("acme"); err != nil {
			t.Errorf("when STS is back: %v", err)
		}
		time.Sleep(time.Minute)
	})
}

// TestAFailureIsOneTenants has STS fail in every way for one tenant: that tenant is told
// to come back, those who have a session and those who get one go on, and no request of
// the tenant reaches DynamoDB.
func TestAFailureIsOneTenants(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	for name, c := range map[string]struct {
		answer iamtest.Answer
		calls  int // of AssumeRole, for one read
		reason string
		took   time.Duration
	}{
		"down":      {iamtest.Answer{Status: 500, Code: "InternalFailure"}, 2, problem.ReasonServerError, 0},
		"throttled": {iamtest.Answer{Status: 400, Code: "Throttling"}, 2, problem.ReasonOverloaded, 0},
		"refused":   {iamtest.Answer{Status: 403, Code: "AccessDenied"}, 1, problem.ReasonAuth, 0},
		"over":      {iamtest.Answer{Life: time.Second}, 1, problem.ReasonProtocol, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			synctest.Test(t, func(t *testing.T) { r.fails(t, c.answer, c.calls, c.reason, c.took) })
		})
	}
	t.Run("hanging", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, nil)
		synctest.Test(t, func(t *testing.T) {
			never = make(chan struct{}) // of this bubble
			r.fails(t, iamtest.Answer{Hold: never}, 1, problem.ReasonTimeout, 3*time.Second)
		})
	})
}

func (r *rig) fails(t *testing.T, answer iamtest.Answer, calls int, reason string, took time.Duration) {
	if err := r.read("cached-co"); err != nil {
		t.Fatal(err)
	}
	r.account.OnAssume(func(a iamtest.Assumed) iamtest.Answer {
		if a.Project == "acme" {
			return answer
		}
		return iamtest.Answer{}
	})
	began := time.Now()
	err := r.read("acme")
	p, _ := errors.AsType[*problem.Error](err)
	if p == nil || p.Kind != problem.Unavailable || p.Reason != reason || p.RetryAfter != time.Second {
		t.Errorf("it is told %v", err)
	}
	if d := time.Since(began) - took; d < 0 || d > 100*time.Millisecond {
		t.Errorf("it was told after %v", time.Since(began))
	}
	if strings.Contains(fmt.Sprint(err), "Statement") || strings.Contains(fmt.Sprint(err), r.own.SecretAccessKey) {
		t.Errorf("the policy or a secret is in %v", err)
	}
	for range 10 { // for a second STS is left alone
		if err := r.read("acme"); !problem.Is(err, problem.Unavailable) {
			t.Errorf("again: %v", err)
		}
	}
	r.asked(t, map[string]int{"acme": calls})
	for _, project := range []string{"cached-co", "new-co"} {
		if err := r.read(project); err != nil {
			t.Errorf("%s: %v", project, err)
		}
	}
	allowed := r.account.Allowed()
	if allowed["acme GetItem"] != 0 || allowed["cached-co GetItem"] != 2 || len(r.account.Denied()) > 0 || r.dynamo.Calls("GetItem") != 3 {
		t.Errorf("reached DynamoDB: %v, refused there: %v", allowed, r.account.Denied())
	}
	r.account.OnAssume(nil)
	time.Sleep(time.Second)
	if err := r.read("acme"); err != nil {
		t.Errorf("when STS is back: %v", err)
	}
}

// TestWhoDoesNotWait: a caller whose time is up leaves, and the flight goes on for the
// next.
func TestWhoDoesNotWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r.account.OnAssume(func(iamtest.Assumed) iamtest.Answer { return iamtest.Answer{Hold: gate} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Get(ctx, tenanttest.Scope("acme"), key("a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it got %v", err)
		}
		close(gate)
		if err := r.read("acme"); err != nil {
			t.Error(err)
		}
		r.asked(t, map[string]int{"acme": 1})
	})
}

// TestABoundedNumberIsHeld: what was dropped comes back.
func TestABoundedNumberIsHeld(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for i := range vend.MaxTenants + 50 {
		sc := tenanttest.Scope(fmt.Sprintf("company-%d", i))
		if c, err := r.vendor.For(sc).Retrieve(t.Context()); err != nil || !c.HasKeys() || !c.CanExpire {
			t.Fatal(err)
		}
		if n := r.vendor.Held(); n > vend.MaxTenants {
			t.Fatalf("%d are held", n)
		}
	}
	if err := r.read("company-0"); err != nil {
		t.Error(err)
	}
}

func TestWithoutATenantThereIsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if c, err := r.vendor.For(tenant.Scope{}).Retrieve(t.Context()); !problem.Is(err, problem.Internal) || c.HasKeys() {
		t.Errorf("the zero Scope: %v", err)
	}
	if err := r.Write(t.Context(), tenanttest.Scope("acme"), table.Put(key("a"), nil)); err != nil {
		t.Errorf("control: %v", err)
	}
	var _ aws.CredentialsProvider = r.vendor.For(tenant.Scope{})
}

// FuzzElement: where our reading of an answer finds something, an XML decoder finds the
// same.
func FuzzElement(f *testing.F) {
	f.Add("<r><a>b&amp;c</a></r>")
	f.Add("<r><a>1</a><a>2</a></r>")
	f.Fuzz(func(t *testing.T, body string) {
		got := vend.Element(body, "a")
		var doc struct {
			A []string `xml:"a"`
		}
		if got == "" || xml.Unmarshal([]byte(body), &doc) != nil || len(doc.A) == 0 || strings.ContainsAny(body, "!&?") {
			return
		}
		if len(doc.A) != 1 || strings.TrimSpace(doc.A[0]) != got {
			t.Errorf("%q has %q, not %q", body, doc.A, got)
		}
	})
}
