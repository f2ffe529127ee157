// Package master wraps data keys under a master key that the process holds.
//
// fileseal and masterseal import it. Its one promise: what it wraps is bound to the
// tenant and the version, and a master that cannot be had is an error, never
// another's master.
package master

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"switchboard/shared/problem"
	"switchboard/shared/seal/internal/driver"
	"switchboard/shared/tenant"
)

// Wrapper implements driver.Wrapper with AES-256-GCM. The nonces are random: a
// master wraps a key a tenant and rotation, far from the 2^32 that would be too many.
type Wrapper struct {
	key func(tenant.Scope) ([]byte, error)
}

var _ driver.Wrapper = (*Wrapper)(nil)

// New returns a Wrapper under the masters that key returns, of at least 32 bytes.
func New(key func(tenant.Scope) ([]byte, error)) *Wrapper { return &Wrapper{key} }

// Generate implements [driver.Wrapper].
func (w *Wrapper) Generate(_ context.Context, sc tenant.Scope, version uint32) (secret, wrapped []byte, err error) {
	aead, err := w.aead("master.Generate", sc)
	if err != nil {
		return nil, nil, err
	}
	secret = make([]byte, driver.SecretSize)
	rand.Read(secret)
	return secret, aead.Seal(nil, nil, secret, bound(sc, version)), nil
}

// Unwrap implements [driver.Wrapper].
func (w *Wrapper) Unwrap(_ context.Context, sc tenant.Scope, version uint32, wrapped []byte) ([]byte, error) {
	const op = "master.Unwrap"
	aead, err := w.aead(op, sc)
	if err != nil {
		return nil, err
	}
	secret, err := aead.Open(nil, nil, wrapped, bound(sc, version))
	if err != nil {
		return nil, problem.Wrap(problem.Internal, op, errors.New("the data key of "+sc.Project().String()+
			" does not unwrap: the master key is another, or the key is damaged or another's"))
	}
	return secret, nil
}

func (w *Wrapper) aead(op string, sc tenant.Scope) (cipher.AEAD, error) {
	if err := sc.Check(op); err != nil {
		return nil, err
	}
	master, err := w.key(sc)
	if err != nil {
		return nil, err
	}
	if err := Check(master); err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, master, nil, "switchboard/seal/data keys", 32)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Check refuses a master that is too short to be one.
func Check(master []byte) error {
	if len(master) < 32 {
		return problem.New(problem.Internal, "master.Check", "the master key has %d bytes; at least 32 are needed", len(master))
	}
	return nil
}

// bound names whose key is wrapped and of which version. The version has a fixed
// length, so no two are the same bytes.
func bound(sc tenant.Scope, version uint32) []byte {
	return append(binary.BigEndian.AppendUint32(nil, version), sc.Project().String()...)
}
