package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"switchboard/shared/cache"
	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// PrincipalToken is what an [Authorizer] says of a request's credential, signed: whose it
// is and what it may do. It is handed from the gateway's authorizer to a function in the
// event, beside the request and never in it, and holds for the whole credential that it
// was made for and for no other.
type PrincipalToken string

// The audience keeps a principal token from being taken for a widget token, and the key,
// derived for it alone, from being signed by what signs those.
const principalAudience = "switchboard/principal"

// vouched is what a principal token says. A widget token's claims are not in it: the
// token itself is in the request, and we signed it.
type vouched struct {
	jwt.RegisteredClaims            // ExpiresAt: vouchLife after the directory was read
	For                  string     `json:"for"`                 // digest of the credential
	Key                  Credential `json:"key"`                 // without its hash
	Suspended            bool       `json:"suspended,omitempty"` // the project, or the person
}

// newVouching returns the signer of principal tokens. Its clocks get no leeway: whatever
// it were would be added to how long a revoked credential is served.
func newVouching(master []byte) (signer, error) {
	return newSigner(master, "principal token", principalAudience, 0)
}

// digest names a credential without telling it.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// behind is the source of a gate behind an authorizer: it has the authorizer's word for
// each request, and the standings of projects for what takes longer.
type behind struct {
	vouching  signer
	standings *cache.Cache[tenant.ID, standing]
}

var _ source = (*behind)(nil)

// NewGateBehind returns a Gate behind an [Authorizer]. It reads no directory: a request
// that comes without the authorizer's word, or with that for another credential, is
// refused like one without a credential. Open streams are watched by what tenants, the
// tenants' own table, says of their project's standing ([Directory.WithStandings]).
func NewGateBehind(master []byte, tenants *table.Table, sites Sites, w Witness) (*Gate, error) {
	if !tenants.Decided() {
		return nil, problem.New(problem.Internal, "auth.NewGateBehind", "the tenants' table has no sealer")
	}
	vouching, err := newVouching(master)
	if err != nil {
		return nil, err
	}
	v, err := newVisitors(master)
	b := &behind{vouching, newStandings(tenants)}
	return &Gate{source: b, visitors: v, sites: sites, witness: w}, err
}

// find implements source.
func (b *behind) find(_ context.Context, s shown) (principal, error) {
	v := &vouched{}
	if !b.vouching.read(string(s.vouched), v) || v.For != digest(s.text) || v.Key.ID != s.keyID {
		return principal{}, nil
	}
	return principal{Credential: v.Key, until: v.ExpiresAt.Time, suspended: v.Suspended}, nil
}

// active implements source.
func (b *behind) active(_ context.Context, p principal) error {
	if p.suspended {
		return suspended()
	}
	return nil
}

// stands implements source. A table that does not answer says nothing against the
// principal while the authorizer's word holds.
func (b *behind) stands(ctx context.Context, p principal) error {
	now := time.Now()
	holds := now.Before(p.until)
	if !p.live(now) || p.kind() == OperatorKey && !holds {
		return unauthenticated()
	}
	if p.kind() == OperatorKey {
		return nil
	}
	id, err := tenant.ParseID(p.Project)
	if err != nil {
		return unauthenticated()
	}
	st, err := b.standings.Get(ctx, id, p.Project)
	switch {
	case err != nil && holds:
		return b.active(ctx, p)
	case err != nil:
		return err
	case slices.Contains(st.Revoked, p.ID):
		return unauthenticated()
	case st.Suspended || p.visitor != nil && slices.Contains(st.Blocked, p.visitor.Subject):
		return suspended()
	}
	return nil
}

// newKeyAfter is how long a new identity key may be unknown to a process that holds its
// project's standing; so often at most does an unknown one have it read.
const newKeyAfter = 5 * time.Second

// hasIdentityKey implements source.
func (b *behind) hasIdentityKey(ctx context.Context, sc tenant.Scope, keyID string) (bool, error) {
	id := sc.Project()
	st, err := b.standings.Get(ctx, id, id.String())
	if err != nil {
		return false, err
	}
	expires, ok := st.Identity[keyID]
	if !ok {
		if st, err = b.standings.Younger(ctx, id, id.String(), newKeyAfter); err != nil {
			return false, err
		}
		expires, ok = st.Identity[keyID]
	}
	return ok && (expires.IsZero() || time.Now().Before(expires)), nil
}
