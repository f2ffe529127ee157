package tabletest

import (
	"context"
	"fmt"
	"testing"

	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

func testCancelled(t *testing.T, s *suite) {
	sc := fresh()
	s.write(t, sc, table.Create(key("there"), []byte("there")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if it, err := s.Get(ctx, sc, key("there")); err == nil || it.Version != 0 {
		t.Errorf("Get: version %d, %v", it.Version, err)
	}
	if page, err := s.List(ctx, sc, table.Query{Kind: kind, Parent: "p"}); err == nil || len(page.Items) != 0 {
		t.Errorf("List: %d items, %v", len(page.Items), err)
	}
	if changes, _, err := s.Changes(ctx, sc, "", 10); err == nil || len(changes) != 0 {
		t.Errorf("Changes: %d, %v", len(changes), err)
	}
	if err := s.Write(ctx, sc, table.Create(key("a"), nil), table.Create(key("b"), nil)); err == nil {
		t.Error("Write with a cancelled context returned nil")
	}
	s.bothOrNone(t, sc, "a", "b", false)
	s.write(t, sc, table.Put(key("there"), nil)) // the store is usable after
}

// testCancelledMidway cancels while the write is under way. An error leaves it
// open whether it happened, and when; half of it must not.
func testCancelledMidway(t *testing.T, s *suite) {
	sc := fresh()
	rounds := 50
	if s.opt.Fast {
		rounds = 10
	}
	for i := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
		err := s.Write(ctx, sc, table.Create(key(a), nil), table.Create(key(b), nil))
		s.bothOrNone(t, sc, a, b, err == nil)
		cancel()
	}
}

func (s *suite) bothOrNone(t *testing.T, sc tenant.Scope, a, b string, acknowledged bool) {
	t.Helper()
	va, vb := s.get(t, sc, key(a)).Version, s.get(t, sc, key(b)).Version
	if !acknowledged && va == 0 && vb == 1 {
		// A server goes on with a request whose sender has left: this one may have
		// been applied between the two reads, but then it is there for the next two.
		va, vb = s.get(t, sc, key(a)).Version, s.get(t, sc, key(b)).Version
	}
	if va != vb || acknowledged && va == 0 {
		t.Errorf("versions %d and %d; acknowledged: %v", va, vb, acknowledged)
	}
}
