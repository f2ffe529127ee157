package auth

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"

	"switchboard/shared/problem"
	"switchboard/shared/strictjson"
	"switchboard/shared/tenant"
)

// Allow declares who may use a route. The zero Allow lets nobody in.
type Allow struct {
	Kinds []Kind            // kinds of credential
	Can   tenant.Capability // what the credential must be able to do
	Role  tenant.Role       // what a key must at least be; a visitor has no role, and is held to their own data
}

func (a Allow) kind(k Kind) bool { return slices.Contains(a.Kinds, k) }

// Route is one door of the service: what it matches, whom it lets in, and what
// runs then. Routes are made by [JSON], [Stream] and [Public] alone.
type Route struct {
	Pattern string // as of net/http: "POST /v1/chat"
	Allow   Allow  // zero for a public route
	Public  bool
	Admin   bool // for operators, and no company's
	// IDs are the fields by which a request names data: members of the body, query
	// parameters, and wildcards of the pattern in braces. What is asked with another's
	// in any of them is answered as with one that nobody has.
	IDs []string
	// OpenAI makes errors carry, beside the problem's members, the "error"
	// object that OpenAI's clients read.
	OpenAI bool
	// Body is what a request's body is decoded into; nil where none is read. It is there
	// for the test that every id in it is declared.
	Body reflect.Type

	serve func(g *Gate, w http.ResponseWriter, r *http.Request) error
}

// Request is what a handler may know of an HTTP request. There is no credential
// in it, and nothing that names a tenant.
type Request[In any] struct {
	Body           In
	ID             string // the request's id, for logs, problems and access records
	IdempotencyKey string // "" if none was sent

	path  func(string) string
	query url.Values
}

// Path returns the value of a wildcard in the route's pattern.
func (r *Request[In]) Path(name string) string { return r.path(name) }

// Query returns a query parameter, or "".
func (r *Request[In]) Query(name string) string { return r.query.Get(name) }

// PageSize returns the query parameter limit: 1 to 100, 50 if it is not there.
func (r *Request[In]) PageSize() (int, error) {
	s := r.Query("limit")
	if s == "" {
		return 50, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 100 {
		return 0, problem.Bad("auth.PageSize", "limit", "limit is a whole number from 1 to 100")
	}
	return n, nil
}

// None is the Body of a route without one.
type None struct{}

// JSON makes a route that answers once, with fn's result as JSON.
func JSON[In, Out any](pattern string, allow Allow, fn func(context.Context, tenant.Scope, *Request[In]) (Out, error)) Route {
	return route(pattern, allow, func(_ *Gate, ctx context.Context, sc tenant.Scope, _ principal, in *Request[In], out *Reply) error {
		v, err := fn(ctx, sc, in)
		if err != nil {
			return err
		}
		return out.JSON(v)
	})
}

// Stream makes a route whose handler answers through a [Reply], once or as
// server-sent events. Its ctx ends, with the reason as its cause, when what the
// request came with is revoked or suspended meanwhile.
func Stream[In any](pattern string, allow Allow, fn func(context.Context, tenant.Scope, *Request[In], *Reply) error) Route {
	return route(pattern, allow, func(g *Gate, ctx context.Context, sc tenant.Scope, p principal, in *Request[In], out *Reply) error {
		ctx, stop := g.watch(ctx, p)
		defer stop()
		return fn(ctx, sc, in, out)
	})
}

func route[In any](pattern string, allow Allow, fn func(*Gate, context.Context, tenant.Scope, principal, *Request[In], *Reply) error) Route {
	declared := allow
	allow.Kinds = slices.Clone(allow.Kinds) // what is enforced is nobody else's to change
	return Route{Pattern: pattern, Allow: declared, Body: bodyOf[In](), serve: func(g *Gate, w http.ResponseWriter, r *http.Request) error {
		// The credential first: until it holds, not a byte of the body is read.
		sc, p, err := g.admit(w, r, allow)
		if err != nil {
			return err
		}
		in, err := read[In](w, r, MaxRequestBody)
		if err != nil {
			return err
		}
		out := &Reply{w: w}
		defer out.Close()
		return fn(g, r.Context(), sc, p, in, out)
	}}
}

// bodyOf is In as a route's Body.
func bodyOf[In any]() reflect.Type {
	if t := reflect.TypeFor[In](); t != reflect.TypeFor[None]() {
		return t
	}
	return nil
}

// read reads what a handler may know of the request, whose body has at most most bytes.
func read[In any](w http.ResponseWriter, r *http.Request, most int64) (in *Request[In], err error) {
	in = &Request[In]{ID: w.Header().Get(requestIDHeader), path: r.PathValue}
	if in.query, err = queryOf(r.URL.RawQuery); err != nil {
		return nil, err
	}
	if in.IdempotencyKey, err = idempotencyKey(r.Header); err != nil {
		return nil, err
	}
	if _, none := any(in.Body).(None); none {
		return in, nil
	}
	body, err := readBody(w, r, most)
	if err != nil {
		return nil, err
	}
	return in, strictjson.Unmarshal(body, &in.Body)
}

// Names returns the route with the fields by which a request names data.
func (rt Route) Names(ids ...string) Route {
	rt.IDs = ids
	return rt
}

// Public makes a route for everybody: health, demo pages, the widget. It has no
// Scope, so it can reach no company's data.
func Public(pattern string, h http.Handler) Route {
	return Route{Pattern: pattern, Public: true, serve: func(_ *Gate, w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}}
}

// idempotencyKey returns the Idempotency-Key header: at most one, 1 to 255
// visible ASCII characters.
func idempotencyKey(h http.Header) (string, error) {
	const name = "Idempotency-Key"
	values := h.Values(name)
	if len(values) == 0 {
		return "", nil
	}
	bad := problem.Bad("auth.idempotencyKey", name, "%s is sent once and has 1 to 255 visible ASCII characters", name)
	if len(values) > 1 || !visible(values[0], 255) {
		return "", bad
	}
	return values[0], nil
}

// visible reports whether s is 1 to most visible ASCII characters.
func visible(s string, most int) bool {
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= most
}

// queryOf parses a query. One that two readers could read differently, because it
// is malformed or says something twice, is refused.
func queryOf(raw string) (url.Values, error) {
	const op = "auth.queryOf"
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, problem.Bad(op, "query", "the query is malformed")
	}
	for name, values := range q {
		if len(values) > 1 {
			return nil, problem.Bad(op, name, "a query parameter is sent once")
		}
	}
	return q, nil
}
