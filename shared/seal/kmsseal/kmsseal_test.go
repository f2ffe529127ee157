package kmsseal_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/kmsseal"
	"switchboard/shared/seal/kmsseal/kmstest"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

var (
	sc    = tenanttest.Scope("acme")
	other = tenanttest.Scope("other")
	at    = seal.Place{Store: seal.Table, Kind: "x", ID: "y"}
)

func open(t *testing.T, cfg kmsseal.Config) *seal.Sealer {
	t.Helper()
	s, err := kmsseal.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sealtest.Run(t, func(t *testing.T) func() *seal.Sealer {
		server, rings := kmstest.New(), sealtest.NewRings()
		key := server.NewKey()
		return func() *seal.Sealer {
			s, err := kmsseal.Open(kmsseal.Config{Client: server.Client(), Key: key, Rings: rings})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

// TestContextIsTheTenants: each call says whose key it is about, and a key wrapped
// for one tenant is refused for another by KMS itself.
func TestContextIsTheTenants(t *testing.T) {
	t.Parallel()
	server, rings := kmstest.New(), sealtest.NewRings()
	cfg := kmsseal.Config{Client: server.Client(), Key: server.NewKey(), Rings: rings}
	s := open(t, cfg)
	sealed, err := s.Seal(t.Context(), sc, at, []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"project": "acme", "purpose": kmsseal.Purpose}
	for _, op := range []string{"GenerateDataKey", "Decrypt"} {
		calls := server.Calls(op)
		if len(calls) != 1 || !maps.Equal(calls[0].Context, want) || calls[0].Key != cfg.Key {
			t.Errorf("%s: %+v", op, calls)
		}
	}
	rings.Forge(sc, other)
	_, err = s.Open(t.Context(), other, at, sealed)
	if !problem.Is(err, problem.Internal) || !strings.Contains(err.Error(), "InvalidCiphertext") {
		t.Errorf("another tenant's wrapped key: %v", err)
	}
}

// TestOwnKey: a tenant's own KMS key is not the platform's, either way.
func TestOwnKey(t *testing.T) {
	t.Parallel()
	server, rings := kmstest.New(), sealtest.NewRings()
	platform, own := server.NewKey(), server.NewKey()
	cfg := kmsseal.Config{Client: server.Client(), Key: platform, Rings: rings, Keys: map[tenant.ID]string{sc.Project(): own}}
	sealed, err := open(t, cfg).Seal(t.Context(), sc, at, []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range server.Calls("Decrypt") {
		if c.Key != own {
			t.Errorf("asked of %s", c.Key)
		}
	}
	if b, err := open(t, cfg).Open(t.Context(), sc, at, sealed); err != nil || string(b) != "plain" {
		t.Errorf("%q, %v", b, err)
	}
	cfg.Keys = nil
	_, err = open(t, cfg).Open(t.Context(), sc, at, sealed)
	if !problem.Is(err, problem.Internal) || !strings.Contains(err.Error(), "IncorrectKey") {
		t.Errorf("under the platform's key: %v", err)
	}
	for _, key := range []string{"", "alias/keys", "arn:aws:kms:us-east-1:111122223333:alias/keys"} {
		cfg.Key = key
		if _, err := kmsseal.Open(cfg); err == nil {
			t.Errorf("%q is a key", key)
		}
	}
}

// TestFailures: what KMS says, and what it means to a client.
func TestFailures(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]problem.Kind{
		"ThrottlingException": problem.Unavailable, "LimitExceededException": problem.Unavailable,
		"KMSInternalException": problem.Unavailable, "DependencyTimeoutException": problem.Unavailable,
		"KeyUnavailableException": problem.Unavailable, "DisabledException": problem.Unavailable,
		"KMSInvalidStateException": problem.Unavailable, "AccessDeniedException": problem.Internal,
		"NotFoundException": problem.Internal, "InvalidCiphertextException": problem.Internal,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			server, rings := kmstest.New(), sealtest.NewRings()
			cfg := kmsseal.Config{Client: server.Client(), Key: server.NewKey(), Rings: rings}
			sealed, err := open(t, cfg).Seal(t.Context(), sc, at, []byte("plain"))
			if err != nil {
				t.Fatal(err)
			}
			server.OnCall(func(kmstest.Call) string { return code })
			s := open(t, cfg)
			if b, err := s.Open(t.Context(), sc, at, sealed); b != nil || !problem.Is(err, want) {
				t.Errorf("Open: %q, %v; want %v", b, err, want)
			}
			if b, err := s.Seal(t.Context(), other, at, []byte("plain")); b != nil || !problem.Is(err, want) {
				t.Errorf("the first Seal: %q, %v; want %v", b, err, want)
			}
			if n := len(server.Calls("Decrypt")); n > 1+3 {
				t.Errorf("KMS was asked %d times", n-1)
			}
			server.OnCall(nil)
			if b, err := open(t, cfg).Open(t.Context(), sc, at, sealed); err != nil || string(b) != "plain" {
				t.Errorf("when it is back: %q, %v", b, err)
			}
		})
	}
}

// TestOneThrottleIsRetried: it is not the caller's to notice.
func TestOneThrottleIsRetried(t *testing.T) {
	t.Parallel()
	server := kmstest.New()
	n := 0
	server.OnCall(func(kmstest.Call) string {
		if n++; n == 1 {
			return "ThrottlingException"
		}
		return ""
	})
	s := open(t, kmsseal.Config{Client: server.Client(), Key: server.NewKey(), Rings: sealtest.NewRings()})
	if _, err := s.Seal(t.Context(), sc, at, nil); err != nil {
		t.Error(err)
	}
}

// TestOverTheWire: the same over a socket, and a KMS that is not there.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	endpoint, server := kmstest.Start(t)
	cfg := kmsseal.Config{Client: kmstest.Dial(endpoint), Key: server.NewKey(), Rings: sealtest.NewRings()}
	s := open(t, cfg)
	if _, err := s.Seal(t.Context(), sc, at, nil); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, cfg).Seal(ended, sc, at, nil); err == nil {
		t.Error("a caller who has gone is answered")
	}
	cfg.Client = kmstest.Dial("http://127.0.0.1:1")
	if _, err := open(t, cfg).Seal(t.Context(), sc, at, nil); !problem.Is(err, problem.Unavailable) {
		t.Errorf("nobody listens: %v", err)
	}
}
