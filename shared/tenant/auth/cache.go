package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"switchboard/shared/clock"
	"switchboard/shared/problem"
)

const (
	// lookupTimeout bounds a lookup; a directory that does not answer is a 503,
	// never an open door.
	lookupTimeout = 3 * time.Second
	// maxHeld bounds the records held in memory, and maxUnknown the ids held that
	// belong to none. They are apart so that guesses push out guesses only.
	maxHeld    = 20_000
	maxUnknown = 4_000
)

// life says how long what was looked up is used without asking again. Between fresh and
// stale it is used while it is looked up in the background, so that no request waits for
// that; after stale it is looked up first. A revocation or a suspension therefore
// bites within stale.
type life struct{ fresh, stale time.Duration }

// cache holds records by their id.
type cache[V any] struct {
	life
	what    string // for logs
	read    func(ctx context.Context, id string) (v V, found bool, err error)
	flights singleflight.Group

	mu      sync.Mutex
	known   map[string]held[V]
	unknown map[string]held[V]
}

// held is one lookup's answer.
type held[V any] struct {
	v          V
	at         clock.Stamp // before it was asked for: what it says may be as old as that
	refreshing bool
}

func newCache[V any](what string, l life, read func(context.Context, string) (V, bool, error)) *cache[V] {
	return &cache[V]{life: l, what: what, read: read, known: make(map[string]held[V]), unknown: make(map[string]held[V])}
}

// get returns the record with the id, from memory where that will do; the zero V if
// there is none.
func (c *cache[V]) get(ctx context.Context, id string) (V, error) {
	v, _, err := c.aged(ctx, id)
	return v, err
}

// aged is get, and how old the answer may be: less than stale.
func (c *cache[V]) aged(ctx context.Context, id string) (V, time.Duration, error) {
	now := time.Now()
	c.mu.Lock()
	e, known := c.known[id]
	ok := known
	if !known {
		e, ok = c.unknown[id]
	}
	age := e.at.Age(now)
	if ok && age < c.stale {
		refresh := known && age >= c.fresh && !e.refreshing
		if refresh {
			e.refreshing = true
			c.known[id] = e
		}
		c.mu.Unlock()
		if refresh {
			go c.refresh(context.WithoutCancel(ctx), id)
		}
		return e.v, age, nil
	}
	c.mu.Unlock()
	return c.fetch(ctx, id)
}

// younger is get of an answer that is not as old as that, and asks if need be.
func (c *cache[V]) younger(ctx context.Context, id string, than time.Duration) (V, error) {
	v, age, err := c.aged(ctx, id)
	if err == nil && age >= than {
		v, _, err = c.fetch(ctx, id)
	}
	return v, err
}

// refresh renews an entry in the background. If the directory does not answer the
// entry stays until it is stale, and then requests are refused.
func (c *cache[V]) refresh(ctx context.Context, id string) {
	err := problem.Guard("auth.refresh", func() error {
		_, _, err := c.fetch(ctx, id)
		return err
	})
	if err != nil {
		slog.WarnContext(ctx, "not refreshed", slog.String("what", c.what), slog.String("id", id), slog.Any("err", err))
		c.mu.Lock()
		defer c.mu.Unlock()
		if e, ok := c.known[id]; ok {
			e.refreshing = false
			c.known[id] = e
		}
	}
}

// fetch asks, once for all who ask at the same time.
func (c *cache[V]) fetch(ctx context.Context, id string) (V, time.Duration, error) {
	var none V
	for range 2 {
		got, err, _ := c.flights.Do(id, func() (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
			defer cancel()
			h := held[V]{at: clock.At(time.Now())}
			var found bool
			var err error
			if h.v, found, err = c.read(ctx, id); err == nil {
				c.hold(id, h, found)
			}
			return h, err
		})
		if err != nil {
			return none, 0, &problem.Error{Kind: problem.Unavailable, Op: "auth.fetch", RetryAfter: time.Second, Err: err}
		}
		h := got.(held[V])
		if age := h.at.Age(time.Now()); age < c.stale {
			return h.v, age, nil
		}
		// The machine stood still between the question and the answer, as a Lambda does
		// between two requests: what was true then is no answer now.
	}
	return none, 0, &problem.Error{Kind: problem.Unavailable, Op: "auth.fetch", RetryAfter: time.Second, Err: errStoodStill}
}

var errStoodStill = errors.New("the answer to a lookup was old when it came, twice")

func (c *cache[V]) hold(id string, h held[V], found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in, not, most := c.known, c.unknown, maxHeld
	if !found {
		in, not, most = c.unknown, c.known, maxUnknown
	}
	delete(not, id)
	if len(in) >= most {
		// What is dropped comes back with one read. Any order will do, so take
		// the map's.
		for k := range in {
			if delete(in, k); len(in) < most*3/4 {
				break
			}
		}
	}
	in[id] = h
}
