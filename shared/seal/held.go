package seal

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"switchboard/shared/clock"
	"switchboard/shared/problem"
	"switchboard/shared/seal/internal/driver"
	"switchboard/shared/tenant"
)

// How long what is held is used without asking again. Between ripe and its end it
// is used while it is asked for in the background. A ring that was read says that
// the keys were not shredded, so a shredding bites within ringLife; a key outlives
// a provider that is down until keyLife.
const (
	ringRipe = 25 * time.Second
	ringLife = 50 * time.Second
	keyRipe  = 4 * time.Minute
	keyLife  = 5 * time.Minute

	// askTimeout bounds one asking: the ring and a key.
	askTimeout = 3 * time.Second
	// restAfter is how long a tenant whose provider failed is refused without asking.
	restAfter = time.Second
	// renewAgain is how long after a renewal that failed there is another.
	renewAgain = 5 * time.Second
	// purgeEvery is how often what nobody uses any more is looked for.
	purgeEvery = time.Minute

	maxTenants  = 4096
	maxVersions = 16 // keys of one tenant
)

// key is one version of a tenant's data key, ready for use.
type key struct {
	version uint32
	stores  [stores]*xaes
	since   clock.Stamp
}

// held is what is known of a tenant's keys. It is replaced whole.
type held struct {
	latest   uint32
	versions map[uint32]bool // of the ring
	keys     map[uint32]*key
	read     clock.Stamp // when the ring was
	asking   atomic.Bool
}

// rest is a failure that is answered again for a moment.
type rest struct {
	until time.Time
	err   error
}

// live returns the key of the version (0 = of new writes) if it may be used.
func (h *held) live(version uint32, now time.Time) *key {
	if h == nil || h.read.Age(now) >= ringLife {
		return nil
	}
	if version == 0 {
		version = h.latest
	}
	if k := h.keys[version]; k != nil && k.since.Age(now) < keyLife {
		return k
	}
	return nil
}

// use returns the tenant's key of the version (0 = of new writes), from memory where
// that will do.
func (s *Sealer) use(ctx context.Context, sc tenant.Scope, version uint32) (*key, error) {
	now := time.Now()
	s.mu.Lock()
	h, tired := s.held[sc.Project()], s.resting[sc.Project()]
	s.mu.Unlock()
	if k := h.live(version, now); k != nil {
		if (h.read.Age(now) >= ringRipe || k.since.Age(now) >= keyRipe) && h.asking.CompareAndSwap(false, true) {
			go s.renew(context.WithoutCancel(ctx), sc, h, version)
		}
		return k, nil
	}
	if now.Before(tired.until) {
		return nil, tired.err
	}
	if h != nil && version != 0 && !h.versions[version] && h.read.Age(now) < restAfter {
		return nil, noKey(sc, version)
	}
	return s.fetch(ctx, sc, version)
}

// renew asks in the background. If the provider does not answer, what is held stays
// until its time is up.
func (s *Sealer) renew(ctx context.Context, sc tenant.Scope, h *held, version uint32) {
	if _, err := s.fetch(ctx, sc, version); err != nil {
		slog.WarnContext(ctx, "keys not renewed", slog.String("project", sc.Project().String()), slog.Any("err", err))
	}
	time.AfterFunc(renewAgain, func() { h.asking.Store(false) }) // if it still is what is held
}

// fetch asks the provider, once for all who ask at the same time. Whoever does not
// wait that long leaves the flight to the others.
func (s *Sealer) fetch(ctx context.Context, sc tenant.Scope, version uint32) (*key, error) {
	flight := sc.Project().String() + "#" + strconv.FormatUint(uint64(version), 10)
	c := s.flights.DoChan(flight, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		var k *key
		err := problem.Guard("seal.fetch", func() (err error) {
			k, err = s.ask(ctx, sc, version)
			return err
		})
		if err != nil && !errors.Is(err, errNoKey) {
			s.tire(sc.Project(), err)
		}
		return k, err
	})
	select {
	case r := <-c:
		if r.Err != nil {
			return nil, unavailable("seal.fetch", r.Err)
		}
		return r.Val.(*key), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask reads the ring, makes the tenant's first key if one is to be written with,
// unwraps the key, and holds all that.
func (s *Sealer) ask(ctx context.Context, sc tenant.Scope, version uint32) (*key, error) {
	s.mu.Lock()
	before, epoch := s.held[sc.Project()], s.epoch
	s.mu.Unlock()
	began := time.Now()
	r, err := s.load(ctx, sc)
	if err == nil && version == 0 && len(r.Keys) == 0 {
		r, err = s.extend(ctx, sc, r)
	}
	if err != nil {
		return nil, err
	}
	if version == 0 {
		version = r.latest()
	}
	w, found := r.find(version)
	h := r.held(before, began)
	k := h.keys[version]
	switch {
	case !found:
		s.hold(sc.Project(), h, epoch)
		return nil, noKey(sc, version)
	case k == nil || k.since.Age(time.Now()) >= keyRipe:
		fresh, err := s.unwrap(ctx, sc, w)
		if err == nil {
			k, h.keys[version] = fresh, fresh
		} else if k == nil || k.since.Age(time.Now()) >= keyLife {
			return nil, err
		} else {
			slog.WarnContext(ctx, "key not renewed", slog.String("project", sc.Project().String()), slog.Any("err", err))
		}
	}
	s.hold(sc.Project(), h, epoch)
	return k, nil
}

var errNoKey = errors.New("there is no key of that version")

func noKey(sc tenant.Scope, version uint32) error {
	return problem.Wrap(problem.Internal, "seal.use", fmt.Errorf("%s, version %d: %w", sc.Project(), version, errNoKey))
}

// held begins with the keys that were held before and that the ring, as it was at a
// time, still has.
func (r ring) held(before *held, now time.Time) *held {
	h := &held{latest: r.latest(), versions: make(map[uint32]bool, len(r.Keys)), keys: make(map[uint32]*key), read: clock.At(now)}
	for _, k := range r.Keys {
		h.versions[k.Version] = true
	}
	if before == nil {
		return h
	}
	for v, k := range before.keys {
		if h.versions[v] && k.since.Age(now) < keyLife && (len(h.keys) < maxVersions-2 || v == h.latest) {
			h.keys[v] = k
		}
	}
	return h
}

// unwrap makes a wrapped key ready for use.
func (s *Sealer) unwrap(ctx context.Context, sc tenant.Scope, w wrapped) (*key, error) {
	const op = "seal.unwrap"
	since := clock.At(time.Now())
	secret, err := s.wrapper.Unwrap(ctx, sc, w.Version, w.Key)
	if err != nil {
		return nil, unavailable(op, err)
	}
	defer clear(secret)
	if len(secret) != driver.SecretSize {
		return nil, problem.New(problem.Internal, op, "a data key has %d bytes", len(secret))
	}
	k := &key{version: w.Version, since: since}
	for store := Store(1); store < stores; store++ {
		derived, err := hkdf.Key(sha256.New, secret, nil, "switchboard/seal/1/"+storeNames[store], driver.SecretSize)
		if err == nil {
			k.stores[store], err = newXAES(derived)
			clear(derived)
		}
		if err != nil {
			return nil, problem.Wrap(problem.Internal, op, err)
		}
	}
	return k, nil
}

// hold keeps h, unless keys were dropped since it was asked for.
func (s *Sealer) hold(id tenant.ID, h *held, epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch || s.closed {
		return
	}
	if there := s.held[id]; there == nil && len(s.held) >= maxTenants {
		// What is dropped comes back with one asking. Any order will do, so take
		// the map's.
		for other := range s.held {
			if delete(s.held, other); len(s.held) < maxTenants*3/4 {
				break
			}
		}
	} else if there != nil {
		for v, k := range there.keys { // another flight of the tenant was quicker
			if h.versions[v] && h.keys[v] == nil && len(h.keys) < maxVersions {
				h.keys[v] = k
			}
		}
	}
	s.held[id] = h
	delete(s.resting, id)
	if s.timer == nil {
		s.timer = time.AfterFunc(purgeEvery, s.purge)
	}
}

// drop forgets a tenant's keys, those that are being asked for included.
func (s *Sealer) drop(id tenant.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	delete(s.held, id)
}

// forget forgets what is held of a tenant.
func (s *Sealer) forget(id tenant.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, id)
}

// tire remembers a failure for a moment.
func (s *Sealer) tire(id tenant.ID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.resting) >= maxTenants {
		clear(s.resting)
	}
	s.resting[id] = rest{time.Now().Add(restAfter), err}
}

// purge forgets what may not be used any more, so that no key outstays its time in
// memory because nobody asked for it again.
func (s *Sealer) purge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, h := range s.held {
		if kept := h.kept(now); len(kept.keys) == 0 {
			delete(s.held, id)
		} else if len(kept.keys) < len(h.keys) {
			s.held[id] = kept
		}
	}
	for id, r := range s.resting {
		if !now.Before(r.until) {
			delete(s.resting, id)
		}
	}
	if s.timer = nil; len(s.held)+len(s.resting) > 0 && !s.closed {
		s.timer = time.AfterFunc(purgeEvery, s.purge)
	}
}

// kept is h without the keys whose time is up.
func (h *held) kept(now time.Time) *held {
	k := &held{latest: h.latest, versions: h.versions, read: h.read, keys: make(map[uint32]*key, len(h.keys))}
	for v, key := range h.keys {
		if key.since.Age(now) < keyLife {
			k.keys[v] = key
		}
	}
	return k
}
