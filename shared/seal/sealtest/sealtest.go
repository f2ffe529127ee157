// Package sealtest is the conformance suite of providers of keys, and what tests of
// other packages need to look at a sealer from inside.
//
// Tests import it. Its one promise: what passes here opens nothing for another
// tenant, in another place or after a shredding, and never answers an outage with
// plaintext.
package sealtest

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/internal/driver"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// Run runs the suite. open is called once a test, inside a bubble of
// testing/synctest; each call of what it returns opens the same keys as another
// process does. Nothing but the suite may use them.
func Run(t *testing.T, open func(*testing.T) (process func() *seal.Sealer)) {
	for name, test := range map[string]func(*suite){
		"ZeroScopeIsRefused":   (*suite).zeroScope,
		"TenantsAreStrangers":  (*suite).strangers,
		"RingsAreStrangers":    (*suite).rings,
		"PlacesAreStrangers":   (*suite).places,
		"EveryByteCounts":      (*suite).bytes,
		"OddStrings":           (*suite).odd,
		"Rotation":             (*suite).rotation,
		"RotationIsSeen":       (*suite).rotationIsSeen,
		"RotationRaces":        (*suite).rotationRaces,
		"Shred":                (*suite).shred,
		"ShredIsSeen":          (*suite).shredIsSeen,
		"ConcurrentFirstUse":   (*suite).firstUse,
		"OneFlight":            (*suite).oneFlight,
		"OutageOfKeys":         (*suite).keysAway,
		"OutageOfRings":        (*suite).ringsAway,
		"AnOutageIsOneTenants": (*suite).oneTenantsOutage,
		"RenewedBehind":        (*suite).renewed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &suite{T: t, process: open(t)}
				defer s.close()
				test(s)
			})
		})
	}
}

type suite struct {
	*testing.T
	process func() *seal.Sealer
	opened  []*seal.Sealer
}

var (
	one = tenanttest.Scope("one")
	two = tenanttest.Scope("two")
	at  = seal.Place{Store: seal.Table, Kind: "turn", Parent: "conversation", ID: "1"}
)

// start opens the keys as another process.
func (t *suite) start() *seal.Sealer {
	s := t.process()
	t.opened = append(t.opened, s)
	return s
}

func (t *suite) close() {
	for _, s := range t.opened {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
}

const secret = "a canary: 7f3c5b0e"

// seal seals, failing the test on an error.
func (t *suite) seal(s *seal.Sealer, sc tenant.Scope, at seal.Place) []byte {
	t.Helper()
	b, err := s.Seal(t.Context(), sc, at, []byte(secret))
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	if len(b) != len(secret)+seal.Overhead || bytes.Contains(b, []byte(secret[:6])) {
		t.Fatalf("sealed: %q", b)
	}
	return b
}

// opens fails the test unless it opens.
func (t *suite) opens(s *seal.Sealer, sc tenant.Scope, at seal.Place, sealed []byte) {
	t.Helper()
	if b, err := s.Open(t.Context(), sc, at, sealed); err != nil || string(b) != secret {
		t.Fatalf("Open: %q, %v", b, err)
	}
}

// shut fails the test unless Open refuses with the kind, and says nothing.
func (t *suite) shut(s *seal.Sealer, sc tenant.Scope, at seal.Place, sealed []byte, kind problem.Kind) {
	t.Helper()
	b, err := s.Open(t.Context(), sc, at, sealed)
	if b != nil || !problem.Is(err, kind) {
		t.Fatalf("Open: %q, %v; want %v", b, err, kind)
	}
	if bytes.Contains([]byte(err.Error()), []byte(secret[:6])) {
		t.Errorf("the error tells: %v", err)
	}
}

// Observe returns s with before called ahead of each call of its provider (Load,
// Save, Generate, Unwrap), and with nothing held. An error it returns is the call's.
func Observe(s *seal.Sealer, before func(ctx context.Context, sc tenant.Scope, method string) error) *seal.Sealer {
	return seal.Decorate(s, func(r driver.Rings, w driver.Wrapper) (driver.Rings, driver.Wrapper) {
		return observedRings{r, before}, observedWrapper{w, before}
	})
}

type before = func(context.Context, tenant.Scope, string) error

type observedRings struct {
	driver.Rings
	before before
}

func (o observedRings) Load(ctx context.Context, sc tenant.Scope) ([]byte, string, error) {
	if err := o.before(ctx, sc, "Load"); err != nil {
		return nil, "", err
	}
	return o.Rings.Load(ctx, sc)
}

func (o observedRings) Save(ctx context.Context, sc tenant.Scope, ring []byte, mark string) error {
	if err := o.before(ctx, sc, "Save"); err != nil {
		return err
	}
	return o.Rings.Save(ctx, sc, ring, mark)
}

type observedWrapper struct {
	driver.Wrapper
	before before
}

func (o observedWrapper) Generate(ctx context.Context, sc tenant.Scope, version uint32) (secret, wrapped []byte, err error) {
	if err := o.before(ctx, sc, "Generate"); err != nil {
		return nil, nil, err
	}
	return o.Wrapper.Generate(ctx, sc, version)
}

func (o observedWrapper) Unwrap(ctx context.Context, sc tenant.Scope, version uint32, wrapped []byte) ([]byte, error) {
	if err := o.before(ctx, sc, "Unwrap"); err != nil {
		return nil, err
	}
	return o.Wrapper.Unwrap(ctx, sc, version, wrapped)
}
