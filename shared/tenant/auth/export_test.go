package auth

import (
	"context"
	"time"
)

// Limits of the gate, for tests.
var (
	Fresh = heldByGate.fresh
	Stale = heldByGate.stale
)

const (
	MaxUnknown = maxUnknown
	MaxUnsent  = maxUnsent
)

// Lives are the times that revocation.go adds up.
var Lives = struct {
	Bites, Stale, WatchEvery, Lookup, Vouch, AuthorizerStale, GatewayHolds time.Duration
}{bites, heldByGate.stale, watchEvery, lookupTimeout, vouchLife, heldByAuthorizer.stale, gatewayHolds}

// Parse is parse.
func Parse(text string) (Kind, string, bool) { return parse(text) }

// Suspend makes g as after a sleep of the machine, in which the wall clock went on
// and the monotonic clock stood still.
func (g *Gate) Suspend(d time.Duration) {
	l := g.source.(*lookups)
	age(l.keys, d)
	age(l.projects, d)
}

func age[V any](c *cache[V], d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, e := range c.known {
		e.at.Wall = e.at.Wall.Add(-d)
		c.known[id] = e
	}
}

// Held returns how many credentials, and how many ids without one, are in memory.
func (g *Gate) Held() (known, unknown int) {
	keys := g.source.(*lookups).keys
	keys.mu.Lock()
	defer keys.mu.Unlock()
	return len(keys.known), len(keys.unknown)
}

// HeldLookup returns a lookup as an authorizer holds it, of what read returns.
func HeldLookup(read func() string) func(context.Context) (string, error) {
	c := newCache("test", heldByAuthorizer, func(context.Context, string) (string, bool, error) { return read(), true, nil })
	return func(ctx context.Context) (string, error) { return c.get(ctx, "id") }
}
