package auth

import (
	"net/http"
	"slices"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/internal/scope"
)

// tokenRequest is the body of POST /v1/widget/token.
type tokenRequest struct {
	Assistant string `json:"assistant"`
	Visitor   string `json:"visitor_id"` // from an earlier answer; "" = a new visitor
	Identity  string `json:"identity"`   // JWT of the company's own server; "" = none
}

// tokenAnswer is the answer to it.
type tokenAnswer struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires_at"`
	// Visitor is to be kept and sent with the next request: who has it is this visitor.
	Visitor string `json:"visitor_id,omitempty"`
}

// WidgetToken is the route that gives a visitor's browser its token: for a publishable
// key, from one of the company's origins; or for a token that still holds, from its
// own, and then for the same visitor.
//
// The page asks for it itself, not from within a frame, so the browser attaches the
// true origin and nobody's script can say another.
func WidgetToken() Route {
	const pattern = "POST /v1/widget/token"
	declared := Allow{Kinds: []Kind{Publishable, VisitorToken}, Can: scope.WidgetTokens}
	rt := Route{Pattern: pattern, Allow: declared, IDs: []string{"assistant", "visitor_id"}, Body: bodyOf[tokenRequest]()}
	rt.serve = func(g *Gate, w http.ResponseWriter, r *http.Request) error {
		sc, p, err := g.admit(w, r, declared)
		if err != nil {
			return err
		}
		if g.sites == nil {
			return forbidden()
		}
		site, err := g.sites.Site(r.Context(), sc)
		if err != nil {
			return err
		}
		origin := originOf(r.Header)
		if origin == "" || !slices.Contains(site.Origins, origin) {
			w.Header().Del("Access-Control-Allow-Origin")
			return wrongOrigin()
		}
		if p.visitor == nil {
			mayRead(w.Header(), origin)
		}
		in, err := read[tokenRequest](w, r, MaxRequestBody)
		if err != nil {
			return err
		}
		v, id, err := g.visit(r, sc, p, site, in.Body)
		if err != nil {
			return err
		}
		v.Origin = origin
		token, expires, err := g.tokens.issue(v, time.Now())
		if err != nil {
			return problem.Wrap(problem.Internal, "auth.WidgetToken", err)
		}
		return (&Reply{w: w}).JSON(tokenAnswer{token, expires.UTC(), id})
	}
	return rt
}

// visit says who the visitor is and which assistant they may talk to.
func (g *Gate) visit(r *http.Request, sc tenant.Scope, p principal, site Site, in tokenRequest) (v visitor, id string, err error) {
	const op = "auth.visit"
	if in.Assistant == "" {
		return v, "", problem.Bad(op, "assistant", `field "assistant" is needed: the id of one of your assistants`)
	}
	if !site.has(in.Assistant) {
		return v, "", problem.New(problem.NotFound, op, "There is no such assistant.")
	}
	if p.visitor != nil {
		return renewed(p.visitor, in, time.Now())
	}
	v.Project, v.Key, v.Assistant = sc.Project().String(), p.ID, in.Assistant
	if in.Identity != "" {
		v.Subject, err = g.identify(r.Context(), sc, in.Identity, site.Identity)
		v.Proven = true
	} else {
		if id = in.Visitor; id == "" {
			id = g.tokens.newVisitor()
		}
		var ok bool
		if v.Subject, v.Proven, ok = g.tokens.person(id); !ok {
			return v, "", problem.Bad(op, "visitor_id", `field "visitor_id" is one that an earlier answer gave, or 1 to 100 printable characters`)
		}
	}
	if err == nil {
		p.visitor = &v
		err = g.source.stands(r.Context(), p)
	}
	return v, id, err
}

// renewed is the next token of the same visitor, if it is not too late for one.
func renewed(old *visitor, in tokenRequest, now time.Time) (visitor, string, error) {
	const op = "auth.renewed"
	if in.Visitor != "" || in.Identity != "" {
		return visitor{}, "", problem.Bad(op, "visitor_id", "a token is renewed for its own visitor; ask with the publishable key for another")
	}
	if in.Assistant != old.Assistant {
		return visitor{}, "", problem.New(problem.NotFound, op, "There is no such assistant.")
	}
	if now.Sub(old.Since.Time) > tokenRenews {
		return visitor{}, "", unauthenticated()
	}
	next := visitor{Project: old.Project, Assistant: old.Assistant, Key: old.Key, Proven: old.Proven, Since: old.Since}
	next.Subject = old.Subject
	return next, "", nil
}

// NamesVisitor reports whether a request of the person may call them so: by the name
// in their scope, or by the id that their page gave them.
func NamesVisitor(person, id string) bool { return id == person || claimedPrefix+id == person }
