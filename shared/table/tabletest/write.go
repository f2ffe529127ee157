package tabletest

import (
	"fmt"
	"testing"

	"switchboard/shared/table"
)

func testCreate(t *testing.T, s *suite) {
	sc := fresh()
	wantAbsent(t, s.get(t, sc, key("a")))
	s.write(t, sc, table.Create(key("a"), []byte("one")))
	it := s.get(t, sc, key("a"))
	wantItem(t, it, "one", nil, 1)
	if it.Token == "" || !it.Expires.IsZero() {
		t.Errorf("token %q, expires %v", it.Token, it.Expires)
	}
	wantItem(t, s.refused(t, sc, 0, table.Create(key("a"), []byte("two"))), "one", nil, 1)
	wantItem(t, s.get(t, sc, key("a")), "one", nil, 1)
	s.write(t, sc, table.Create(key("empty"), nil))
	wantItem(t, s.get(t, sc, key("empty")), "", nil, 1)
	s.write(t, sc, table.Create(key("relaxed"), []byte("r")).Relaxed())
	wantItem(t, s.get(t, sc, key("relaxed")), "r", nil, 1)
}

func testReplace(t *testing.T, s *suite) {
	sc := fresh()
	s.write(t, sc, table.Create(key("a"), []byte("one")))
	one := s.get(t, sc, key("a"))
	s.write(t, sc, table.Replace(one, []byte("two")))
	two := s.get(t, sc, key("a"))
	wantItem(t, two, "two", nil, 2)
	if two.Token == one.Token {
		t.Error("a write kept the token of the one before")
	}
	wantItem(t, s.refused(t, sc, 0, table.Replace(one, []byte("three"))), "two", nil, 2)
	ahead := two
	ahead.Version++
	wantItem(t, s.refused(t, sc, 0, table.Replace(ahead, []byte("three"))), "two", nil, 2)
	wantAbsent(t, s.refused(t, sc, 0, table.Replace(table.Item{Key: key("none"), Version: 1}, nil)))
	wantAbsent(t, s.get(t, sc, key("none")))
	s.write(t, sc, table.Replace(two, nil))
	wantItem(t, s.get(t, sc, key("a")), "", nil, 3)
}

func testPut(t *testing.T, s *suite) {
	sc := fresh()
	for v := range 3 {
		s.write(t, sc, table.Put(key("a"), fmt.Append(nil, v)))
		wantItem(t, s.get(t, sc, key("a")), fmt.Sprint(v), nil, int64(v+1))
	}
	s.write(t, sc, table.Put(key("a"), nil))
	wantItem(t, s.get(t, sc, key("a")), "", nil, 4)
}

func testDelete(t *testing.T, s *suite) {
	sc := fresh()
	s.write(t, sc, table.Create(key("a"), []byte("one")))
	one := s.get(t, sc, key("a"))
	s.write(t, sc, table.Put(key("a"), []byte("two")))
	wantItem(t, s.refused(t, sc, 0, table.Delete(one)), "two", nil, 2)
	s.write(t, sc, table.Delete(s.get(t, sc, key("a"))))
	wantAbsent(t, s.get(t, sc, key("a")))
	if ids, _ := s.list(t, sc, table.Query{Kind: kind, Parent: "p"}); len(ids) != 0 {
		t.Errorf("a deleted item is listed: %q", ids)
	}
	wantAbsent(t, s.refused(t, sc, 0, table.Delete(one)))
	wantAbsent(t, s.refused(t, sc, 0, table.Replace(one, nil)))
	s.write(t, sc, table.Check(table.Item{Key: key("a")}))
	s.write(t, sc, table.Create(key("a"), []byte("again")))
	wantItem(t, s.get(t, sc, key("a")), "again", nil, 1)
}

func testCheck(t *testing.T, s *suite) {
	sc := fresh()
	absent := table.Item{Key: key("a")}
	s.write(t, sc, table.Check(absent))
	wantAbsent(t, s.get(t, sc, key("a")))
	s.write(t, sc, table.Check(absent), table.Create(key("b"), nil))
	s.write(t, sc, table.Create(key("a"), []byte("one")))
	one := s.get(t, sc, key("a"))
	s.write(t, sc, table.Check(one))
	wantItem(t, s.get(t, sc, key("a")), "one", nil, 1)
	wantItem(t, s.refused(t, sc, 0, table.Check(absent)), "one", nil, 1)
	wantItem(t, s.refused(t, sc, 1, table.Create(key("c"), nil), table.Check(absent)), "one", nil, 1)
	s.write(t, sc, table.Put(key("a"), []byte("two")))
	wantItem(t, s.refused(t, sc, 0, table.Check(one)), "two", nil, 2)
	wantAbsent(t, s.refused(t, sc, 0, table.Check(table.Item{Key: key("none"), Version: 1})))
}

// testMadeAnew holds that a stale item does not match one that was made anew,
// although versions begin at 1 again.
func testMadeAnew(t *testing.T, s *suite) {
	sc := fresh()
	for name, c := range map[string]struct{ first, again func(table.Key) table.Op }{
		"created": {func(k table.Key) table.Op { return table.Create(k, []byte("old")) },
			func(k table.Key) table.Op { return table.Create(k, []byte("new")) }},
		"put": {func(k table.Key) table.Op { return table.Put(k, []byte("old")) },
			func(k table.Key) table.Op { return table.Put(k, []byte("new")) }},
		"counted": {func(k table.Key) table.Op { return table.Add(k, counts{"n": 1}) },
			func(k table.Key) table.Op { return table.Add(k, counts{"n": 1}) }},
	} {
		for _, end := range []string{"deleted", "expired"} {
			k := key(name + " after it " + end)
			s.write(t, sc, c.first(k))
			stale := s.get(t, sc, k)
			if end == "deleted" {
				s.write(t, sc, table.Delete(stale))
			} else {
				s.write(t, sc, table.Put(k, nil).Expiring(past()))
			}
			s.write(t, sc, c.again(k))
			now := s.get(t, sc, k)
			if now.Version != stale.Version || now.Token == stale.Token {
				t.Fatalf("%s: version %d, then %d; tokens %q and %q", k, stale.Version, now.Version, stale.Token, now.Token)
			}
			for _, op := range []table.Op{table.Replace(stale, nil), table.Delete(stale), table.Check(stale)} {
				for _, current := range []table.Item{s.refused(t, sc, 0, op), s.refused(t, sc, 1, table.Put(key("beside"), nil), op), s.get(t, sc, k)} {
					wantItem(t, current, string(now.Body), now.Counts, now.Version)
				}
			}
			s.write(t, sc, table.Check(now))
			s.write(t, sc, table.Replace(now, nil))
			s.write(t, sc, table.Delete(s.get(t, sc, k)))
		}
	}
}

// testConflictIsComplete holds that Current can stand in for a read: one can go
// on from it without another round trip.
func testConflictIsComplete(t *testing.T, s *suite) {
	sc := fresh()
	s.write(t, sc, table.Create(key("a"), []byte("body")).Expiring(later()))
	s.write(t, sc, table.Add(key("a"), map[string]int64{"n": 7}).Expiring(later()))
	want := s.get(t, sc, key("a"))
	for name, ops := range map[string][]table.Op{
		"alone": {table.Create(key("a"), nil)},
		"among": {table.Create(key("a"), nil), table.Create(key("b"), nil)},
		"check": {table.Check(table.Item{Key: key("a")}), table.Create(key("b"), nil)},
	} {
		now := s.refused(t, sc, 0, ops...)
		wantItem(t, now, "body", map[string]int64{"n": 7}, 2)
		if now.Key != want.Key || now.Token != want.Token || !now.Expires.Equal(want.Expires) {
			t.Errorf("%s: Current is %+v, Get says %+v", name, now, want)
		}
	}
	s.write(t, sc, table.Replace(s.refused(t, sc, 0, table.Create(key("a"), nil)), []byte("next")))
}

// testAllOrNothing puts a condition that fails at each position of a write in
// turn, and looks that nothing else of it was applied.
func testAllOrNothing(t *testing.T, s *suite) {
	sc := fresh()
	s.write(t, sc, table.Create(key("old"), []byte("old")), table.Create(key("doomed"), []byte("doomed")),
		table.Add(key("n"), map[string]int64{"n": 1}), table.Create(key("taken"), []byte("taken")))
	old, doomed := s.get(t, sc, key("old")), s.get(t, sc, key("doomed"))
	good := []table.Op{
		table.Create(key("new"), []byte("new")), table.Replace(old, []byte("changed")), table.Put(key("put"), []byte("put")),
		table.Delete(doomed), table.Add(key("n"), map[string]int64{"n": 1}), table.Check(table.Item{Key: key("none")}),
	}
	for at := range len(good) + 1 {
		ops := append(append(append([]table.Op{}, good[:at]...), table.Create(key("taken"), nil)), good[at:]...)
		wantItem(t, s.refused(t, sc, at, ops...), "taken", nil, 1)
		wantAbsent(t, s.get(t, sc, key("new")))
		wantItem(t, s.get(t, sc, key("old")), "old", nil, 1)
		wantAbsent(t, s.get(t, sc, key("put")))
		wantItem(t, s.get(t, sc, key("doomed")), "doomed", nil, 1)
		wantItem(t, s.get(t, sc, key("n")), "", map[string]int64{"n": 1}, 1)
	}
	s.write(t, sc, good...)
	wantItem(t, s.get(t, sc, key("new")), "new", nil, 1)
	wantItem(t, s.get(t, sc, key("old")), "changed", nil, 2)
	wantItem(t, s.get(t, sc, key("put")), "put", nil, 1)
	wantAbsent(t, s.get(t, sc, key("doomed")))
	wantItem(t, s.get(t, sc, key("n")), "", map[string]int64{"n": 2}, 2)
	if a, b := s.get(t, sc, key("new")).Token, s.get(t, sc, key("put")).Token; a != b {
		t.Errorf("one write, two tokens: %q and %q", a, b)
	}
}

func testFirstConflict(t *testing.T, s *suite) {
	sc := fresh()
	s.write(t, sc, table.Create(key("a"), []byte("A")), table.Create(key("b"), []byte("B")))
	now := s.refused(t, sc, 1, table.Put(key("c"), nil), table.Create(key("b"), nil), table.Create(key("a"), nil))
	wantItem(t, now, "B", nil, 1)
	now = s.refused(t, sc, 0, table.Check(table.Item{Key: key("a"), Version: 9}), table.Create(key("b"), nil))
	wantItem(t, now, "A", nil, 1)
}

// testWriteIsCopied holds that no memory is shared with the caller, who may
// reuse a buffer.
func testWriteIsCopied(t *testing.T, s *suite) {
	sc := fresh()
	body, counts := []byte("mine"), map[string]int64{"n": 1}
	s.write(t, sc, table.Create(key("a"), body), table.Add(key("n"), counts))
	copy(body, "xxxx")
	counts["n"] = 99
	got, n := s.get(t, sc, key("a")), s.get(t, sc, key("n"))
	wantItem(t, got, "mine", nil, 1)
	wantItem(t, n, "", map[string]int64{"n": 1}, 1)
	copy(got.Body, "yyyy")
	n.Counts["n"] = 98
	wantItem(t, s.get(t, sc, key("a")), "mine", nil, 1)
	wantItem(t, s.get(t, sc, key("n")), "", map[string]int64{"n": 1}, 1)
}
