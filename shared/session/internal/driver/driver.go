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

// MarkLife is how long a mark is kept: longer than a turn takes. A turn that ends
// without its mark leaves no window, which is a miss and no more.
const MarkLife = 10 * time.Minute

// Settle is how long nothing is kept of a conversation after turns of it overlapped:
// longer than any of them, having put, may be at work on its item in the table. Who
// takes after that finds all of them there.
const Settle = 15 * time.Second

// Driver keeps, for each conversation of a tenant, one of three things: a window,
// which is a list of entries; or the mark of the turn that took it last; or that the
// conversation is unsettled. Every method refuses the zero Scope and never reaches
// another tenant's. Methods are safe for concurrent use.
type Driver interface {
	// Take returns the window's entries, none if there is no window, and leaves the
	// mark in their place, for MarkLife. Where the conversation is unsettled it
	// leaves it so.
	Take(ctx context.Context, sc tenant.Scope, conversation, mark string) ([][]byte, error)
	// Put makes the entries the window, for Life, if it finds the mark, or, where
	// mark is "", nothing at all. Otherwise, and where there are no entries, the
	// conversation is unsettled for Settle from now on. The entries are the driver's
	// from then on.
	Put(ctx context.Context, sc tenant.Scope, conversation, mark string, entries [][]byte) error
	// Close releases what the driver holds.
	Close() error
}
