package auth

import (
	"context"
	"time"

	"switchboard/shared/cache"
	"switchboard/shared/tenant"
)

// lookups is the source of a gate that reads the directory.
type lookups struct {
	hash     hasher
	keys     *cache.Cache[struct{}, Credential]
	projects *cache.Cache[struct{}, Project]
}

var _ source = (*lookups)(nil)

func newLookups(dir *Directory, l life) *lookups {
	return &lookups{
		hash: dir.hash,
		keys: cache.New(cache.Config[struct{}, Credential]{What: "credential", Most: maxHeld, MostAbsent: maxUnknown, Fresh: l.fresh, Stale: l.stale,
			Read: func(ctx context.Context, _ struct{}, id string) (Credential, bool, error) {
				c, err := dir.read(ctx, id)
				return c, c.ID != "", err
			}}),
		// A project without a record is an active one: its absence is held, and looked
		// up again, like a record.
		projects: cache.New(cache.Config[struct{}, Project]{What: "project", Most: maxHeld, Fresh: l.fresh, Stale: l.stale,
			Read: func(ctx context.Context, _ struct{}, id string) (Project, bool, error) {
				p, err := dir.project(ctx, id)
				return p, true, err
			}}),
	}
}

// find implements source.
func (l *lookups) find(ctx context.Context, s shown) (principal, error) {
	c, age, err := l.keys.Aged(ctx, struct{}{}, s.keyID)
	if err != nil {
		return principal{}, err
	}
	if !s.signed && !l.hash.matches(s.text, c.Hash) {
		return principal{}, nil
	}
	return principal{Credential: c, age: age}, nil
}

// active implements source.
func (l *lookups) active(ctx context.Context, p principal) error {
	_, err := l.activeFor(ctx, p)
	return err
}

// activeFor is active, and how old what it says may be.
func (l *lookups) activeFor(ctx context.Context, p principal) (time.Duration, error) {
	pr, age, err := l.projects.Aged(ctx, struct{}{}, p.Project)
	if err != nil {
		return 0, err
	}
	if !pr.Suspended.IsZero() || p.visitor != nil && pr.blocks(p.visitor.Subject) {
		return age, suspended()
	}
	return age, nil
}

// stands implements source. A directory that does not answer says nothing against the
// principal until what is held is stale.
func (l *lookups) stands(ctx context.Context, p principal) error {
	c, err := l.keys.Get(ctx, struct{}{}, p.ID)
	if err != nil {
		return err
	}
	if c.ID != p.ID || !c.live(time.Now()) {
		return unauthenticated()
	}
	if p.kind() == OperatorKey {
		return nil
	}
	return l.active(ctx, p)
}

// hasIdentityKey implements source.
func (l *lookups) hasIdentityKey(ctx context.Context, sc tenant.Scope, keyID string) (bool, error) {
	c, err := l.keys.Get(ctx, struct{}{}, keyID)
	if err != nil {
		return false, err
	}
	return c.Kind == IdentityKey && c.Project == sc.Project().String() && c.live(time.Now()), nil
}
