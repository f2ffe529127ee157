// Package cache holds what was read from a store for a bounded time, in bounded
// memory, so that a request does not wait for what has not changed.
//
// Whoever asks a store the same thing at each request imports it: the gate for
// credentials, the catalog for companies. Its one promise: what [Cache.Get] returns was
// asked for at most [Stale] ago, so whatever is revoked or changed bites within that time,
// and a store that does not answer is an error from then on.
package cache

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"switchboard/shared/clock"
	"switchboard/shared/problem"
)

// How long what was read is used without asking again. Between Fresh and Stale it is
// used while it is read again in the background, so that no request waits for that;
// after Stale it is read first.
const (
	Fresh = 25 * time.Second
	Stale = 50 * time.Second

	// Timeout bounds a read; a store that does not answer is a 503, never an open door.
	Timeout = 3 * time.Second
)

// errStoodStill is a read whose answer was as old as it may not be when it came, twice.
var errStoodStill = errors.New("the machine stood still between a question and its answer")

// Read reads what an id names; found is false if there is nothing. by is who asks.
type Read[By, V any] func(ctx context.Context, by By, id string) (v V, found bool, err error)

// Config says what is held.
type Config[By, V any] struct {
	What string // for logs
	Read Read[By, V]
	// Most bounds what is held, in units of Weight (nil: 1 each), and MostAbsent the ids
	// held that name nothing. They are apart so that guesses push out guesses only.
	Most, MostAbsent int
	Weight           func(V) int
	// Fresh and Stale are those of this cache; 0 = the package's.
	Fresh, Stale time.Duration
}

// Cache holds values by id. The zero Cache is not usable.
type Cache[By, V any] struct {
	c       Config[By, V]
	flights singleflight.Group

	mu      sync.Mutex
	known   shelf[V]
	unknown shelf[V]
	era     uint64 // goes on with each Forget: what was read in an earlier one is not held
}

// held is what one read answered.
type held[V any] struct {
	v          V
	at         clock.Stamp // before it was asked for: what it says may be as old as that
	weight     int
	refreshing bool
}

// New returns an empty cache.
func New[By, V any](c Config[By, V]) *Cache[By, V] {
	if c.Weight == nil {
		c.Weight = func(V) int { return 1 }
	}
	c.Fresh, c.Stale = cmp.Or(c.Fresh, Fresh), cmp.Or(c.Stale, Stale)
	return &Cache[By, V]{c: c, known: newShelf[V](c.Most), unknown: newShelf[V](c.MostAbsent)}
}

// Get returns what the id names, from memory where that will do; the zero V if there is
// nothing. A store that fails is an Unavailable problem.
func (c *Cache[By, V]) Get(ctx context.Context, by By, id string) (V, error) {
	v, _, err := c.Aged(ctx, by, id)
	return v, err
}

// Younger is Get of what was asked for less long ago than that, and asks if need be.
func (c *Cache[By, V]) Younger(ctx context.Context, by By, id string, than time.Duration) (V, error) {
	v, age, err := c.Aged(ctx, by, id)
	if err == nil && age >= than {
		v, _, err = c.fetch(ctx, by, id)
	}
	return v, err
}

// Aged is Get, and how long ago the answer was asked for.
func (c *Cache[By, V]) Aged(ctx context.Context, by By, id string) (V, time.Duration, error) {
	now := time.Now()
	c.mu.Lock()
	e, known := c.known.held[id]
	ok := known
	if !known {
		e, ok = c.unknown.held[id]
	}
	age := e.at.Age(now)
	if ok && age < c.c.Stale {
		refresh := known && age >= c.c.Fresh && !e.refreshing
		if refresh {
			e.refreshing = true
			c.known.held[id] = e
		}
		c.mu.Unlock()
		if refresh {
			go c.refresh(context.WithoutCancel(ctx), by, id)
		}
		return e.v, age, nil
	}
	c.mu.Unlock()
	return c.fetch(ctx, by, id)
}

// Forget makes the next Get read. A read that is under way is not held.
func (c *Cache[By, V]) Forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.era++
	c.known.drop(id)
	c.unknown.drop(id)
	c.flights.Forget(id)
}

// refresh renews an entry in the background. If the store does not answer the entry
// stays until it is stale, and then requests are refused.
func (c *Cache[By, V]) refresh(ctx context.Context, by By, id string) {
	err := problem.Guard("cache.refresh", func() error {
		_, _, err := c.fetch(ctx, by, id)
		return err
	})
	if err != nil {
		slog.WarnContext(ctx, "not refreshed", slog.String("what", c.c.What), slog.String("id", id), slog.Any("err", err))
		c.mu.Lock()
		defer c.mu.Unlock()
		if e, ok := c.known.held[id]; ok {
			e.refreshing = false
			c.known.held[id] = e
		}
	}
}

// fetch asks the store, once for all who ask at the same time, and says how long ago.
func (c *Cache[By, V]) fetch(ctx context.Context, by By, id string) (V, time.Duration, error) {
	var none V
	for range 2 {
		got, err, _ := c.flights.Do(id, func() (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Timeout)
			defer cancel()
			c.mu.Lock()
			era := c.era
			c.mu.Unlock()
			e := held[V]{at: clock.At(time.Now())}
			var found bool
			var err error
			if e.v, found, err = c.c.Read(ctx, by, id); err == nil {
				c.hold(id, e, found, era)
			}
			return e, err
		})
		if err != nil {
			return none, 0, &problem.Error{Kind: problem.Unavailable, Op: "cache.fetch", RetryAfter: time.Second, Err: err}
		}
		// A Lambda stands still between two requests: what was true when a read began in
		// the background is no answer when it comes back a minute later.
		e := got.(held[V])
		if age := e.at.Age(time.Now()); age < c.c.Stale {
			return e.v, age, nil
		}
	}
	return none, 0, &problem.Error{Kind: problem.Unavailable, Op: "cache.fetch", RetryAfter: time.Second, Err: errStoodStill}
}

func (c *Cache[By, V]) hold(id string, e held[V], found bool, era uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if era != c.era {
		return
	}
	if e.weight = 1; !found {
		c.known.drop(id)
		c.unknown.put(id, e)
		return
	}
	e.weight = max(1, c.c.Weight(e.v))
	c.unknown.drop(id)
	c.known.put(id, e)
}

// shelf is a bounded part of a cache.
type shelf[V any] struct {
	held map[string]held[V]
	have int // the weight of all
	most int
}

func newShelf[V any](most int) shelf[V] { return shelf[V]{held: make(map[string]held[V]), most: most} }

func (s *shelf[V]) drop(id string) {
	s.have -= s.held[id].weight
	delete(s.held, id)
}

// put makes room first, where there is none. What is dropped comes back with one read,
// so any order will do: it is the map's.
func (s *shelf[V]) put(id string, e held[V]) {
	s.drop(id)
	if s.have+e.weight > s.most {
		for other := range s.held {
			if s.drop(other); s.have+e.weight <= s.most*3/4 {
				break
			}
		}
	}
	s.held[id], s.have = e, s.have+e.weight
}

// Held returns how many ids with, and how many without, anything behind them are in memory.
func (c *Cache[By, V]) Held() (known, unknown int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.known.held), len(c.unknown.held)
}

// Sleep makes c as after a sleep of the machine, in which the wall clock went on and the
// monotonic clock stood still. It is for tests, which cannot put a machine to sleep.
func (c *Cache[By, V]) Sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range []shelf[V]{c.known, c.unknown} {
		for id, e := range s.held {
			e.at.Wall = e.at.Wall.Add(-d)
			s.held[id] = e
		}
	}
}
