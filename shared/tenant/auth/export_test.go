package auth

import "time"

// Limits of the gate, for tests.
const (
	MaxUnknown = maxUnknown
	MaxUnsent  = maxUnsent
)

// Parse is parse.
func Parse(text string) (Kind, string, bool) { return parse(text) }

// Suspend makes g as after a sleep of the machine, in which the wall clock went on
// and the monotonic clock stood still.
func (g *Gate) Suspend(d time.Duration) {
	g.keys.Sleep(d)
	g.projects.Sleep(d)
}

// Held returns how many credentials, and how many ids without one, are in memory.
func (g *Gate) Held() (known, unknown int) { return g.keys.Held() }
