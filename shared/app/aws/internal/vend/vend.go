// Package vend gives out the credentials that a tenant's calls of DynamoDB are signed
// with.
//
// shared/app/aws/internal/account imports it, for every function that touches
// tenants' data. Its one promise: credentials that it gives for a Scope can do on AWS
// what its grants say with that tenant's items, and nothing else; where it has none to
// give, the call fails. There is nothing to fall back to.
//
// They are a session of the data role, tagged with the tenant's id (STS, AssumeRole).
// AWS allows what the role's policy and the session's both do: actions on items, by
// name, whose partition key begins with the tag. So a key of another tenant's is
// refused by AWS even where our own code has made it.
//
// # What is held
//
// Sessions last 15 minutes. One is given out for 14, from memory; after 10 it is
// renewed in the background, so that nobody who is served waits for STS but the first
// of a tenant in a process. A tenant is asked for once at a time, and one for whom STS
// failed is refused for a second without asking. 1,024 tenants are held at most.
package vend

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"golang.org/x/sync/singleflight"

	"switchboard/shared/clock"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

const (
	ripe = 10 * time.Minute
	// margin is kept from a session's end, for the request that carries it and for
	// clocks that differ.
	margin = time.Minute
	// askTimeout bounds one asking, its second try included.
	askTimeout = 3 * time.Second
	// restAfter is how long a tenant for whom STS failed is refused without asking.
	restAfter = time.Second
	// renewAgain is how long after a renewal that failed there is another.
	renewAgain = 5 * time.Second

	maxTenants = 1024
)

var errOver = errors.New("STS answered with a session that is over")

// Vendor gives out credentials; see [New]. Its methods are safe for concurrent use.
type Vendor struct {
	sts     *sts
	flights singleflight.Group

	mu      sync.Mutex
	held    map[tenant.ID]*session
	resting map[tenant.ID]rest
}

// session is what is held of a tenant. Only renewing changes, under the Vendor's mu.
type session struct {
	credentials aws.Credentials
	asked       clock.Stamp // before STS was
	renewing    bool
}

// rest is a failure that is answered again for a moment.
type rest struct {
	until time.Time
	err   error
}

// New returns a Vendor of sessions of the data role. cfg is the function's own: its
// credentials are for STS alone.
func New(cfg aws.Config, dataRole string, grants []Grant) (*Vendor, error) {
	r, err := parseRole(dataRole)
	if err != nil {
		return nil, err
	}
	text, err := r.policy(cfg.Region, grants)
	if err != nil {
		return nil, err
	}
	at, err := endpoint(context.Background(), cfg, r.partition)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" || cfg.Credentials == nil {
		return nil, problem.New(problem.Internal, "vend.New", "a region and credentials for STS are needed")
	}
	client := cfg.HTTPClient
	if client == nil {
		client = awshttp.NewBuildableClient()
	}
	return &Vendor{
		sts:  &sts{role: r, policy: text, region: cfg.Region, endpoint: at, own: cfg.Credentials, http: client, signer: v4.NewSigner()},
		held: make(map[tenant.ID]*session), resting: make(map[tenant.ID]rest),
	}, nil
}

// For returns the provider of a tenant's credentials, for dynamotable's Config.
func (v *Vendor) For(sc tenant.Scope) aws.CredentialsProvider { return provider{v, sc.Project()} }

// provider is one tenant's.
type provider struct {
	v  *Vendor
	id tenant.ID
}

// Retrieve implements aws.CredentialsProvider.
func (p provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if p.id.IsZero() {
		return aws.Credentials{}, problem.New(problem.Internal, "vend.Retrieve", "a Scope without a project")
	}
	return p.v.retrieve(ctx, p.id)
}

// left is how long the session may still be given out, by its own word and by its age.
func (s *session) left(now time.Time) time.Duration {
	return min(s.credentials.Expires.Sub(now.Round(0)), sessionLife-s.asked.Age(now)) - margin
}

// young reports whether the session need not be renewed yet.
func (s *session) young(now time.Time) bool { return s.left(now) > sessionLife-margin-ripe }

// fresh returns the tenant's session if it is young.
func (v *Vendor) fresh(id tenant.ID) *session {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.held[id]; s != nil && s.young(time.Now()) {
		return s
	}
	return nil
}

func (v *Vendor) retrieve(ctx context.Context, id tenant.ID) (aws.Credentials, error) {
	now := time.Now()
	v.mu.Lock()
	s, tired := v.held[id], v.resting[id]
	live := s != nil && s.left(now) > 0
	renew := live && !s.renewing && !s.young(now)
	if renew {
		s.renewing = true
	}
	v.mu.Unlock()
	switch {
	case renew:
		go v.renew(context.WithoutCancel(ctx), id, s)
		fallthrough
	case live:
		return s.credentials, nil
	case now.Before(tired.until):
		return aws.Credentials{}, tired.err
	}
	return v.fetch(ctx, id)
}

// renew asks in the background. If STS does not answer, what is held stays until its
// time is up.
func (v *Vendor) renew(ctx context.Context, id tenant.ID, s *session) {
	if _, err := v.fetch(ctx, id); err != nil {
		slog.WarnContext(ctx, "credentials not renewed", slog.String("project", id.String()), slog.Any("err", err))
	}
	time.AfterFunc(renewAgain, func() { // if it still is what is held
		v.mu.Lock()
		defer v.mu.Unlock()
		s.renewing = false
	})
}

// fetch asks STS, once for all who ask at the same time. Whoever does not wait that
// long leaves the flight to the others.
func (v *Vendor) fetch(ctx context.Context, id tenant.ID) (aws.Credentials, error) {
	c := v.flights.DoChan(id.String(), func() (any, error) {
		if s := v.fresh(id); s != nil { // another flight ended just before this one began
			return s.credentials, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		s := &session{asked: clock.At(time.Now())}
		err := problem.Guard("vend.fetch", func() (err error) {
			s.credentials, err = v.sts.assume(ctx, id)
			return err
		})
		if err == nil && s.left(time.Now()) <= 0 {
			err = away("vend.fetch", problem.ReasonProtocol, errOver)
		}
		v.keep(id, s, err)
		return s.credentials, err
	})
	select {
	case r := <-c:
		if r.Err != nil {
			return aws.Credentials{}, r.Err
		}
		return r.Val.(aws.Credentials), nil
	case <-ctx.Done():
		return aws.Credentials{}, ctx.Err()
	}
}

// keep holds what STS answered: a session, or that it failed.
func (v *Vendor) keep(id tenant.ID, s *session, err error) {
	now := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		if len(v.resting) >= maxTenants {
			clear(v.resting)
		}
		v.resting[id] = rest{now.Add(restAfter), err}
		return
	}
	delete(v.resting, id)
	if v.held[id] == nil && len(v.held) >= maxTenants {
		v.makeRoom(now)
	}
	v.held[id] = s
}

// makeRoom forgets sessions that are over, and if that is not enough any quarter: what
// is dropped comes back with one asking.
func (v *Vendor) makeRoom(now time.Time) {
	for id, s := range v.held {
		if s.left(now) <= 0 {
			delete(v.held, id)
		}
	}
	for id := range v.held {
		if len(v.held) <= maxTenants*3/4 {
			return
		}
		delete(v.held, id)
	}
}
