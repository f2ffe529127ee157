package tabletest

import (
	"slices"
	"testing"
	"time"

	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// Times far enough away that the granularity of a store (DynamoDB: 1 s) and a
// slow machine do not matter; nothing here waits.
func later() time.Time { return time.Now().Add(time.Hour).Truncate(time.Second) }
func past() time.Time  { return time.Now().Add(-time.Minute) }

func testExpiry(t *testing.T, s *suite) {
	sc := fresh()
	at := later()
	s.write(t, sc, table.Create(key("gone"), []byte("gone")).Expiring(past()), table.Create(key("stays"), []byte("stays")).Expiring(at.Add(700*time.Millisecond)),
		table.Create(key("forever"), []byte("forever")), table.Create(key("ancient"), nil).Expiring(time.Unix(0, 0)),
		table.Create(key("zero"), nil).Expiring(time.Time{}))
	wantAbsent(t, s.get(t, sc, key("gone")))
	wantAbsent(t, s.get(t, sc, key("ancient")))
	stays := s.get(t, sc, key("stays"))
	wantItem(t, stays, "stays", nil, 1)
	if !stays.Expires.Equal(at) {
		t.Errorf("expires %v, want the whole second %v", stays.Expires, at)
	}
	for _, id := range []string{"forever", "zero"} {
		if it := s.get(t, sc, key(id)); it.Version != 1 || !it.Expires.IsZero() {
			t.Errorf("%s: version %d, expires %v", id, it.Version, it.Expires)
		}
	}
	want := []string{"forever", "stays", "zero"}
	if got, cur := s.list(t, sc, table.Query{Kind: kind, Parent: "p", Limit: 3}); !slices.Equal(got, want) || cur != "" {
		t.Errorf("list %q, cursor %q", got, cur)
	}
	if got, _ := s.all(t, sc, table.Query{Kind: kind, Parent: "p", Limit: 1}); !slices.Equal(got, want) {
		t.Errorf("one by one: %q", got)
	}
}

// expired returns the key of an item that has expired, with a body and counters.
func (s *suite) expired(t *testing.T, sc tenant.Scope) table.Key {
	t.Helper()
	k := key("gone" + freshName())
	s.write(t, sc, table.Create(k, []byte("ghost")))
	s.write(t, sc, table.Add(k, counts{"ghost": 1}).Expiring(past()))
	wantAbsent(t, s.get(t, sc, k))
	return k
}

// testExpiredWrites holds that an expired item is absent for writers too: every
// operation meets it as one that never was.
func testExpiredWrites(t *testing.T, s *suite) {
	sc := fresh()
	k := s.expired(t, sc)
	s.write(t, sc, table.Create(k, []byte("new")))
	wantItem(t, s.get(t, sc, k), "new", nil, 1)

	k = s.expired(t, sc)
	s.write(t, sc, table.Put(k, []byte("new")))
	wantItem(t, s.get(t, sc, k), "new", nil, 1)

	k = s.expired(t, sc)
	s.write(t, sc, table.Add(k, counts{"n": 1}))
	wantItem(t, s.get(t, sc, k), "", counts{"n": 1}, 1)

	k = s.expired(t, sc)
	s.write(t, sc, table.Check(table.Item{Key: k}))
	s.write(t, sc, table.Check(table.Item{Key: k}), table.Create(key("with-"+k.ID), nil))
	for version := int64(1); version <= 3; version++ {
		read := table.Item{Key: k, Version: version}
		for _, op := range []table.Op{table.Check(read), table.Replace(read, nil), table.Delete(read)} {
			wantAbsent(t, s.refused(t, sc, 0, op))
			wantAbsent(t, s.refused(t, sc, 1, table.Put(key("other"), nil), op))
		}
	}
	// The same among other operations, where a store may have another way to write.
	create, put, add := s.expired(t, sc), s.expired(t, sc), s.expired(t, sc)
	s.write(t, sc, table.Create(create, []byte("new")), table.Put(put, []byte("new")), table.Add(add, counts{"n": 1}))
	wantItem(t, s.get(t, sc, create), "new", nil, 1)
	wantItem(t, s.get(t, sc, put), "new", nil, 1)
	wantItem(t, s.get(t, sc, add), "", counts{"n": 1}, 1)
}

// testExpiryIsOfTheLastWrite holds the rule of Op.Expiring: a write without it
// leaves the item without expiry.
func testExpiryIsOfTheLastWrite(t *testing.T, s *suite) {
	sc := fresh()
	k, at := key("a"), later()
	expires := func(want time.Time) {
		t.Helper()
		if it := s.get(t, sc, k); it.Version == 0 || !it.Expires.Equal(want) {
			t.Errorf("version %d expires %v, want %v", it.Version, it.Expires, want)
		}
	}
	s.write(t, sc, table.Create(k, nil).Expiring(at))
	expires(at)
	s.write(t, sc, table.Check(s.get(t, sc, k)))
	expires(at)
	s.write(t, sc, table.Put(k, nil))
	expires(time.Time{})
	s.write(t, sc, table.Add(k, counts{"n": 1}).Expiring(at))
	expires(at)
	s.write(t, sc, table.Add(k, counts{"n": 1}))
	expires(time.Time{})
	s.write(t, sc, table.Replace(s.get(t, sc, k), nil).Expiring(at))
	expires(at)
	s.write(t, sc, table.Replace(s.get(t, sc, k), nil))
	expires(time.Time{})
	s.write(t, sc, table.Put(k, nil).Expiring(at))
	expires(at)
	s.write(t, sc, table.Put(k, nil).Expiring(past()))
	wantAbsent(t, s.get(t, sc, k))
}
