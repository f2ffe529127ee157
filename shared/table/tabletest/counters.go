package tabletest

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"switchboard/shared/table"
)

type counts = map[string]int64

func testCounters(t *testing.T, s *suite) {
	sc := fresh()
	s.write(t, sc, table.Add(key("n"), counts{"a": 1}))
	wantItem(t, s.get(t, sc, key("n")), "", counts{"a": 1}, 1)
	s.write(t, sc, table.Add(key("n"), counts{"a": 2, "b": -5}))
	wantItem(t, s.get(t, sc, key("n")), "", counts{"a": 3, "b": -5}, 2)
	s.write(t, sc, table.Add(key("n"), counts{"a": -3, "zero": 0}))
	wantItem(t, s.get(t, sc, key("n")), "", counts{"a": 0, "b": -5, "zero": 0}, 3)
	s.write(t, sc, table.Add(key("n"), counts{"micro_usd": 1 << 60}))
	wantItem(t, s.get(t, sc, key("n")), "", counts{"a": 0, "b": -5, "zero": 0, "micro_usd": 1 << 60}, 4)
	many := counts{}
	for i := range 20 {
		many[strings.Repeat("x", i+1)] = int64(i)
	}
	s.write(t, sc, table.Add(key("many"), many), table.Add(key("one"), counts{"n": 1}))
	wantItem(t, s.get(t, sc, key("many")), "", many, 1)
	wantItem(t, s.get(t, sc, key("one")), "", counts{"n": 1}, 1)
	page, err := s.List(t.Context(), sc, table.Query{Kind: kind, Parent: "p", From: "many", To: "many\x00"})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("List: %v, %v", page.Items, err)
	}
	wantItem(t, page.Items[0], "", many, 1)
}

func testCountersAndBodies(t *testing.T, s *suite) {
	sc := fresh()
	k := key("a")
	s.write(t, sc, table.Create(k, []byte("body")))
	s.write(t, sc, table.Add(k, counts{"n": 2}))
	wantItem(t, s.get(t, sc, k), "body", counts{"n": 2}, 2)
	s.write(t, sc, table.Replace(s.get(t, sc, k), []byte("next")))
	wantItem(t, s.get(t, sc, k), "next", counts{"n": 2}, 3)
	s.write(t, sc, table.Put(k, []byte("last")))
	wantItem(t, s.get(t, sc, k), "last", counts{"n": 2}, 4)
	s.write(t, sc, table.Add(k, counts{"n": 1}))
	wantItem(t, s.get(t, sc, k), "last", counts{"n": 3}, 5)
	wantItem(t, s.refused(t, sc, 0, table.Create(k, nil)), "last", counts{"n": 3}, 5)
	s.write(t, sc, table.Delete(s.get(t, sc, k)))
	wantAbsent(t, s.get(t, sc, k))
	s.write(t, sc, table.Put(k, []byte("new life")))
	wantItem(t, s.get(t, sc, k), "new life", nil, 1)
	s.write(t, sc, table.Delete(s.get(t, sc, k)))
	s.write(t, sc, table.Add(k, counts{"n": 5}))
	wantItem(t, s.get(t, sc, k), "", counts{"n": 5}, 1)
}

func testCountersConcurrent(t *testing.T, s *suite) {
	sc := fresh()
	const workers = 32
	s.together(workers, func(i int) {
		err := s.Write(t.Context(), sc, table.Add(key("n"), counts{"all": 1, fmt.Sprintf("w_%c", 'a'+i%26): 1}))
		if err != nil {
			t.Errorf("Add: %v", err)
		}
	})
	it := s.get(t, sc, key("n"))
	if it.Counts["all"] != workers || it.Version != workers {
		t.Errorf("%d adds came to %d, version %d", workers, it.Counts["all"], it.Version)
	}
}

// testCounterOverflow holds that a counter never wraps: the write is refused, or
// the store counts further than an int64 and the item cannot be read as one.
func testCounterOverflow(t *testing.T, s *suite) {
	sc := fresh()
	s.write(t, sc, table.Add(key("n"), counts{"n": math.MaxInt64}))
	wantItem(t, s.get(t, sc, key("n")), "", counts{"n": math.MaxInt64}, 1)
	err := s.Write(t.Context(), sc, table.Add(key("n"), counts{"n": 1}))
	it, readErr := s.Get(t.Context(), sc, key("n"))
	if err == nil && readErr == nil {
		t.Errorf("%d + 1 = %d", int64(math.MaxInt64), it.Counts["n"])
	}
}
