package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// Authorizer looks credentials up for a gateway, so that the functions behind it need
// not read the directory. What it finds goes to them as a [PrincipalToken], which
// [NewGateBehind] opens; whether a route lets the principal in is theirs to say.
type Authorizer struct {
	gate     *Gate // of which authenticate is used, and no route
	lookups  *lookups
	vouching signer
	usage    UsageKeys
}

// NewAuthorizer returns an Authorizer over the directory. master is the directory's.
func NewAuthorizer(dir *Directory, master []byte) (*Authorizer, error) {
	vouching, err := newVouching(master)
	if err != nil {
		return nil, err
	}
	usage, err := NewUsageKeys(master)
	l := newLookups(dir, heldByAuthorizer)
	return &Authorizer{&Gate{source: l, visitors: dir.visitors}, l, vouching, usage}, err
}

// Authorization is what a gateway is told of a request.
type Authorization struct {
	KeyID     string // of the key, for logs
	Principal PrincipalToken
	// UsageKey is the value of the API key that the request counts against; see
	// [UsageKeys].
	UsageKey string
}

// Authorize looks up the credential in a request's headers. An error that is not an
// Unauthenticated problem says nothing against it. What is suspended is authorized: the
// functions tell it so.
func (a *Authorizer) Authorize(ctx context.Context, h http.Header) (Authorization, error) {
	const op = "auth.Authorize"
	p, err := a.gate.authenticate(ctx, h, "")
	if err != nil {
		return Authorization{}, err
	}
	out := Authorization{KeyID: p.ID, UsageKey: a.usage.Operators()}
	v := vouched{Key: p.Credential}
	v.Key.Hash = nil
	age := p.age
	if p.kind() != OperatorKey {
		id, err := tenant.ParseID(p.Project)
		if err != nil {
			return Authorization{}, problem.Wrap(problem.Internal, op, err)
		}
		of, err := a.lookups.activeFor(ctx, p)
		if err != nil && !problem.Is(err, problem.Forbidden) {
			return Authorization{}, err
		}
		v.Suspended, age = err != nil, max(age, of)
		out.UsageKey = a.usage.Project(id)
	}
	text, _ := bearer(h) // which it has: authenticate read it
	v.For = digest(text)
	v.Audience = jwt.ClaimStrings{principalAudience}
	v.ExpiresAt = jwt.NewNumericDate(time.Now().Add(vouchLife - age))
	signed, err := a.vouching.sign(v)
	if err != nil {
		return Authorization{}, problem.Wrap(problem.Internal, op, err)
	}
	out.Principal = PrincipalToken(signed)
	return out, nil
}
