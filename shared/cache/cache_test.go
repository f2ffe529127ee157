package cache_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/cache"
	"switchboard/shared/problem"
)

// store is what is read, and how often it was.
type store struct {
	mu     sync.Mutex
	values map[string]string
	reads  int
	err    error
	during func() // runs once a read has its answer
}

func (s *store) read(_ context.Context, by, id string) (string, bool, error) {
	s.mu.Lock()
	s.reads++
	v, ok := s.values[id]
	err := s.err
	s.mu.Unlock()
	if ok {
		v = by + ":" + v
	}
	if s.during != nil {
		s.during()
	}
	return v, ok, err
}

func (s *store) set(id, v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[id] = v
}

func newCache(most int) (*store, *cache.Cache[string, string]) {
	s := &store{values: map[string]string{"a": "1"}}
	return s, cache.New(cache.Config[string, string]{What: "test", Read: s.read, Most: most, MostAbsent: 10, Weight: func(v string) int { return len(v) }})
}

func want(t *testing.T, c *cache.Cache[string, string], id, v string) {
	t.Helper()
	if got, err := c.Get(t.Context(), "me", id); got != v || err != nil {
		t.Errorf("%s is %q, %v; want %q", id, got, err, v)
	}
}

func TestWhatIsHeldIsNotReadAgain(t *testing.T) {
	t.Parallel()
	s, c := newCache(100)
	for range 3 {
		want(t, c, "a", "me:1")
		want(t, c, "nobody", "")
	}
	if s.reads != 2 {
		t.Errorf("%d reads", s.reads)
	}
}

func TestAChangeBitesWithinStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newCache(100)
		want(t, c, "a", "me:1")
		want(t, c, "b", "")
		s.set("a", "2")
		s.set("b", "3")
		time.Sleep(cache.Fresh)
		want(t, c, "a", "me:1") // and is read in the background
		synctest.Wait()
		want(t, c, "a", "me:2")
		time.Sleep(cache.Stale - cache.Fresh)
		want(t, c, "b", "me:3")
		synctest.Wait()
	})
}

// A store that fails is used from memory until that is stale, and refused then.
func TestAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newCache(100)
		want(t, c, "a", "me:1")
		s.err = errors.New("away")
		if _, err := c.Get(t.Context(), "me", "b"); !problem.Is(err, problem.Unavailable) {
			t.Errorf("unseen: %v", err)
		}
		time.Sleep(cache.Stale - 1)
		want(t, c, "a", "me:1")
		synctest.Wait()
		time.Sleep(1)
		if _, err := c.Get(t.Context(), "me", "a"); !problem.Is(err, problem.Unavailable) {
			t.Errorf("stale: %v", err)
		}
	})
}

// A writer forgets what it wrote; a read that began before the write ends after it and
// is not held.
func TestForget(t *testing.T) {
	t.Parallel()
	s, c := newCache(100)
	s.during = sync.OnceFunc(func() { s.set("a", "2"); c.Forget("a") })
	want(t, c, "a", "me:1")
	want(t, c, "a", "me:2")
	s.set("a", "3")
	want(t, c, "a", "me:2") // control: it is held
	c.Forget("a")
	want(t, c, "a", "me:3")
	want(t, c, "b", "")
	s.set("b", "4")
	c.Forget("b")
	want(t, c, "b", "me:4")
}

// What is held is bounded by weight, and what names nothing by number, each apart.
func TestBounds(t *testing.T) {
	t.Parallel()
	s, c := newCache(400)
	for i := range 1000 {
		id := strconv.Itoa(i)
		s.set("k"+id, "nine.....") // with "me:" 12
		want(t, c, "k"+id, "me:nine.....")
		want(t, c, "none"+id, "")
	}
	known, unknown := c.Held()
	if known > 400/12 || known < 20 || unknown > 10 {
		t.Errorf("%d and %d are held", known, unknown)
	}
	s.set("large", string(make([]byte, 1000)))
	if v, err := c.Get(t.Context(), "me", "large"); len(v) != 1003 || err != nil {
		t.Errorf("%d bytes, %v", len(v), err)
	}
	want(t, c, "k1", "me:nine.....")
	want(t, c, "k2", "me:nine.....")
	if known, _ := c.Held(); known > 2 {
		t.Errorf("%d are held beside one that is larger than all", known)
	}
}

// The machine stands still between a question and its answer: the answer is as old as
// the question, and one that is too old is asked for again.
func TestAnAnswerIsAsOldAsItsQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newCache(100)
		frozen := func() {
			s.during = nil
			time.Sleep(time.Minute)
		}
		want(t, c, "a", "me:1")
		time.Sleep(cache.Fresh)
		s.during = frozen
		want(t, c, "a", "me:1") // and reads in the background
		synctest.Wait()
		s.set("a", "2")
		time.Sleep(time.Minute) // the answer has come
		want(t, c, "a", "me:2")
		s.during = frozen // in the way of whoever asks
		c.Forget("a")
		go func() {
			time.Sleep(time.Second)
			s.set("a", "3")
		}()
		want(t, c, "a", "me:3")
		s.during = func() { time.Sleep(time.Minute) } // each time
		c.Forget("a")
		if got, err := c.Get(t.Context(), "me", "a"); !problem.Is(err, problem.Unavailable) || got != "" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A cache can hold for less, says how old what it holds is, and reads what is too old
// for one who asks.
func TestAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{values: map[string]string{"a": "1"}}
		c := cache.New(cache.Config[string, string]{What: "test", Read: s.read, Most: 10, Fresh: 5 * time.Second, Stale: 10 * time.Second})
		want(t, c, "a", "me:1")
		s.set("a", "2")
		time.Sleep(4 * time.Second)
		if got, age, err := c.Aged(t.Context(), "me", "a"); got != "me:1" || age != 4*time.Second || err != nil {
			t.Errorf("%q, %v, %v", got, age, err)
		}
		if got, err := c.Younger(t.Context(), "me", "a", 5*time.Second); got != "me:1" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if got, err := c.Younger(t.Context(), "me", "a", 4*time.Second); got != "me:2" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		s.set("a", "3")
		time.Sleep(10 * time.Second)
		want(t, c, "a", "me:3")
		s.err = errors.New("away")
		time.Sleep(9 * time.Second)
		want(t, c, "a", "me:3")
		synctest.Wait()
		time.Sleep(time.Second)
		if _, err := c.Get(t.Context(), "me", "a"); !problem.Is(err, problem.Unavailable) {
			t.Errorf("what is stale is used: %v", err)
		}
	})
}
