// Package driver is what a provider of tenants' keys has to do. Only the packages
// below shared/seal can import it. Its one promise: a driver is small and has no
// policy. First use, rotation, shredding, what is held in memory and for how long
// are decided once, in shared/seal; a driver keeps what it is given and wraps what
// it is asked to.
package driver

import (
	"context"

	"switchboard/shared/tenant"
)

// SecretSize is the length of a data key.
const SecretSize = 32

// Rings keeps one text for each tenant: its ring of wrapped keys. Both methods
// refuse the zero Scope, reach no other tenant's ring, and are safe for concurrent
// use, by several processes too.
type Rings interface {
	// Load returns the ring as of the last Save that returned, and a mark of it.
	// Both are empty where there is none.
	Load(ctx context.Context, sc tenant.Scope) (ring []byte, mark string, err error)
	// Save puts the ring in the place of the one that has the mark, whole and for
	// good, or fails with seal.ErrRaced.
	Save(ctx context.Context, sc tenant.Scope, ring []byte, mark string) error
	// Close releases what is held.
	Close() error
}

// Wrapper makes and unwraps data keys. Both methods refuse the zero Scope, bind
// what they wrap to the tenant and the version, and are safe for concurrent use.
type Wrapper interface {
	// Generate returns a new random secret, and the same wrapped.
	Generate(ctx context.Context, sc tenant.Scope, version uint32) (secret, wrapped []byte, err error)
	// Unwrap undoes it.
	Unwrap(ctx context.Context, sc tenant.Scope, version uint32, wrapped []byte) (secret []byte, err error)
}
