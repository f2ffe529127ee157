package prove

import "strings"

// Route is a door of the server, as the server declares it.
type Route struct {
	Pattern string   // as of net/http: "POST /v1/chat"
	Kinds   []string // of the credentials that it lets in
	Role    string   // that a secret key must at least have: viewer, editor, admin or owner; "" = any
	IDs     []string // fields by which a request names data; wildcards are in braces
	Body    bool     // it takes one
	Public  bool
	Admin   bool // the operator's
}

// writes reports whether a request of the route changes something.
func (r *Route) writes() bool { return !strings.HasPrefix(r.Pattern, "GET ") }

// turns reports whether a request of the route has a model asked.
func (r *Route) turns() bool { return strings.HasPrefix(r.Pattern, "POST /v1/chat") }

// domain is what a field names.
type domain string

const (
	anAssistant   domain = "assistant"
	aConversation domain = "conversation"
	aPerson       domain = "person"
	aVisitor      domain = "visitor"
	aProject      domain = "project"
	aKey          domain = "key"
)

// domainOf says what the route's field names; "" = this package does not know.
func domainOf(pattern, field string) domain {
	switch field {
	case "assistant", "model", "{assistant}":
		return anAssistant
	case "conversation_id":
		return aConversation
	case "user.id", "user", "{user}":
		return aPerson
	case "visitor_id":
		return aVisitor
	case "{project}":
		return aProject
	case "{key}":
		return aKey
	case "{id}", "id":
		switch {
		case strings.Contains(pattern, "/conversations/"):
			return aConversation
		case strings.Contains(pattern, "/models/"), strings.HasSuffix(pattern, "/assistants"):
			return anAssistant
		case strings.HasSuffix(pattern, "/projects"):
			return aProject
		}
	}
	return ""
}

// question is what is asked of assistants: short, since it may be a model that is paid.
const question = "What does a visit cost?"

// bodyOf is what the route is asked with, made anew; ok is false for a route that takes
// a body and is not known here.
func bodyOf(pattern string) (body map[string]any, ok bool) {
	const project = "/admin/v1/projects/{project}"
	switch pattern {
	case "POST /v1/chat":
		return map[string]any{"message": question}, true
	case "POST /v1/chat/completions":
		return map[string]any{"messages": []any{map[string]any{"role": "user", "content": question}}}, true
	case "POST /v1/widget/token":
		return map[string]any{}, true
	case "POST /admin/v1/projects":
		return map[string]any{"name": "Canary"}, true
	case "PATCH " + project:
		return map[string]any{"name": "Canary"}, true
	case "POST " + project + "/suspend":
		return map[string]any{"reason": "an attack of switchboard prove"}, true
	case "POST " + project + "/keys":
		return map[string]any{"kind": "publishable", "name": keyName}, true
	case "PUT " + project + "/files":
		return map[string]any{"hashes": map[string]any{}, "files": map[string]any{}, "dry_run": true}, true
	case "POST " + project + "/assistants":
		return map[string]any{"name": "Desk"}, true
	case "PATCH " + project + "/assistants/{assistant}":
		return map[string]any{"name": "Desk"}, true
	case "POST " + project + "/rollback", "POST " + project + "/assistants/{assistant}/rollback":
		return map[string]any{"version": 1}, true
	}
	return nil, false
}

// Unknown says what of the route this package cannot attack, for it does not know what
// to ask; "" = nothing. A new route is one more line of bodyOf or domainOf.
func Unknown(r Route) string {
	if _, ok := bodyOf(r.Pattern); r.Body && !ok {
		return "its body"
	}
	for _, f := range r.IDs {
		if domainOf(r.Pattern, f) == "" {
			return "what its field " + f + " names"
		}
	}
	return ""
}
