package auth

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"strings"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/internal/scope"
)

// Gate checks credentials. What is known of one it has from its source: a directory, or
// the token of an authorizer that has one.
type Gate struct {
	dir    *Directory // nil where the authorizer alone reads it; administration needs it
	source source
	visitors
	sites   Sites
	witness Witness
}

// Sites says what a company's own site may do. The companies' folders know.
type Sites interface {
	// Site returns the scope's; a NotFound problem if there is no such project.
	Site(ctx context.Context, sc tenant.Scope) (Site, error)
}

// Site is what a company says of its widget.
type Site struct {
	Origins    []string // exactly these may have a widget token
	Assistants []string // ids
	// Identity has the public keys with which the company signs who its visitors are,
	// beside the identity keys that we issued to it.
	Identity []ed25519.PublicKey
}

// Witness records what an operator does to a company, before they do.
type Witness interface {
	// ActsAs returns nil once the record is kept in the company's own audit log.
	ActsAs(ctx context.Context, sc tenant.Scope, reason, request string) error
	// Administers is the same for the admin API: action is the route, ids what of the
	// company it is about.
	Administers(ctx context.Context, sc tenant.Scope, action, request string, ids ...string) error
}

// NewGate returns a Gate over the directory. Without sites there are no widget
// tokens, and without a witness no operator can act as a company.
func NewGate(dir *Directory, sites Sites, w Witness) *Gate {
	return &Gate{dir: dir, source: newLookups(dir, heldByGate), visitors: dir.visitors, sites: sites, witness: w}
}

// source is where a gate learns what a credential stands for.
type source interface {
	// find returns the key that was shown, or that a widget token was given for; the
	// zero principal if it is nobody's.
	find(ctx context.Context, s shown) (principal, error)
	// active refuses what belongs to a project or a person that was suspended. It is for
	// a request, of which the principal was found just now, and costs a warm one nothing.
	active(ctx context.Context, p principal) error
	// stands is active and more: the principal may have been found a while ago.
	stands(ctx context.Context, p principal) error
	// hasIdentityKey reports whether the key is one of the project's that hold.
	hasIdentityKey(ctx context.Context, sc tenant.Scope, keyID string) (bool, error)
}

// shown is what a request says of who it is from.
type shown struct {
	text    string // the whole credential
	keyID   string
	signed  bool           // by us: the text is a widget token that holds
	vouched PrincipalToken // from the gateway's authorizer
}

// unauthenticated is the one answer to every credential that does not hold.
func unauthenticated() error {
	return &problem.Error{Kind: problem.Unauthenticated, Op: "auth.Gate"}
}

// principal is who a request is from.
type principal struct {
	Credential          // the key; behind a widget token, the one it was given for
	visitor    *visitor // nil but for a widget token

	// age is how old what is known of the key is. An authorizer's word has instead
	// until when it holds, and whether the principal was suspended.
	age       time.Duration
	until     time.Time
	suspended bool
}

// kind is that of what the request carried.
func (p principal) kind() Kind {
	if p.visitor != nil {
		return VisitorToken
	}
	return p.Credential.Kind
}

// can is what it may be used for.
func (p principal) can() tenant.Capability {
	switch p.kind() {
	case VisitorToken:
		return visitorCan
	case Publishable:
		return scope.WidgetTokens
	}
	return p.Can
}

// authenticate returns who the request's credential belongs to. vouched is what the
// gateway's authorizer said of it, if there is one.
func (g *Gate) authenticate(ctx context.Context, h http.Header, vouched PrincipalToken) (principal, error) {
	text, ok := bearer(h)
	if !ok {
		return principal{}, unauthenticated()
	}
	s := shown{text: text, vouched: vouched}
	if strings.Contains(text, ".") { // none of our alphabet: a token
		v, ok := g.tokens.open(text, time.Now())
		if !ok {
			return principal{}, unauthenticated()
		}
		s.keyID, s.signed = v.Key, true
		p, err := g.source.find(ctx, s)
		if err != nil {
			return principal{}, err
		}
		if p.Kind != Publishable || p.Project != v.Project || !p.live(time.Now()) {
			return principal{}, unauthenticated()
		}
		p.visitor = v
		return p, nil
	}
	kind, id, ok := parse(text)
	if !ok {
		return principal{}, unauthenticated()
	}
	s.keyID = id
	p, err := g.source.find(ctx, s)
	if err != nil {
		return principal{}, err
	}
	if p.Kind != kind || !p.live(time.Now()) {
		return principal{}, unauthenticated()
	}
	return p, nil
}

// bearer returns the one credential of a request. Two that differ are refused:
// another reader might choose the other.
func bearer(h http.Header) (string, bool) {
	auth, keys := h.Values("Authorization"), h.Values("X-Api-Key")
	if len(auth) > 1 || len(keys) > 1 {
		return "", false
	}
	var text string
	if len(auth) == 1 {
		scheme, rest, _ := strings.Cut(auth[0], " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", false
		}
		if text = strings.TrimSpace(rest); text == "" {
			return "", false
		}
	}
	if len(keys) == 1 {
		if text != "" && text != keys[0] {
			return "", false
		}
		text = keys[0]
	}
	return text, text != "" && len(text) <= maxCredential
}

// maxCredential bounds a credential's text, in bytes: no token of ours is as long.
const maxCredential = 2 << 10

// forbidden is the answer to a credential that holds and may not do this.
func forbidden() error {
	return problem.New(problem.Forbidden, "auth.admit", "This credential may not do that.")
}

// admit returns the scope of a request on a route that allows what a says.
func (g *Gate) admit(w http.ResponseWriter, r *http.Request, a Allow) (tenant.Scope, principal, error) {
	p, err := g.authenticate(r.Context(), r.Header, vouchedFor(w))
	if err != nil {
		return tenant.Scope{}, p, err
	}
	if p.visitor != nil {
		if err := p.visitor.admitOrigin(w.Header(), r); err != nil {
			return tenant.Scope{}, p, err
		}
	}
	if !a.kind(p.kind()) {
		return tenant.Scope{}, p, forbidden()
	}
	if p.kind() == OperatorKey {
		sc, err := g.actAs(r, w.Header().Get(requestIDHeader), p)
		return sc, p, err
	}
	if p.can()&a.Can != a.Can || p.visitor == nil && p.Role < a.Role {
		return tenant.Scope{}, p, forbidden()
	}
	if err := g.source.active(r.Context(), p); err != nil {
		return tenant.Scope{}, p, err
	}
	sc, err := p.scope()
	return sc, p, err
}

// suspended is the answer to what belongs to a suspended project or person.
func suspended() error {
	return &problem.Error{Kind: problem.Forbidden, Reason: problem.ReasonSuspended, Op: "auth.active", Detail: "This is suspended."}
}

// scope mints what the principal may do. An operator key has no project and so no
// Scope of its own; see actAs.
func (p principal) scope() (tenant.Scope, error) {
	g := scope.Grant{Credential: p.ID, Role: p.Role, Can: p.can()}
	switch p.kind() {
	case SecretKey:
		g.Kind = scope.SecretKey
	case Publishable:
		g.Kind = scope.Publishable
	case VisitorToken:
		g.Kind, g.Role = scope.Widget, scope.NoRole
		g.Assistant, g.Person, g.Proven = p.visitor.Assistant, p.visitor.Subject, p.visitor.Proven
	default:
		return tenant.Scope{}, forbidden()
	}
	var err error
	if g.Project, err = tenant.ParseID(p.Project); err != nil {
		return tenant.Scope{}, forbidden()
	}
	return scope.Mint(g), nil
}

// The headers with which an operator acts as a company.
const (
	actAsHeader  = "Act-As"        // the project
	reasonHeader = "Act-As-Reason" // why, for the company to read
)

// actAs returns an operator's scope in the project they name, once its audit log has
// the reason. A project that is suspended can still be looked at.
func (g *Gate) actAs(r *http.Request, request string, p principal) (tenant.Scope, error) {
	const op = "auth.actAs"
	as, reasons := r.Header.Values(actAsHeader), r.Header.Values(reasonHeader)
	if len(as) != 1 || len(reasons) != 1 || !text(reasons[0], 8, 500) {
		return tenant.Scope{}, problem.New(problem.Forbidden, op,
			"An operator opens a company's data with the headers %s: PROJECT and %s: why, in 8 to 500 characters.", actAsHeader, reasonHeader)
	}
	sc, err := g.operatorIn(r.Context(), as[0], p, g.served)
	if err != nil {
		return tenant.Scope{}, err
	}
	if err := g.witness.ActsAs(r.Context(), sc, reasons[0], request); err != nil {
		return tenant.Scope{}, problem.Wrap(problem.Unavailable, op, err)
	}
	return sc, nil
}
