// Package seal keeps bytes sealed under a tenant's own key, bound to where they are
// stored.
//
// The stores (table, session) import it and seal what they keep; only shared/app
// imports a driver: fileseal for one process, kmsseal and masterseal on AWS. Its one
// promise: bytes open for the tenant and in the place that they were sealed for, and
// nowhere else. A row that was moved, cut, flipped or never sealed is an Internal
// problem; a provider of keys that is away is an Unavailable one for the tenants
// whose keys are not held, never plaintext.
//
// # What is sealed
//
//	1  format, 1
//	4  version of the tenant's data key
//	24 random nonce
//	n  XAES-256-GCM of the plaintext
//	16 tag
//
// The associated data are the first five bytes, the tenant, and the [Place], each
// part with its length before it. 45 bytes ([Overhead]) are all that is added: the
// wrapped key stays in the tenant's ring, kept once, and the value carries its
// version alone. To carry the wrapped key itself (the envelope of the AWS Encryption
// SDK) would add some 200 bytes to every item, a write unit for many turns, and
// leave nothing to destroy when a tenant is to be shredded.
//
// # How much one key may seal
//
// AES-GCM with random 96-bit nonces is good for 2^32 messages a key, which a busy
// tenant reaches in a year and no process can count alone. XAES-256-GCM makes the
// AES key from the first half of a 192-bit nonce. Each process draws that half anew
// whenever it unwraps the data key, every five minutes at most, so an AES key seals
// what one process seals for one tenant in five minutes. Of N messages under a data
// key, m of them under each AES key, two share key and nonce with a chance of
// N*m/2^97: with 3,500 a second in each process (m = 2^20), 2^48 messages come to
// 2^-29. Rotation is for the loss of a key, not for wear. Nonces are random and not
// counted, so a machine that is restored from a snapshot repeats none. Each [Store]
// has a key of its own, derived from the tenant's by HKDF-SHA256.
//
// # What is held
//
// Data keys are held in memory for at most 5 minutes ([held]), of at most 4,096
// tenants, and the ring that says which hold is read again within 50 seconds; both
// are renewed in the background while they are used, so that nobody waits for them.
// A tenant's keys are asked for once for all who ask at a time.
//
// # What is not sealed
//
// Keys of items, their versions, tokens, expiries and counters: a store orders,
// compares and adds by them. A row that is put back as it was before, in its own
// place, opens: a store's word is taken for which version is the last.
package seal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"switchboard/shared/problem"
	"switchboard/shared/seal/internal/driver"
	"switchboard/shared/tenant"
)

// Rings is where wrapped keys are kept; see the internal package for its contract.
type Rings = driver.Rings

// ErrRaced is what Save of [Rings] returns where another was quicker.
var ErrRaced = errors.New("seal: the ring was changed by another")

const (
	format     = 1
	headerSize = 5
	// Overhead is by how much sealed bytes are longer than the plain ones.
	Overhead = headerSize + nonceSize + tagSize
)

// Sealer seals and opens. A nil *Sealer refuses; see [New] and [Unsealed].
type Sealer struct {
	rings   driver.Rings
	wrapper driver.Wrapper
	plain   bool

	flights singleflight.Group

	mu      sync.Mutex
	held    map[tenant.ID]*held
	resting map[tenant.ID]rest
	epoch   uint64 // how often keys were dropped: what was asked for before is not held after
	timer   *time.Timer
	closed  bool
}

// New returns a Sealer over a provider of keys, whose rings [Sealer.Close] closes.
func New(rings driver.Rings, wrapper driver.Wrapper) *Sealer {
	return &Sealer{rings: rings, wrapper: wrapper, held: make(map[tenant.ID]*held), resting: make(map[tenant.ID]rest)}
}

// Unsealed returns a Sealer that leaves bytes as they are. It is for tests, and for
// what never leaves the process: a test of shared/archtest holds that.
func Unsealed() *Sealer { return &Sealer{plain: true} }

// check refuses the zero Scope and a Sealer that nobody made.
func (s *Sealer) check(op string, sc tenant.Scope) error {
	if err := sc.Check(op); err != nil {
		return err
	}
	if s == nil || !s.plain && s.rings == nil {
		return problem.New(problem.Internal, op, "there is no sealer")
	}
	return nil
}

// Seals reports whether s makes bytes unreadable; [Unsealed] does not.
func (s *Sealer) Seals() bool { return s != nil && !s.plain }

// Prepare makes sure that the tenant has a key, and that it is held.
func (s *Sealer) Prepare(ctx context.Context, sc tenant.Scope) error {
	if err := s.check("seal.Prepare", sc); err != nil || s.plain {
		return err
	}
	_, err := s.use(ctx, sc, 0)
	return err
}

// Seal returns the plaintext sealed for the tenant and the place.
func (s *Sealer) Seal(ctx context.Context, sc tenant.Scope, at Place, plaintext []byte) ([]byte, error) {
	const op = "seal.Seal"
	if err := s.checkPlace(op, sc, at); err != nil || s.plain {
		return plaintext, err
	}
	k, err := s.use(ctx, sc, 0)
	if err != nil {
		return nil, err
	}
	out := make([]byte, headerSize, len(plaintext)+Overhead)
	out[0] = format
	binary.BigEndian.PutUint32(out[1:], k.version)
	return k.stores[at.Store].seal(out, plaintext, bound(out, sc, at)), nil
}

// Open returns the plaintext of what was sealed for the tenant and the place.
func (s *Sealer) Open(ctx context.Context, sc tenant.Scope, at Place, sealed []byte) ([]byte, error) {
	const op = "seal.Open"
	if err := s.checkPlace(op, sc, at); err != nil || s.plain {
		return sealed, err
	}
	switch {
	case len(sealed) > 0 && sealed[0] != format:
		return nil, refuse(sc, at, fmt.Errorf("it was not sealed, or in a format (%d) that this version does not know", sealed[0]))
	case len(sealed) < Overhead:
		return nil, refuse(sc, at, errors.New("it was cut short"))
	}
	version := binary.BigEndian.Uint32(sealed[1:])
	if version == 0 {
		return nil, refuse(sc, at, errors.New("it names no key"))
	}
	k, err := s.use(ctx, sc, version)
	if err != nil {
		return nil, err
	}
	plain, err := k.stores[at.Store].open(sealed[headerSize:], bound(sealed, sc, at))
	if err != nil {
		return nil, refuse(sc, at, errors.New("it is damaged, or was sealed for another place, tenant or key"))
	}
	return plain, nil
}

func (s *Sealer) checkPlace(op string, sc tenant.Scope, at Place) error {
	if err := s.check(op, sc); err != nil {
		return err
	}
	if at.Store == 0 || at.Store >= stores || at.Kind == "" || at.ID == "" {
		return problem.New(problem.Internal, op, "a place without a store, kind or id")
	}
	return nil
}

// bound is the associated data of what begins with the header.
func bound(header []byte, sc tenant.Scope, at Place) []byte {
	b := make([]byte, 0, headerSize+contextSize(sc.Project(), at))
	return appendContext(append(b, header[:headerSize]...), sc.Project(), at)
}

// refuse says that a value did not open: whose it was and of which kind, nothing of
// what is in it and no id, which a client may have chosen.
func refuse(sc tenant.Scope, at Place, why error) error {
	return problem.Wrap(problem.Internal, "seal.Open", fmt.Errorf("a value of %s in %s (%s) does not open: %w",
		sc.Project(), storeNames[at.Store], at.Kind, why))
}

// Close forgets all keys and closes the provider.
func (s *Sealer) Close() error {
	if s == nil || s.plain {
		return nil
	}
	s.mu.Lock()
	s.closed = true
	s.epoch++
	clear(s.held)
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	return s.rings.Close()
}

// Decorate returns s over the provider that wrap makes of its own, and with nothing
// held. The parameters' types can be named by the packages below this one alone: it
// is for sealtest.
func Decorate(s *Sealer, wrap func(driver.Rings, driver.Wrapper) (driver.Rings, driver.Wrapper)) *Sealer {
	return New(wrap(s.rings, s.wrapper))
}
