package usageplan_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"switchboard/shared/app/aws/internal/usageplan"
	"switchboard/shared/app/aws/internal/usageplan/gatewaytest"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

var (
	master = bytes.Repeat([]byte("m"), 32)
	names  = []string{"somebody's", "dev-free", "dev-staging-free", "dev-standard", "prod-pro", "dev-pro", "dev-enterprise"}
)

func start(t *testing.T) (*usageplan.Plans, *gatewaytest.Server, auth.UsageKeys) {
	t.Helper()
	s := gatewaytest.Start(t, names...)
	p, err := usageplan.Open(config(s.URL), func(string) string { return "dev" }, master)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.NewUsageKeys(master)
	if err != nil {
		t.Fatal(err)
	}
	return p, s, keys
}

func config(url string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		Retryer: func() aws.Retryer { // as it is, without its waits
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
}

func id(t *testing.T, s string) tenant.ID {
	t.Helper()
	v, err := tenant.ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// holds checks that there is one key with the value, and that it is in that plan alone.
func holds(t *testing.T, s *gatewaytest.Server, value, plan string) {
	t.Helper()
	var found []gatewaytest.Key
	for _, k := range s.Keys() {
		if k.Value == value {
			found = append(found, k)
		}
	}
	if len(found) != 1 || !found[0].Enabled {
		t.Fatalf("keys of the value: %+v", found)
	}
	if in := s.PlansOf(found[0].ID); !slices.Equal(in, []string{plan}) {
		t.Errorf("%s is in %q, want %q", found[0].Name, in, plan)
	}
}

func TestEnsure(t *testing.T) {
	t.Parallel()
	p, s, keys := start(t)
	acme, bolt := id(t, "acme"), id(t, "acme-2") // its name begins with the other's
	for range 2 {
		for _, tier := range []string{"free", "pro", "pro", "standard", "enterprise"} {
			for _, project := range []tenant.ID{bolt, acme} {
				if err := p.Ensure(t.Context(), project, tier); err != nil {
					t.Fatalf("%s, %s: %v", project, tier, err)
				}
				holds(t, s, keys.Project(project), "dev-"+tier)
			}
		}
	}
	if err := p.EnsureOperators(t.Context()); err != nil {
		t.Fatal(err)
	}
	holds(t, s, keys.Operators(), "dev-enterprise")
	if n := s.Calls("POST /apikeys"); n != 3 || len(s.Keys()) != 3 {
		t.Errorf("%d keys were made: %+v", n, s.Keys())
	}
	// What is as it should be is left as it is.
	before := s.Calls("POST /usageplans/keys") + s.Calls("DELETE /usageplans/keys")
	if err := p.Ensure(t.Context(), acme, "enterprise"); err != nil {
		t.Fatal(err)
	}
	if after := s.Calls("POST /usageplans/keys") + s.Calls("DELETE /usageplans/keys"); after != before {
		t.Errorf("%d writes for nothing", after-before)
	}
}

// Somebody else's key of the name is not the project's, and the project's own is found
// under another name.
func TestAKeyIsItsValue(t *testing.T) {
	t.Parallel()
	p, s, keys := start(t)
	acme := id(t, "acme")
	s.Add(gatewaytest.Key{ID: "theirs", Name: "dev/acme", Value: "somebody-else-made-this-key", Enabled: true})
	s.Add(gatewaytest.Key{ID: "ours", Name: "renamed", Value: keys.Project(acme), Enabled: true})
	if err := p.Ensure(t.Context(), acme, "free"); err != nil {
		t.Fatal(err)
	}
	holds(t, s, keys.Project(acme), "dev-free")
	if in := s.PlansOf("theirs"); in != nil || len(s.Keys()) != 2 {
		t.Errorf("theirs is in %q; %+v", in, s.Keys())
	}
}

func TestEnsureAtOnce(t *testing.T) {
	t.Parallel()
	p, s, keys := start(t)
	acme := id(t, "acme")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := p.Ensure(t.Context(), acme, "pro"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	holds(t, s, keys.Project(acme), "dev-pro")
}

// Wherever it stops, doing it again finishes it.
func TestEnsureIsFinishedByAnother(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"GET /apikeys", "POST /apikeys", "GET /usageplans", "DELETE /usageplans/keys", "POST /usageplans/keys"} {
		p, s, keys := start(t)
		acme := id(t, "acme")
		if at != "POST /apikeys" {
			if err := p.Ensure(t.Context(), acme, "free"); err != nil {
				t.Fatal(err)
			}
		}
		s.Before(func(call string) (int, string) {
			if call == at {
				return 403, "AccessDeniedException"
			}
			return 0, ""
		})
		if err := p.Ensure(t.Context(), acme, "pro"); !problem.Is(err, problem.Unavailable) {
			t.Errorf("%s is refused, and it says %v", at, err)
		}
		s.Before(nil)
		if err := p.Ensure(t.Context(), acme, "pro"); err != nil {
			t.Errorf("after %s: %v", at, err)
		}
		holds(t, s, keys.Project(acme), "dev-pro")
	}
}

// A gateway that is asked too much is asked again.
func TestThrottled(t *testing.T) {
	t.Parallel()
	p, s, keys := start(t)
	acme := id(t, "acme")
	var mu sync.Mutex
	seen := map[string]bool{}
	s.Before(func(call string) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		if !seen[call] {
			seen[call] = true
			return 429, "TooManyRequestsException"
		}
		return 0, ""
	})
	if err := p.Ensure(t.Context(), acme, "pro"); err != nil {
		t.Fatal(err)
	}
	holds(t, s, keys.Project(acme), "dev-pro")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	p, s, _ := start(t)
	for name, err := range map[string]error{
		"no project":               p.Ensure(t.Context(), tenant.ID{}, "free"),
		"no tier":                  p.Ensure(t.Context(), id(t, "acme"), ""),
		"a plan of another stack":  p.Ensure(t.Context(), id(t, "acme"), "staging-free"),
		"a tier that has no plan":  p.Ensure(t.Context(), id(t, "acme"), "gold"),
		"somebody else's plan":     p.Ensure(t.Context(), id(t, "acme"), "somebody's"),
		"a plan's name, not tier":  p.Ensure(t.Context(), id(t, "acme"), "dev-free"),
		"another spelling of free": p.Ensure(t.Context(), id(t, "acme"), "Free"),
	} {
		if !problem.Is(err, problem.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.Keys()) != 0 {
		t.Errorf("%+v", s.Keys())
	}
	if err := p.Ensure(t.Context(), id(t, "acme"), "free"); err != nil {
		t.Errorf("control: %v", err)
	}
	if _, err := usageplan.Open(config(s.URL), func(string) string { return "" }, master); err == nil {
		t.Error("it opens without a stack")
	}
	if _, err := usageplan.Open(config(s.URL), func(string) string { return "dev" }, master[:31]); err == nil {
		t.Error("it opens without a master key")
	}
}
