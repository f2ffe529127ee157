package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"switchboard/shared/clock"
	"switchboard/shared/problem"
)

// How long what was looked up is used without asking again. Between fresh and stale
// it is used while it is looked up in the background, so that no request waits for
// that; after stale it is looked up first. A revocation or a suspension therefore
// bites within stale.
const (
	fresh = 25 * time.Second
	stale = 50 * time.Second

	// lookupTimeout bounds a lookup; a directory that does not answer is a 503,
	// never an open door.
	lookupTimeout = 3 * time.Second
	// maxHeld bounds the records held in memory, and maxUnknown the ids held that
	// belong to none. They are apart so that guesses push out guesses only.
	maxHeld    = 20_000
	maxUnknown = 4_000
)

// cache holds records of the directory by their id.
type cache[V any] struct {
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
	at         clock.Stamp
	refreshing bool
}

func newCache[V any](what string, read func(context.Context, string) (V, bool, error)) *cache[V] {
	return &cache[V]{what: what, read: read, known: make(map[string]held[V]), unknown: make(map[string]held[V])}
}

// get returns the record with the id, from memory where that will do; the zero V if
// there is none.
func (c *cache[V]) get(ctx context.Context, id string) (V, error) {
	now := time.Now()
	c.mu.Lock()
	e, known := c.known[id]
	ok := known
	if !known {
		e, ok = c.unknown[id]
	}
	age := e.at.Age(now)
	if ok && age < stale {
		refresh := known && age >= fresh && !e.refreshing
		if refresh {
			e.refreshing = true
			c.known[id] = e
		}
		c.mu.Unlock()
		if refresh {
			go c.refresh(context.WithoutCancel(ctx), id)
		}
		return e.v, nil
	}
	c.mu.Unlock()
	return c.fetch(ctx, id)
}

// refresh renews an entry in the background. If the directory does not answer the
// entry stays until it is stale, and then requests are refused.
func (c *cache[V]) refresh(ctx context.Context, id string) {
	err := problem.Guard("auth.refresh", func() error {
		_, err := c.fetch(ctx, id)
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

// fetch asks the directory, once for all who ask at the same time.
func (c *cache[V]) fetch(ctx context.Context, id string) (V, error) {
	v, err, _ := c.flights.Do(id, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		v, found, err := c.read(ctx, id)
		if err == nil {
			c.hold(id, v, found)
		}
		return v, err
	})
	if err != nil {
		var none V
		return none, &problem.Error{Kind: problem.Unavailable, Op: "auth.fetch", RetryAfter: time.Second, Err: err}
	}
	return v.(V), nil
}

func (c *cache[V]) hold(id string, v V, found bool) {
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
	in[id] = held[V]{v: v, at: clock.At(time.Now())}
}
