// Package driver is what a session's store has to do. Only the packages below
// shared/session can import it. Its one promise: a driver is small and has no
// policy. What a failure means and when a store is left alone is decided once, in
// shared/session.
package driver

import (
	"context"
	"time"

	"switchboard/shared/tenant"
)

// Life is how long a window is kept since its conversation's last turn.
const Life = 24 * time.Hour

// Driver keeps windows: lists of entries, one for each conversation of a tenant.
// Every method refuses the zero Scope and never reaches another tenant's window.
// Methods are safe for concurrent use.
type Driver interface {
	// Take returns the window's entries and removes it; none if there is no window.
	Take(ctx context.Context, sc tenant.Scope, conversation string) ([][]byte, error)
	// Put makes the entries the window, if there is none. Where there is one it
	// removes it, and so it does where there are no entries. The entries are the
	// driver's from then on.
	Put(ctx context.Context, sc tenant.Scope, conversation string, entries [][]byte) error
	// Close releases what the driver holds.
	Close() error
}
