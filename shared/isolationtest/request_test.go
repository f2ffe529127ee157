package isolationtest_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"switchboard/shared/attack"
	"switchboard/shared/tenant/auth"
)

// attempt is one request of somebody's, and what has to become of it.
type attempt struct {
	who    *identity
	route  *auth.Route // nil: what nobody serves
	field  string      // the field that is attacked; "" = none
	method string
	target string // path and query, escaped
	body   string
	header []string // added to the identity's
	key    *string  // shown in place of the identity's
	bare   bool     // without the identity's headers
	host   string

	must  bool     // it has to be refused; else it may be served with the caller's own
	twin  *attempt // asks for what nobody has: its answer has to be the same
	note  string
	check func(response) string // what else has to hold; "" = it does
}

// request is what a server would have read off the wire.
func (a *attempt) request(ctx context.Context) (*http.Request, error) {
	u, err := url.ParseRequestURI(a.target)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, a.method, "http://switchboard.example/", strings.NewReader(a.body))
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host = "", ""
	r.URL, r.RequestURI = u, a.target
	if a.host != "" {
		r.Host = a.host
	}
	if a.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Request-Id", "one-for-all") // so that answers can be compared whole
	key := a.who.key
	if a.key != nil {
		key = *a.key
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	pairs := a.header
	if !a.bare {
		pairs = slices.Concat(a.who.header, a.header)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		name := http.CanonicalHeaderKey(pairs[i])
		r.Header[name] = append(r.Header[name], pairs[i+1])
	}
	return r, nil
}

// domain is what a field names.
type domain string

const (
	anAssistant    domain = "assistant"
	aConversation  domain = "conversation"
	aPerson        domain = "person"
	aVisitor       domain = "visitor"
	aProject       domain = "project"
	aKey           domain = "key"
	aDesk          domain = "assistant of the project of the path"
	aSpare         domain = "such an assistant that can be deleted"
	unknownConv           = "01JDCTS5QK8Z2V7M4N6P9R3T1C"
	unknownKey            = "0123456789abcdef"
	unknownPerson         = "nobody-of-that-name"
	unknownProject        = "no-such-project"
)

// domainOf says what the route's field names; "" = the matrix does not know.
func domainOf(pattern, field string) domain {
	switch field {
	case "assistant", "model":
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
	case "{assistant}":
		if strings.HasPrefix(pattern, "DELETE") {
			return aSpare
		}
		return aDesk
	case "{id}":
		switch {
		case strings.Contains(pattern, "/conversations/"):
			return aConversation
		case strings.Contains(pattern, "/models/"):
			return anAssistant
		}
	}
	return ""
}

// bodies are what the routes that take a body are asked. A route that takes one and is
// not here fails the test.
func bodies() map[string]map[string]any {
	const question = "What does a visit cost?"
	return map[string]map[string]any{
		"POST /v1/chat":                             {"assistant": "website", "message": question},
		"POST /v1/chat/completions":                 {"model": "website", "messages": []any{map[string]any{"role": "user", "content": question}}},
		"POST /v1/widget/token":                     {"assistant": "website"},
		"POST /admin/v1/projects/{project}/suspend": {"reason": "unpaid"},
		"POST /admin/v1/projects/{project}/keys":    {"kind": "publishable"},

		"POST /admin/v1/projects":                                           {"id": "omega", "name": "Omega"},
		"PATCH /admin/v1/projects/{project}":                                {"locale": "de-DE"},
		"POST /admin/v1/projects/{project}/rollback":                        {"version": 1},
		"PUT /admin/v1/projects/{project}/files":                            {"files": map[string]any{"company.yaml": "name: Delta"}, "dry_run": true},
		"POST /admin/v1/projects/{project}/assistants":                      {"id": "fresh", "instructions": "You answer."},
		"PATCH /admin/v1/projects/{project}/assistants/{assistant}":         {"greeting": "Hello."},
		"POST /admin/v1/projects/{project}/assistants/{assistant}/rollback": {"version": 1},
	}
}

// own is the value with which the identity names what is theirs.
func (w *world) own(i *identity, d domain) string {
	switch d {
	case anAssistant:
		return "website"
	case aConversation:
		if i.conv == "" {
			return unknownConv
		}
		return i.conv
	case aPerson:
		if i.person != "" {
			return i.person
		}
		return "somebody"
	case aProject:
		return delta
	case aKey:
		return w.keys[delta]
	case aDesk:
		return "website"
	case aSpare:
		return "spare"
	}
	return "ada"
}

// unknown is what nobody has.
func unknown(d domain) string {
	return map[domain]string{anAssistant: "no-such-desk", aDesk: "no-such-desk", aSpare: "no-such-desk", aConversation: unknownConv, aPerson: unknownPerson, aVisitor: unknownVisitor, aProject: unknownProject, aKey: unknownKey}[d]
}

// unknownVisitor has the form of what we give out, and is none of it.
const unknownVisitor = "v_0123456789abcdefghjkmnpqrs_aaaaaaaaaaaaaaaaaaaaaaaa"

// foreign are values that name another's.
func (w *world) foreign(i *identity, d domain) (out []string) {
	switch d {
	case anAssistant:
		for _, p := range everyone {
			if p != i.project {
				out = append(out, word("desk", p))
			} else if i.person != "" {
				out = append(out, word("desk", p)) // the company's, and not the token's
			}
		}
	case aConversation:
		for _, v := range w.victims {
			if !w.reads(i, v.project, v.person) {
				out = append(out, v.id)
			}
		}
	case aPerson:
		if i.person != "" {
			out = []string{"visitor:~carol", word("user", alpha), word("user", beta), "visitor:~", "~" + i.person}
		}
	case aVisitor:
		out = []string{unknownVisitor, "v_", "v__", strings.ToUpper(unknownVisitor[:2]) + "\x7f"}
	case aProject:
		out = []string{"_directory"}
	case aDesk, aSpare:
		for _, p := range everyone {
			if p != delta {
				out = append(out, word("desk", p))
			}
		}
	case aKey:
		out = []string{w.keys[alpha], w.keys[beta], w.keys[gamma], w.keys[near]}
	}
	return out
}

// reads reports whether the identity may have what is a person's in a project, or
// (person "") the company's own.
func (w *world) reads(i *identity, project, person string) bool {
	switch i.name {
	case "sk", "viewer", "sk(neighbour)", "sk(near)", "op(acts)":
		return project == i.project
	}
	return person != "" && person == i.person && project == i.project && !strings.HasPrefix(i.name, "visitor(")
}

// ask makes a request of the route with these ids, and the identity's own for the rest.
func (w *world) ask(i *identity, rt *auth.Route, ids map[string]string) *attempt {
	method, path, _ := strings.Cut(rt.Pattern, " ")
	if rt.Public {
		path = strings.NewReplacer("{project}", alpha, "{file}", "demo.js").Replace(path)
	}
	a := &attempt{who: i, route: rt, method: method, target: path}
	body, has := bodies()[rt.Pattern]
	for _, f := range rt.IDs {
		v, given := ids[f]
		switch {
		case strings.HasPrefix(f, "{"):
			if !given {
				v = w.own(i, domainOf(rt.Pattern, f))
			}
			a.target = strings.ReplaceAll(a.target, f, url.PathEscape(v))
		case given:
			attack.Set(body, f, v)
		}
	}
	if has {
		text, err := json.Marshal(body, json.Deterministic(true))
		if err != nil { // not UTF-8: as it is, so that the server sees it
			text = []byte(attack.Loose(body))
		}
		a.body = string(text)
	}
	return a
}
