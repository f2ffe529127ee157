package table_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// script is a driver that answers what a test says and keeps what it was asked.
type script struct {
	get    func(driver.Key) (driver.Item, error)
	write  func([]driver.Op) error
	items  []driver.Item
	ranges []driver.Range
	limits []int
	calls  int
	closed bool
}

var _ driver.Driver = (*script)(nil)

func (s *script) Get(_ context.Context, _ tenant.Scope, k driver.Key) (driver.Item, error) {
	s.calls++
	return s.get(k)
}

func (s *script) Write(_ context.Context, _ tenant.Scope, ops []driver.Op) error {
	s.calls++
	return s.write(ops)
}

func (s *script) Query(_ context.Context, _ tenant.Scope, r driver.Range) ([]driver.Item, error) {
	s.calls++
	s.ranges = append(s.ranges, r)
	return s.items[:min(len(s.items), r.Limit)], nil
}

func (s *script) Changes(_ context.Context, _ tenant.Scope, after string, limit int) ([]driver.Change, string, error) {
	s.calls++
	s.limits = append(s.limits, limit)
	return nil, after, nil
}

func (s *script) Close() error {
	s.closed = true
	return nil
}

var (
	sc  = tenanttest.Scope("one")
	key = table.Key{Kind: "test", Parent: "p", ID: "a"}
)

func newTable(t testing.TB, d driver.Driver) *table.Table {
	t.Helper()
	tbl, err := table.New(d, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

// TestLostAcknowledgement: a driver that sent a write twice meets its own item.
func TestLostAcknowledgement(t *testing.T) {
	t.Parallel()
	s := &script{}
	tbl := newTable(t, s)
	s.write = func(ops []driver.Op) error { // the first try landed
		return &driver.Conflict{Current: driver.Item{Key: key, Version: 1, Token: ops[0].Token}}
	}
	if err := tbl.Write(t.Context(), sc, table.Create(key, nil)); err != nil {
		t.Errorf("our own write is a conflict: %v", err)
	}
	s.write = func([]driver.Op) error { // somebody else was first
		return fmt.Errorf("wrapped: %w", &driver.Conflict{Op: 0, Current: driver.Item{Key: key, Version: 1, Token: "another"}})
	}
	c, ok := errors.AsType[*table.Conflict](tbl.Write(t.Context(), sc, table.Create(key, nil)))
	if !ok || c.Current.Version != 1 {
		t.Errorf("another's write is %v", c)
	}
	s.write = func([]driver.Op) error { return &driver.Conflict{} } // nothing is there, so not ours
	if err := tbl.Write(t.Context(), sc, table.Replace(table.Item{Key: key, Version: 1}, nil)); err == nil {
		t.Error("the zero Item was taken for ours")
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	s := &script{write: func(ops []driver.Op) error {
		if ops[0].Token != ops[1].Token || len(ops[0].Token) != 16 || seen[ops[0].Token] {
			t.Errorf("tokens %q and %q", ops[0].Token, ops[1].Token)
		}
		seen[ops[0].Token] = true
		return nil
	}}
	tbl := newTable(t, s)
	other := table.Key{Kind: "test", ID: "b"}
	ops := []table.Op{table.Put(key, nil), table.Put(other, nil)}
	for range 100 { // the same Ops again are another write
		if err := tbl.Write(t.Context(), sc, ops...); err != nil {
			t.Fatal(err)
		}
	}
}

// TestErrorsAreClassified: what a driver did not classify is a store that is not
// available, and its text stays off the wire.
func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		kind problem.Kind
	}{
		"unknown":   {errors.New("disk i/o error at /var/lib/secret"), problem.Unavailable},
		"cancelled": {fmt.Errorf("query: %w", context.Canceled), problem.Canceled},
		"late":      {context.DeadlineExceeded, problem.Unavailable},
		"a problem": {problem.New(problem.Conflict, "x", "full"), problem.Conflict},
	} {
		s := &script{write: func([]driver.Op) error { return c.err }, get: func(driver.Key) (driver.Item, error) { return driver.Item{}, c.err }}
		tbl := newTable(t, s)
		_, getErr := tbl.Get(t.Context(), sc, key)
		for _, err := range []error{getErr, tbl.Write(t.Context(), sc, table.Put(key, nil))} {
			if !problem.Is(err, c.kind) || !errors.Is(err, c.err) || strings.Contains(problem.From(err).Message(), "secret") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestNothingReachesTheDriver holds that what the table refuses is refused here,
// once for all drivers.
func TestNothingReachesTheDriver(t *testing.T) {
	t.Parallel()
	s := &script{}
	tbl := newTable(t, s)
	var zero tenant.Scope
	tbl.Get(t.Context(), zero, key)
	tbl.List(t.Context(), zero, table.Query{Kind: "test"})
	tbl.Changes(t.Context(), zero, "", 1)
	tbl.Write(t.Context(), zero, table.Put(key, nil))
	tbl.Get(t.Context(), sc, table.Key{})
	tbl.List(t.Context(), sc, table.Query{})
	tbl.List(t.Context(), sc, table.Query{Kind: "test", Cursor: "made up"})
	tbl.Write(t.Context(), sc)
	tbl.Write(t.Context(), sc, table.Op{})
	tbl.Write(t.Context(), sc, table.Put(key, make([]byte, table.MaxBody+1)))
	if s.calls != 0 {
		t.Errorf("%d calls reached the driver", s.calls)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := &script{}
	tbl := newTable(t, s)
	for _, limit := range []int{-1, 0, 1, 7, table.MaxPage, table.MaxPage + 1} {
		tbl.List(t.Context(), sc, table.Query{Kind: "test", Limit: limit})
		tbl.Changes(t.Context(), sc, "", limit)
	}
	for i, want := range []int{101, 101, 2, 8, table.MaxPage + 1, table.MaxPage + 1} { // one more, to see if there is one
		if got := s.ranges[i].Limit; got != want {
			t.Errorf("query %d asks for %d items, want %d", i, got, want)
		}
	}
	for i, want := range []int{1, 1, 1, 7, table.MaxPage, table.MaxPage} {
		if s.limits[i] != want {
			t.Errorf("feed %d asks for %d changes, want %d", i, s.limits[i], want)
		}
	}
	if err := tbl.Close(); err != nil || !s.closed {
		t.Error("Close did not reach the driver")
	}
	for _, size := range []int{0, 16, 31, 33} {
		if _, err := table.New(s, make([]byte, size)); err == nil {
			t.Errorf("a key of %d bytes was accepted", size)
		}
	}
}
