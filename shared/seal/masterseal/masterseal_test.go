package masterseal_test

import (
	"bytes"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/masterseal"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/tenant/tenanttest"
)

var master = bytes.Repeat([]byte("m"), 32)

func open(t *testing.T, key []byte, rings seal.Rings) *seal.Sealer {
	t.Helper()
	s, err := masterseal.Open(key, rings)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sealtest.Run(t, func(t *testing.T) func() *seal.Sealer {
		rings := sealtest.NewRings()
		return func() *seal.Sealer { return open(t, master, rings) }
	})
}

// TestAnotherMaster: the rings alone open nothing, and no key is made over those
// that cannot be unwrapped.
func TestAnotherMaster(t *testing.T) {
	t.Parallel()
	rings, sc := sealtest.NewRings(), tenanttest.Scope("acme")
	at := seal.Place{Store: seal.Table, Kind: "x", ID: "y"}
	good := open(t, master, rings)
	sealed, err := good.Seal(t.Context(), sc, at, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	other := open(t, bytes.Repeat([]byte("n"), 32), rings)
	if _, err := other.Open(t.Context(), sc, at, sealed); !problem.Is(err, problem.Internal) {
		t.Errorf("it opens under another master: %v", err)
	}
	if _, err := other.Seal(t.Context(), sc, at, nil); !problem.Is(err, problem.Internal) {
		t.Errorf("it seals under another master: %v", err)
	}
	if _, err := good.Open(t.Context(), sc, at, sealed); err != nil {
		t.Error(err)
	}
	if _, err := masterseal.Open(master[:31], rings); err == nil {
		t.Error("a short master is one")
	}
	if _, err := masterseal.Open(master, nil); err == nil {
		t.Error("no rings are some")
	}
}
