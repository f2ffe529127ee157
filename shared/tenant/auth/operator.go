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

// Operator is the platform's owner, at work on the platform itself. It is no Scope and
// opens no company's data. The zero Operator is nobody; only [Admin] hands one out.
type Operator struct {
	key     string
	project tenant.ID
}

// Actor names the operator in records: the id of the key.
func (o Operator) Actor() string { return o.key }

// Project is the one that the request's path names, and that is there; zero where the
// path names none.
func (o Operator) Project() tenant.ID { return o.project }

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
		in, err := read[In](w, r)
		if err != nil {
			return err
		}
		o := Operator{key: p.ID}
		if strings.Contains(pattern, projectWildcard) {
			if o.project, err = g.administers(r, pattern, in.ID, p); err != nil {
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

// administers returns the project in the request's path, once its audit log has what
// is about to be done to it.
func (g *Gate) administers(r *http.Request, pattern, request string, p principal) (tenant.ID, error) {
	sc, err := g.operatorIn(r.Context(), r.PathValue("project"), p)
	if err != nil {
		return tenant.ID{}, err
	}
	var ids []string
	for _, name := range []string{"key", "user"} {
		id := r.PathValue(name)
		if !utf8.ValidString(id) { // nothing that a record could hold, and nobody's
			return tenant.ID{}, problem.Bad("auth.administers", name, "%q in the path is no UTF-8 text", name)
		}
		if id != "" {
			ids = append(ids, id)
		}
	}
	if err := g.witness.Administers(r.Context(), sc, pattern, request, ids...); err != nil {
		return tenant.ID{}, problem.Wrap(problem.Unavailable, "auth.administers", err)
	}
	return sc.Project(), nil
}

// operatorIn is an operator's scope in a project that is there.
func (g *Gate) operatorIn(ctx context.Context, named string, p principal) (tenant.Scope, error) {
	unknown := problem.New(problem.NotFound, "auth.operatorIn", "There is no such project.")
	id, err := tenant.ParseID(named)
	if err != nil {
		return tenant.Scope{}, unknown
	}
	sc := scope.Mint(scope.Grant{Project: id, Credential: p.ID, Kind: scope.Operator, Role: scope.Owner, Can: scope.All})
	if g.witness == nil || g.sites == nil {
		return tenant.Scope{}, forbidden()
	}
	if _, err := g.sites.Site(ctx, sc); problem.Is(err, problem.NotFound) {
		return tenant.Scope{}, unknown
	} else if err != nil {
		return tenant.Scope{}, err
	}
	return sc, nil
}
