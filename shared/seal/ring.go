package seal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// ring is what is kept of a tenant's keys. It has no secret in it: each key is
// wrapped by the driver.
type ring struct {
	Format   int       `json:"format"`
	Project  string    `json:"project"` // a ring in another tenant's place is refused
	Keys     []wrapped `json:"keys"`    // the newest last
	Shredded time.Time `json:"shredded,omitzero"`

	mark string
}

// wrapped is one version of a tenant's data key.
type wrapped struct {
	Version uint32    `json:"version"`
	Made    time.Time `json:"made"`
	Key     []byte    `json:"key"`
}

const (
	ringFormat = 1
	// maxKeys bounds a ring; a DynamoDB item holds as many.
	maxKeys = 1000
	// saveTries is how often a ring is written until nobody came between.
	saveTries = 8
)

// ErrShredded is the cause of the Internal problem that a tenant's values do not open
// any more and nothing of theirs is sealed.
var ErrShredded = errors.New("the tenant's keys were shredded")

// load reads the tenant's ring; one without keys is none.
func (s *Sealer) load(ctx context.Context, sc tenant.Scope) (ring, error) {
	const op = "seal.load"
	text, mark, err := s.rings.Load(ctx, sc)
	if err != nil {
		return ring{}, unavailable(op, err)
	}
	r := ring{Format: ringFormat, Project: sc.Project().String(), mark: mark}
	if len(text) == 0 {
		return r, nil
	}
	var stored ring
	if err := json.Unmarshal(text, &stored, json.RejectUnknownMembers(true)); err != nil {
		return ring{}, problem.Wrap(problem.Internal, op, fmt.Errorf("the ring of %s cannot be read", r.Project))
	}
	if stored.mark = mark; stored.Format != ringFormat || stored.Project != r.Project {
		return ring{}, problem.Wrap(problem.Internal, op, fmt.Errorf("the ring of %s is of format %d, or another's", r.Project, stored.Format))
	}
	if !stored.Shredded.IsZero() {
		s.forget(sc.Project())
		return stored, problem.Wrap(problem.Internal, op, ErrShredded)
	}
	return stored, nil
}

func (s *Sealer) save(ctx context.Context, sc tenant.Scope, r ring) error {
	text, err := json.Marshal(r)
	if err != nil {
		return problem.Wrap(problem.Internal, "seal.save", err)
	}
	if err := s.rings.Save(ctx, sc, text, r.mark); errors.Is(err, ErrRaced) {
		return err
	} else if err != nil {
		return unavailable("seal.save", err)
	}
	return nil
}

// latest is the version of new writes, 0 where there is no key.
func (r ring) latest() uint32 {
	if len(r.Keys) == 0 {
		return 0
	}
	return r.Keys[len(r.Keys)-1].Version
}

func (r ring) find(version uint32) (wrapped, bool) {
	for _, k := range r.Keys {
		if k.Version == version {
			return k, true
		}
	}
	return wrapped{}, false
}

// extend gives the ring a key of a new version and keeps it. Where another process
// was quicker the ring is that one's.
func (s *Sealer) extend(ctx context.Context, sc tenant.Scope, r ring) (ring, error) {
	const op = "seal.extend"
	if len(r.Keys) >= maxKeys {
		return r, problem.New(problem.Internal, op, "%s has %d keys", r.Project, len(r.Keys))
	}
	version := r.latest() + 1
	secret, text, err := s.wrapper.Generate(ctx, sc, version)
	clear(secret) // it is unwrapped like any other: what cannot be unwrapped must not be used
	if err != nil {
		return r, unavailable(op, err)
	}
	r.Keys = append(r.Keys[:len(r.Keys):len(r.Keys)], wrapped{version, time.Now().UTC().Truncate(time.Second), text})
	if err := s.save(ctx, sc, r); errors.Is(err, ErrRaced) {
		return s.load(ctx, sc)
	} else if err != nil {
		return r, err
	}
	r.mark = "" // of what is there now nobody has read one
	return r, nil
}

// Rotate gives the tenant a new key for what is sealed from now on; what was sealed
// before opens as it did. Other processes follow within a minute.
func (s *Sealer) Rotate(ctx context.Context, sc tenant.Scope) error {
	const op = "seal.Rotate"
	if err := s.check(op, sc); err != nil {
		return err
	}
	for range saveTries {
		before, err := s.load(ctx, sc)
		if err != nil {
			return err
		}
		after, err := s.extend(ctx, sc, before)
		if err != nil {
			return err
		}
		if after.latest() > before.latest() { // ours, or one that another made meanwhile
			s.drop(sc.Project())
			return nil
		}
	}
	return problem.New(problem.Unavailable, op, "the ring is written to by too many")
}

// Shred destroys the tenant's keys: nothing of theirs opens again, and nothing more
// is sealed. This process forgets them now, every other within a minute. It cannot
// be undone, but for a backup of the rings.
func (s *Sealer) Shred(ctx context.Context, sc tenant.Scope) error {
	const op = "seal.Shred"
	if err := s.check(op, sc); err != nil {
		return err
	}
	for range saveTries {
		r, err := s.load(ctx, sc)
		if errors.Is(err, ErrShredded) {
			return nil
		}
		if err != nil {
			return err
		}
		r.Keys, r.Shredded = nil, time.Now().UTC()
		if err := s.save(ctx, sc, r); !errors.Is(err, ErrRaced) {
			s.drop(sc.Project())
			return err
		}
	}
	return problem.New(problem.Unavailable, op, "the ring is written to by too many")
}

// unavailable lets problems and the end of a context through and calls the rest a
// provider that is not available.
func unavailable(op string, err error) error {
	if _, ok := errors.AsType[*problem.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &problem.Error{Kind: problem.Unavailable, Op: op, RetryAfter: time.Second, Err: err}
}
