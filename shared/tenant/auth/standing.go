package auth

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"switchboard/shared/cache"
	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// StandingKind is where a project's own partition of the tenants' table has its standing.
// Whoever keeps standings needs access to no other kind.
const StandingKind = table.Kind("standing")

// standingKey is the one item of a project's standing.
func standingKey() table.Key { return table.Key{Kind: StandingKind, ID: "standing"} }

// standing is what the directory says of a project, as far as somebody needs it who does
// not read the directory: what is no longer to be served, and which keys vouch for
// visitors. It is made of the directory whole, each time, so writing it again repairs it.
type standing struct {
	Project   string               `json:"project"`
	Suspended bool                 `json:"suspended,omitempty"`
	Blocked   []string             `json:"blocked,omitempty"`  // persons
	Revoked   []string             `json:"revoked,omitempty"`  // ids of keys, for as long as something can be open with one
	Identity  map[string]time.Time `json:"identity,omitempty"` // ids of identity keys that hold, and until when
}

// remembersRevoked is how long a revoked key is in the standing. Nothing is open longer:
// a gateway's stream has 15 minutes.
const remembersRevoked = time.Hour

// WithStandings returns the directory with the tenants' table, in which it keeps the
// standing of each project that it changes. Where every process reads the directory
// there is no need of it.
func (d *Directory) WithStandings(tenants *table.Table) *Directory {
	w := *d
	w.tenants = tenants
	return &w
}

// tell keeps the standing of the credential's project. An operator key has none.
func (d *Directory) tell(ctx context.Context, c Credential) error {
	if c.Project == "" {
		return nil
	}
	id, err := tenant.ParseID(c.Project)
	if err != nil {
		return err
	}
	return d.KeepStanding(ctx, id)
}

// KeepStanding writes the project's standing as the directory has it now. The directory
// does so after each change; after an error of that, whoever does the same again does it
// too. It is for those changes that nobody can do again.
func (d *Directory) KeepStanding(ctx context.Context, id tenant.ID) error {
	if d.tenants == nil {
		return nil
	}
	sc := ForWork(id, "standing")
	for {
		// The item before the directory: whoever writes it between our two steps makes
		// our write fail, so no standing replaces one that was made of a later directory.
		it, err := d.tenants.Get(ctx, sc, standingKey())
		if err != nil {
			return untold(err)
		}
		s, err := d.standing(ctx, id)
		if err != nil {
			return untold(err)
		}
		body, err := json.Marshal(s, json.Deterministic(true))
		if err != nil {
			return problem.Wrap(problem.Internal, "auth.KeepStanding", err)
		}
		write := table.Create(standingKey(), body)
		if it.Version > 0 {
			write = table.Replace(it, body)
		}
		err = d.tenants.Write(ctx, sc, write)
		if _, raced := errors.AsType[*table.Conflict](err); !raced {
			return untold(err)
		}
		if ctx.Err() != nil {
			return untold(ctx.Err())
		}
	}
}

// untold is what an operator reads of a change that is in the directory alone.
func untold(err error) error {
	if err == nil {
		return nil
	}
	return &problem.Error{Kind: problem.Unavailable, Op: "auth.KeepStanding", RetryAfter: time.Second, Err: err,
		Detail: "This is done, but open streams have not been told. Please send the request again."}
}

// standing makes the project's standing of the directory.
func (d *Directory) standing(ctx context.Context, id tenant.ID) (standing, error) {
	s := standing{Project: id.String(), Identity: make(map[string]time.Time)}
	p, err := d.project(ctx, id.String())
	if err != nil {
		return s, err
	}
	s.Suspended = !p.Suspended.IsZero()
	for person := range p.Blocked {
		s.Blocked = append(s.Blocked, person)
	}
	now, cursor := time.Now(), ""
	for {
		page, next, err := d.Keys(ctx, id, table.MaxPage, cursor)
		if err != nil {
			return s, err
		}
		for _, c := range page {
			switch {
			case !c.Revoked.IsZero() && now.Sub(c.Revoked) < remembersRevoked:
				s.Revoked = append(s.Revoked, c.ID)
			case c.Kind == IdentityKey && c.live(now):
				s.Identity[c.ID] = c.Expires
			}
		}
		if cursor = next; cursor == "" {
			return s, nil
		}
	}
}

// newStandings holds the standings of projects, each read with the project's own Scope.
// A project of which nothing was ever told is in good standing.
func newStandings(tenants *table.Table) *cache.Cache[tenant.ID, standing] {
	return cache.New(cache.Config[tenant.ID, standing]{What: "standing", Most: maxHeld, Fresh: heldByGate.fresh, Stale: heldByGate.stale,
		Read: func(ctx context.Context, id tenant.ID, name string) (s standing, found bool, err error) {
			it, err := tenants.Get(ctx, ForWork(id, "standing"), standingKey())
			if err != nil || it.Version == 0 {
				return s, true, err
			}
			if err := json.Unmarshal(it.Body, &s); err != nil {
				return s, false, problem.Wrap(problem.Internal, "auth.newStandings", err)
			}
			if s.Project != name || name != id.String() {
				return s, false, problem.New(problem.Internal, "auth.newStandings", "a standing is stored under another's project")
			}
			return s, true, nil
		}})
}
