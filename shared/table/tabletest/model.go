package tabletest

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// model is what a table has to be: a map of what is alive.
type model map[table.Key]table.Item

// testModel does random things to a tenant and to the model, and compares.
func testModel(t *testing.T, s *suite) {
	most := 60
	if testing.Short() {
		most = 15
	}
	if s.opt.Fast {
		most = 5
	}
	run, failed := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		// Bounded, but not while a failure is being made smaller.
		if run++; run > most && !failed {
			return
		}
		defer func() { failed = failed || rt.Failed() }()
		sc, m := fresh(), model{}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			m.step(rt, s, sc)
		}
		m.compareFeed(rt, s, sc)
	})
}

func (m model) step(t *rapid.T, s *suite, sc tenant.Scope) {
	switch rapid.IntRange(0, 3).Draw(t, "step") {
	case 0:
		k := drawKey(t)
		it := s.get(t, sc, k)
		wantItem(t, it, string(m[k].Body), m[k].Counts, m[k].Version)
	case 1:
		m.list(t, s, sc)
	default:
		m.write(t, s, sc)
	}
}

func drawKey(t *rapid.T) table.Key {
	return table.Key{
		Kind:   rapid.SampledFrom([]table.Kind{"a", "b"}).Draw(t, "kind"),
		Parent: rapid.SampledFrom([]string{"", "p"}).Draw(t, "parent"),
		ID:     rapid.SampledFrom([]string{"1", "2", "22", "é"}).Draw(t, "id"),
	}
}

func (m model) list(t *rapid.T, s *suite, sc tenant.Scope) {
	k := drawKey(t)
	bound := rapid.SampledFrom([]string{"", "1", "2", "3"})
	q := table.Query{Kind: k.Kind, Parent: k.Parent, From: bound.Draw(t, "from"), To: bound.Draw(t, "to"),
		Reverse: rapid.Bool().Draw(t, "reverse"), Limit: rapid.IntRange(1, 3).Draw(t, "limit")}
	var want []string
	for _, k := range slices.SortedFunc(maps.Keys(m), func(a, b table.Key) int { return cmp.Compare(a.ID, b.ID) }) {
		if k.Kind == q.Kind && k.Parent == q.Parent && k.ID >= q.From && (q.To == "" || k.ID < q.To) {
			want = append(want, k.ID)
		}
	}
	if q.Reverse {
		slices.Reverse(want)
	}
	if got, _ := s.all(t, sc, q); !slices.Equal(got, want) {
		t.Fatalf("List %+v: %q, want %q", q, got, want)
	}
}

// write draws a write of 1 to 4 operations on distinct keys, some with the
// version that is there and some with one that is not.
func (m model) write(t *rapid.T, s *suite, sc tenant.Scope) {
	next, failed := maps.Clone(m), -1
	keys := map[table.Key]bool{}
	var ops []table.Op
	for range rapid.IntRange(1, 4).Draw(t, "ops") {
		k := drawKey(t)
		if keys[k] {
			continue
		}
		keys[k] = true
		op, after, holds := drawOp(t, k, m[k])
		if !holds && failed < 0 {
			failed = len(ops)
		}
		ops = append(ops, op)
		if next[k] = after; after.Version == 0 {
			delete(next, k)
		}
	}
	err := s.Write(t.Context(), sc, ops...)
	if failed >= 0 {
		c, ok := errors.AsType[*table.Conflict](err)
		if !ok || c.Op != failed {
			t.Fatalf("Write: %v, want a conflict at operation %d", err, failed)
		}
		now := m[c.Current.Key]
		wantItem(t, c.Current, string(now.Body), now.Counts, now.Version)
		return
	}
	if err != nil {
		t.Fatalf("Write: %v", err)
	}
	clear(m)
	maps.Copy(m, next)
}

// drawOp returns an operation on k, what is there after it, and whether its
// condition holds.
func drawOp(t *rapid.T, k table.Key, is table.Item) (op table.Op, after table.Item, holds bool) {
	body := []byte(rapid.SampledFrom([]string{"", "x", strings.Repeat("long", 500)}).Draw(t, "body"))
	read := table.Item{Key: k, Version: max(1, is.Version+int64(rapid.SampledFrom([]int{0, 0, 0, 0, -1, 1}).Draw(t, "stale")))}
	after = table.Item{Key: k, Body: body, Counts: is.Counts, Version: is.Version + 1}
	holds = is.Version == read.Version
	switch rapid.IntRange(0, 5).Draw(t, "type") {
	case 0:
		op, holds = table.Create(k, body), is.Version == 0
	case 1:
		op = table.Replace(read, body)
	case 2:
		op, holds = table.Put(k, body), true
	case 3:
		return table.Delete(read), table.Item{}, holds
	case 4:
		return table.Check(read), is, holds
	case 5:
		n := map[string]int64{rapid.SampledFrom([]string{"n", "m"}).Draw(t, "counter"): int64(rapid.IntRange(-3, 3).Draw(t, "by"))}
		op, holds, after.Body, after.Counts = table.Add(k, n), true, is.Body, maps.Clone(is.Counts)
		if after.Counts == nil {
			after.Counts = map[string]int64{}
		}
		for name, by := range n {
			after.Counts[name] += by
		}
	}
	switch rapid.IntRange(0, 7).Draw(t, "expiry") {
	case 0:
		return op.Expiring(past()), table.Item{}, holds
	case 1:
		return op.Expiring(later()), after, holds
	}
	return op, after, holds
}

// compareFeed rebuilds the tenant from its feed.
func (m model) compareFeed(t *rapid.T, s *suite, sc tenant.Scope) {
	s.follow(t, sc, "", 3, func(last map[table.Key]table.Item) bool {
		alive := 0
		for k, got := range last {
			want := m[k]
			if got.Version != want.Version || string(got.Body) != string(want.Body) || !maps.Equal(got.Counts, want.Counts) {
				return false
			}
			if got.Version > 0 {
				alive++
			}
		}
		return alive == len(m)
	})
}
