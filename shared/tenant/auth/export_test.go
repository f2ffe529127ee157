package auth

import (
	"time"

	"switchboard/shared/cache"
)

// Limits of the gate, for tests.
const (
	MaxUnknown = maxUnknown
	MaxUnsent  = maxUnsent
)

// Lives are the times that revocation.go adds up.
var Lives = struct {
	Bites, Stale, WatchEvery, Lookup, Vouch, AuthorizerStale, GatewayHolds time.Duration
}{bites, heldByGate.stale, watchEvery, cache.Timeout, vouchLife, heldByAuthorizer.stale, gatewayHolds}

// Parse is parse.
func Parse(text string) (Kind, string, bool) { return parse(text) }

// Suspend makes g as after a sleep of the machine, in which the wall clock went on
// and the monotonic clock stood still.
func (g *Gate) Suspend(d time.Duration) {
	l := g.source.(*lookups)
	l.keys.Sleep(d)
	l.projects.Sleep(d)
}

// Held returns how many credentials, and how many ids without one, are in memory.
func (g *Gate) Held() (known, unknown int) { return g.source.(*lookups).keys.Held() }
