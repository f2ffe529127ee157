// Package masterseal is the sealer of processes that hold the platform's master key
// and keep their rings in a store of their account: AWS without a key of KMS.
//
// Only shared/app/aws and tests import it. Its one promise: the rings alone open
// nothing. Whoever has the master key and the rings has every tenant's keys, which
// is what KMS is for; see kmsseal.
package masterseal

import (
	"bytes"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/seal/internal/master"
	"switchboard/shared/tenant"
)

// Open returns a Sealer whose data keys are wrapped under a key derived from the
// platform's master key (at least 32 bytes) and kept in rings, which Close closes.
func Open(key []byte, rings seal.Rings) (*seal.Sealer, error) {
	if rings == nil {
		return nil, problem.New(problem.Internal, "masterseal.Open", "there is nowhere to keep keys")
	}
	if err := master.Check(key); err != nil {
		return nil, err
	}
	key = bytes.Clone(key)
	return seal.New(rings, master.New(func(tenant.Scope) ([]byte, error) { return key, nil })), nil
}
