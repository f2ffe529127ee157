package driver_test

import (
	"strings"
	"testing"

	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant/tenanttest"
)

// FuzzPartition: what Partition makes, ParsePartition undoes; what it undoes,
// Partition made; and no other tenant's ParsePartition accepts it.
func FuzzPartition(f *testing.F) {
	f.Add("abc", "abc-d", "turn", "conversation")
	f.Add("abc", "abcd", "turn", "#")
	f.Add("abc", "abc1", "a", "abc#turn#x")
	f.Fuzz(func(t *testing.T, a, b, kind, parent string) {
		if !parses(a) || !parses(b) || kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Skip()
		}
		mine, other := tenanttest.Scope(a), tenanttest.Scope(b)
		pk := driver.Partition(mine, driver.Kind(kind), parent)
		k, p, ok := driver.ParsePartition(mine, pk)
		if !ok || string(k) != kind || p != parent {
			t.Errorf("%q came back as %q, %q, %v", pk, k, p, ok)
		}
		if _, _, ok := driver.ParsePartition(other, pk); ok != (a == b) {
			t.Errorf("%s reads %q as its own: %v", b, pk, ok)
		}
	})
}

// FuzzParsePartition: what it accepts is what Partition makes of the answer.
func FuzzParsePartition(f *testing.F) {
	for _, s := range []string{"", "#", "one", "one#", "one##", "one#k", "one#k#", "one#k#p#q", "one-d#k#p", "#one#k#p", "One#k#p", "two#k#p"} {
		f.Add(s)
	}
	sc := tenanttest.Scope("one")
	f.Fuzz(func(t *testing.T, s string) {
		kind, parent, ok := driver.ParsePartition(sc, s)
		if !ok {
			return
		}
		if again := driver.Partition(sc, kind, parent); again != s || kind == "" {
			t.Errorf("%q was read as %q, %q", s, kind, parent)
		}
	})
}

// parses reports whether s can be a project id; tenanttest.Scope panics if not.
func parses(s string) (ok bool) {
	defer func() { ok = recover() == nil }()
	tenanttest.Scope(s)
	return true
}

func TestStrings(t *testing.T) {
	t.Parallel()
	if s := (driver.Key{Kind: "k", Parent: "p#", ID: "\n"}).String(); s != `k("p#","\n")` {
		t.Errorf("Key: %s", s)
	}
	err := &driver.Conflict{Op: 2, Current: driver.Item{Body: []byte("secret"), Version: 3}}
	if s := err.Error(); strings.Contains(s, "secret") || !strings.Contains(s, "operation 2") || !strings.Contains(s, "3") {
		t.Errorf("Conflict: %s", s)
	}
}
