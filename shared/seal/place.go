package seal

import (
	"encoding/binary"

	"switchboard/shared/tenant"
)

// Store is a store whose values are sealed. Each has a key of its own, derived from
// the tenant's, so that a value of one opens in no other whatever it is called there.
type Store uint8

// The stores. New ones go at the end: the zero Store is none.
const (
	Table   Store = iota + 1 // bodies of items
	Session                  // windows
	stores                   // how many there are, and one
)

var storeNames = [stores]string{Table: "table", Session: "session"}

// Place is where bytes are kept: the store, and the whole key within it. Together
// with the tenant it is what the bytes are bound to.
type Place struct {
	Store            Store
	Kind, Parent, ID string
}

// parts are what a place and a tenant are encoded from, in this order.
const parts = 5

// appendContext is the one codec of associated data: each part with its length
// before it, so that no two contexts are the same bytes.
func appendContext(dst []byte, id tenant.ID, at Place) []byte {
	for _, part := range [parts]string{id.String(), storeNames[at.Store], at.Kind, at.Parent, at.ID} {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)))
		dst = append(dst, part...)
	}
	return dst
}

// contextSize is how long appendContext makes it.
func contextSize(id tenant.ID, at Place) int {
	return 4*parts + len(id.String()) + len(storeNames[at.Store]) + len(at.Kind) + len(at.Parent) + len(at.ID)
}
