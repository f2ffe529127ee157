package auth

import (
	"context"
	"net/http"
)

// Operator is the platform's owner, at work on the platform itself. It is no Scope and
// opens no company's data. The zero Operator is nobody; only [Admin] hands one out.
type Operator struct{ key string }

// Actor names the operator in records: the id of the key.
func (o Operator) Actor() string { return o.key }

// Valid reports whether o came from a credential.
func (o Operator) Valid() bool { return o.key != "" }

// Admin makes a route for operator keys alone, under /admin/.
func Admin[In, Out any](pattern string, fn func(context.Context, Operator, *Request[In]) (Out, error)) Route {
	allow := Allow{Kinds: []Kind{OperatorKey}}
	return Route{Pattern: pattern, Allow: allow, Admin: true, serve: func(g *Gate, w http.ResponseWriter, r *http.Request) error {
		p, err := g.authenticate(r.Context(), r.Header)
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
		v, err := fn(r.Context(), Operator{p.ID}, in)
		if err != nil {
			return err
		}
		return (&Reply{w: w}).JSON(v)
	}}
}
