package tabletest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// follow reads the feed from a position until done says that the last change of
// each key is what it waits for and the feed has no more to give. It returns all
// changes, duplicates included, and the position behind them.
func (s *suite) follow(t tb, sc tenant.Scope, after string, limit int, done func(last map[table.Key]table.Item) bool) ([]table.Change, string) {
	t.Helper()
	var all []table.Change
	last := map[table.Key]table.Item{}
	deadline := time.Now().Add(s.opt.FeedLag)
	for answers := 0; ; answers++ {
		changes, next, err := s.Changes(t.Context(), sc, after, limit)
		if err != nil {
			t.Fatalf("Changes after %q: %v", after, err)
		}
		if len(changes) > limit || answers > 10_000 {
			t.Fatalf("%d changes with limit %d, answer %d", len(changes), limit, answers)
		}
		after = next
		for _, c := range changes {
			last[c.Key] = c.Item
			if c.Item.Version == 0 {
				wantAbsent(t, c.Item)
			} else if c.Item.Key != c.Key {
				t.Fatalf("the change of %s has the item %s", c.Key, c.Item.Key)
			}
		}
		all = append(all, changes...)
		switch {
		case len(changes) > 0:
		case done(last):
			return all, after
		case !time.Now().Before(deadline):
			t.Fatalf("the feed ended after %d changes of %d keys", len(all), len(last))
		default:
			s.pause(t)
		}
	}
}

// pause lets a feed that lags catch up; a store in this process never gets here.
func (s *suite) pause(t tb) {
	select {
	case <-time.After(s.opt.FeedLag / 200):
	case <-t.Context().Done():
	}
}

// current reports whether the last change of each key is the item as it is.
func (s *suite) current(t tb, sc tenant.Scope, keys ...table.Key) func(map[table.Key]table.Item) bool {
	return func(last map[table.Key]table.Item) bool {
		for _, k := range keys {
			got, ok := last[k]
			if want := s.get(t, sc, k); !ok || got.Version != want.Version || string(got.Body) != string(want.Body) {
				return false
			}
		}
		return true
	}
}

func testFeedHasEveryWrite(t *testing.T, s *suite) {
	sc := fresh()
	if changes, _ := s.follow(t, sc, "", 10, s.current(t, sc)); len(changes) != 0 {
		t.Errorf("a new tenant's feed has %v", changes)
	}
	keys := []table.Key{key("created"), key("replaced"), key("put"), key("deleted"), key("added"), key("relaxed"), key("one"), key("two"), key("reborn")}
	s.write(t, sc, table.Create(key("created"), []byte("c")))
	s.write(t, sc, table.Create(key("replaced"), []byte("old")))
	s.write(t, sc, table.Replace(s.get(t, sc, key("replaced")), []byte("new")))
	s.write(t, sc, table.Put(key("put"), []byte("p")))
	s.write(t, sc, table.Create(key("deleted"), []byte("d")))
	s.write(t, sc, table.Delete(s.get(t, sc, key("deleted"))))
	s.write(t, sc, table.Add(key("added"), counts{"n": 3}))
	s.write(t, sc, table.Create(key("relaxed"), nil).Relaxed())
	s.write(t, sc, table.Create(key("one"), nil), table.Create(key("two"), nil), table.Check(table.Item{Key: key("unwritten")}))
	s.write(t, sc, table.Create(key("reborn"), []byte("1")))
	s.write(t, sc, table.Delete(s.get(t, sc, key("reborn"))))
	s.write(t, sc, table.Create(key("reborn"), []byte("2")))
	conflict(t, s.Write(t.Context(), sc, table.Put(key("refused"), nil), table.Create(key("one"), nil)))

	for _, limit := range []int{1, 3, 100} {
		changes, _ := s.follow(t, sc, "", limit, s.current(t, sc, keys...))
		for _, c := range changes {
			if !slices.Contains(keys, c.Key) {
				t.Errorf("the feed has %s, which was not written", c.Key)
			}
		}
	}
}

func testFeedResumes(t *testing.T, s *suite) {
	sc := fresh()
	var keys []table.Key
	pos := ""
	for round := range 4 {
		for i := range 5 {
			k := key(fmt.Sprintf("%d.%d", round, i))
			keys = append(keys, k)
			s.write(t, sc, table.Create(k, []byte(k.ID)))
		}
		var changes []table.Change
		changes, pos = s.follow(t, sc, pos, 2, s.current(t, sc, keys[len(keys)-5:]...))
		if s.opt.FeedLag == 0 && len(changes) != 5 {
			t.Errorf("round %d: %d changes behind the position, want 5", round, len(changes))
		}
	}
	// A position stays good after the items behind it have changed.
	s.write(t, sc, table.Put(keys[0], []byte("again")), table.Delete(s.get(t, sc, keys[1])))
	s.follow(t, sc, pos, 10, s.current(t, sc, keys[0], keys[1]))
	s.follow(t, sc, "", 10, s.current(t, sc, keys...))
	if _, _, err := s.Changes(t.Context(), sc, "not a position", 10); err == nil {
		t.Error("a made-up position was accepted")
	}
}

// testFeedKeepsOrder reads while others write: what the feed says of one key
// never goes back in time, and ends with the last write.
func testFeedKeepsOrder(t *testing.T, s *suite) {
	sc := fresh()
	const keys, writes = 3, 10
	all := []table.Key{key("0"), key("1"), key("2")}
	s.together(keys+1, func(i int) {
		if i == keys {
			s.inOrder(t, sc, all, writes)
			return
		}
		for v := range writes {
			if err := s.Write(t.Context(), sc, table.Put(all[i], fmt.Append(nil, v))); err != nil {
				t.Errorf("Put: %v", err)
			}
		}
	})
}

// inOrder follows the feed until every key has reached its last version.
func (s *suite) inOrder(t *testing.T, sc tenant.Scope, keys []table.Key, last int64) {
	seen := map[table.Key]int64{}
	after := ""
	for finished := 0; finished < len(keys); {
		changes, next, err := s.Changes(t.Context(), sc, after, 2)
		if err != nil {
			t.Errorf("Changes: %v", err)
			return
		}
		after = next
		for _, c := range changes {
			if c.Item.Version < seen[c.Key] {
				t.Errorf("%s went from version %d to %d", c.Key, seen[c.Key], c.Item.Version)
			}
			if c.Item.Version == last && seen[c.Key] < last {
				finished++
			}
			seen[c.Key] = c.Item.Version
		}
		if len(changes) == 0 && s.opt.FeedLag > 0 {
			s.pause(t)
		}
	}
}

func testFeedIsOneTenants(t *testing.T, s *suite) {
	a, b := neighbours()
	for i := range 5 {
		s.write(t, a, table.Create(key(fmt.Sprint("a", i)), []byte("a")))
		s.write(t, b, table.Create(key(fmt.Sprint("b", i)), []byte("b")))
	}
	for who, sc := range map[string]tenant.Scope{"a": a, "b": b} {
		changes, pos := s.follow(t, sc, "", 3, func(last map[table.Key]table.Item) bool { return len(last) >= 5 })
		for _, c := range changes {
			if string(c.Item.Body) != who || c.Key.ID[:1] != who {
				t.Errorf("%s's feed has %s %q", who, c.Key, c.Item.Body)
			}
		}
		// A position of one tenant shows nothing of it to the other.
		other := map[string]tenant.Scope{"a": b, "b": a}[who]
		changes, _, _ = s.Changes(t.Context(), other, pos, 100)
		for _, c := range changes {
			if string(c.Item.Body) == who {
				t.Errorf("with %s's position the other reads %s", who, c.Key)
			}
		}
	}
}
