package sealtest

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"switchboard/shared/seal"
	"switchboard/shared/seal/masterseal"
	"switchboard/shared/tenant"
)

// New returns a sealer of its own, whose keys are in memory.
func New(t testing.TB) *seal.Sealer {
	t.Helper()
	s, err := masterseal.Open(bytes.Repeat([]byte("m"), 32), NewRings())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Rings are rings in memory. Several sealers can have the same, as processes do.
type Rings struct {
	mu    sync.Mutex
	rings map[tenant.ID][]byte
}

var _ seal.Rings = (*Rings)(nil)

// NewRings returns a place without rings.
func NewRings() *Rings { return &Rings{rings: make(map[tenant.ID][]byte)} }

// Load implements [seal.Rings]. A ring is its own mark.
func (r *Rings) Load(_ context.Context, sc tenant.Scope) ([]byte, string, error) {
	if err := sc.Check("sealtest.Load"); err != nil {
		return nil, "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ring := r.rings[sc.Project()]
	return bytes.Clone(ring), string(ring), nil
}

// Save implements [seal.Rings].
func (r *Rings) Save(_ context.Context, sc tenant.Scope, ring []byte, mark string) error {
	if err := sc.Check("sealtest.Save"); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if string(r.rings[sc.Project()]) != mark {
		return seal.ErrRaced
	}
	r.rings[sc.Project()] = bytes.Clone(ring)
	return nil
}

// Forge puts one tenant's ring in another's place, with the name in it changed.
func (r *Rings) Forge(from, to tenant.Scope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rings[to.Project()] = bytes.Replace(r.rings[from.Project()], []byte(`"`+from.Project().String()+`"`), []byte(`"`+to.Project().String()+`"`), 1)
}

// Close implements [seal.Rings].
func (r *Rings) Close() error { return nil }
