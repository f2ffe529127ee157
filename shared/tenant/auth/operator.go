package auth

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/internal/scope"
)

// Operator is the platform's owner, at work on the platform itself. It is no Scope: it
// has that of a project only once the project's own audit log says what for. The zero
// Operator is nobody; only [Admin] hands one out.
type Operator struct {
	key   string
	scope tenant.Scope
	open  func(ctx context.Context, id tenant.ID) (tenant.Scope, error)
}

// Actor names the operator in records: the id of the key.
func (o Operator) Actor() string { return o.key }

// Project is the one that the request's path names, and that is there; zero where the
// path names none.
func (o Operator) Project() tenant.ID { return o.scope.Project() }

// Scope is that of Project, for what the platform keeps about it: its definition, never
// what was said to it. The zero Scope where the path names none.
func (o Operator) Scope() tenant.Scope { return o.scope }

// Open is Scope of a project that the request's body names, or that is about to be made:
// its audit log has the request first.
func (o Operator) Open(ctx context.Context, id tenant.ID) (tenant.Scope, error) {
	if !o.Valid() || id.IsZero() {
		return tenant.Scope{}, problem.New(problem.Internal, "auth.Open", "nobody opens a project")
	}
	return o.open(ctx, id)
}

// Valid reports whether o came from a credential.
func (o Operator) Valid() bool { return o.key != "" }

// projectWildcard is what an Admin route's pattern calls the project it is about.
const projectWildcard = "{project}"

// Admin makes a route for operator keys alone, under /admin/. Where its pattern names a
// project, that project's own audit log has the request before fn runs.
func Admin[In, Out any](pattern string, fn func(context.Context, Operator, *Request[In]) (Out, error)) Route {
	allow := Allow{Kinds: []Kind{OperatorKey}}
	return Route{Pattern: pattern, Allow: allow, Admin: true, Body: bodyOf[In](), serve: func(g *Gate, w http.ResponseWriter, r *http.Request) error {
		p, err := g.authenticate(r.Context(), r.Header, vouchedFor(w))
		if err != nil {
			return err
		}
		if p.kind() != OperatorKey {
			return forbidden()
		}
		in, err := read[In](w, r, MaxAdminBody)
		if err != nil {
			return err
		}
		o := Operator{key: p.ID, open: func(ctx context.Context, id tenant.ID) (tenant.Scope, error) {
			sc := p.operates(id)
			return sc, g.record(ctx, sc, pattern, in.ID)
		}}
		if strings.Contains(pattern, projectWildcard) {
			if o.scope, err = g.administers(r, pattern, in.ID, p); err != nil {
				return err
			}
		}
		v, err := fn(r.Context(), o, in)
		if err != nil {
			return err
		}
		return (&Reply{w: w}).JSON(v)
	}}
}

// administers returns the operator's scope in the project of the request's path, once
// its audit log has what is about to be done to it.
func (g *Gate) administers(r *http.Request, pattern, request string, p principal) (tenant.Scope, error) {
	sc, err := g.operatorIn(r.Context(), r.PathValue("project"), p, g.listed)
	if err != nil {
		return tenant.Scope{}, err
	}
	var ids []string
	for _, name := range []string{"key", "user", "assistant"} {
		id := r.PathValue(name)
		if !utf8.ValidString(id) { // nothing that a record could hold, and nobody's
			return tenant.Scope{}, problem.Bad("auth.administers", name, "%q in the path is no UTF-8 text", name)
		}
		if id != "" {
			ids = append(ids, id)
		}
	}
	return sc, g.record(r.Context(), sc, pattern, request, ids...)
}

// record keeps what is about to be done to a project in its own audit log.
func (g *Gate) record(ctx context.Context, sc tenant.Scope, pattern, request string, ids ...string) error {
	if g.witness == nil {
		return forbidden()
	}
	if err := g.witness.Administers(ctx, sc, pattern, request, ids...); err != nil {
		return problem.Wrap(problem.Unavailable, "auth.record", err)
	}
	return nil
}

// operates is an operator's scope in a project.
func (p principal) operates(id tenant.ID) tenant.Scope {
	return scope.Mint(scope.Grant{Project: id, Credential: p.ID, Kind: scope.Operator, Role: scope.Owner, Can: scope.All})
}

// operatorIn is an operator's scope in a project that is there.
func (g *Gate) operatorIn(ctx context.Context, named string, p principal, there func(context.Context, tenant.Scope) (bool, error)) (tenant.Scope, error) {
	unknown := problem.New(problem.NotFound, "auth.operatorIn", "There is no such project.")
	id, err := tenant.ParseID(named)
	if err != nil {
		return tenant.Scope{}, unknown
	}
	if g.witness == nil {
		return tenant.Scope{}, forbidden()
	}
	sc := p.operates(id)
	switch is, err := there(ctx, sc); {
	case err != nil:
		return tenant.Scope{}, err
	case !is:
		return tenant.Scope{}, unknown
	}
	return sc, nil
}

// listed reports whether the directory has the project, as it is now: one that was made
// a moment ago is there.
func (g *Gate) listed(ctx context.Context, sc tenant.Scope) (bool, error) {
	if g.dir == nil {
		return false, forbidden()
	}
	p, err := g.dir.Project(ctx, sc.Project())
	return p.Exists(), err
}

// served reports whether there is a company to act as.
func (g *Gate) served(ctx context.Context, sc tenant.Scope) (bool, error) {
	if g.sites == nil {
		return false, forbidden()
	}
	_, err := g.sites.Site(ctx, sc)
	if problem.Is(err, problem.NotFound) {
		return false, nil
	}
	return err == nil, err
}
