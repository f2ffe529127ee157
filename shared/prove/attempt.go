package prove

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"switchboard/shared/attack"
)

// attempt is one request of somebody's, and what has to become of it.
type attempt struct {
	who    *identity
	route  *Route // nil: what nobody serves
	field  string // the field that is attacked; "" = none
	method string
	target string // path and query, escaped
	body   string
	header []string // pairs, added to the identity's
	key    *string  // shown in place of the identity's
	bare   bool     // without the identity's headers
	host   string   // in place of the server's

	must  bool              // it has to be refused; else it may be served with the caller's own
	twins []*attempt        // ask for what nobody has: the answers have to be the same
	check func(answer) fate // what else has to hold

	before func(context.Context) // what has to come before it; nil = nothing
}

// fate is what became of an attempt.
type fate struct {
	wrong  string // why isolation does not hold here; "" = it does
	hollow string // why the attempt proves nothing; "" = it does
}

// said is everything that the request itself says.
func (a *attempt) said() string {
	key := a.who.key
	if a.key != nil {
		key = *a.key
	}
	return strings.Join(append(slices.Concat(a.who.header, a.header), key, a.target, a.body), "\n")
}

// Ids of the right form that nobody has; two of each, to learn what of an answer changes
// by itself.
func unknown(d domain) [2]string {
	switch d {
	case anAssistant:
		return [2]string{"no-such-desk", "not-such-desk"}
	case aConversation:
		return [2]string{"01JDCTS5QK8Z2V7M4N6P9R3T1C", "01JDCTS5QK8Z2V7M4N6P9R3T1D"}
	case aKey:
		return [2]string{"0123456789abcdef", "0123456789abcdeg"}
	case aProject:
		return [2]string{"no-such-project-0", "no-such-project-1"}
	case aVisitor:
		return [2]string{"v_0123456789abcdefghjkmnpqrs_aaaaaaaaaaaaaaaaaaaaaaaa", "v_0123456789abcdefghjkmnpqrt_aaaaaaaaaaaaaaaaaaaaaaaa"}
	}
	return [2]string{"nobody-of-that-name", "nobody-of-this-name"}
}

// own is the value with which the identity names what is theirs. What the operator's
// routes are asked about is always a canary, never the proven company: an attack that
// succeeds must not hurt it.
func (m *matrix) own(i *identity, pattern, field string) string {
	switch domainOf(pattern, field) {
	case anAssistant:
		if strings.Contains(pattern, "/admin/") {
			return m.near.assistant
		}
		return m.home(i).assistant
	case aConversation:
		if i.conv == "" {
			return unknown(aConversation)[0]
		}
		return i.conv
	case aPerson:
		if i.visitor != "" {
			return i.visitor
		}
		return m.home(i).user // whose the company's own conversation is
	case aVisitor:
		return "somebody"
	case aProject:
		if field == "id" { // of one to be made
			return m.near.project + "-x"
		}
		return m.near.project
	case aKey:
		return m.near.keyID
	}
	return "-"
}

// home is the company whose the identity is; of nobody's, a canary.
func (m *matrix) home(i *identity) *side {
	if i.of != nil {
		return i.of
	}
	return m.canary
}

// foreign are values that name what is another's.
func (m *matrix) foreign(i *identity, rt *Route, field string) (out []string) {
	switch domainOf(rt.Pattern, field) {
	case anAssistant:
		for _, s := range m.sides() {
			if s != i.of || rt.Admin {
				out = append(out, s.assistant)
			}
		}
	case aConversation:
		for _, c := range m.talks {
			if !m.reads(i, c.of, c.visitor) {
				out = append(out, c.id)
			}
		}
	case aPerson:
		if i.visitor != "" {
			out = []string{"visitor:~nobody", "visitor:~", "~" + i.visitor, m.canary.user, m.proven.user}
		}
	case aVisitor:
		out = []string{unknown(aVisitor)[0], "v_", "v__"}
	case aProject:
		out = []string{m.canary.project, "_directory"}
		if !rt.writes() {
			out = append(out, m.proven.project)
		}
	case aKey:
		out = []string{m.canary.keyID}
	}
	return out
}

// reads reports whether the identity may have what is a visitor's of a company, or
// (visitor "") the company's own.
func (m *matrix) reads(i *identity, of *side, visitor string) bool {
	if i.of == nil || i.of != of || i.dead || i.kind == "pk" {
		return false
	}
	return i.visitor == "" || i.visitor == visitor
}

// ask makes a request of the route with these ids, and the identity's own for the rest.
func (m *matrix) ask(i *identity, rt *Route, ids map[string]string) *attempt {
	method, path, _ := strings.Cut(rt.Pattern, " ")
	if rt.Public {
		path = strings.NewReplacer("{project}", m.proven.project, "{file}", "demo.js").Replace(path)
	}
	a := &attempt{who: i, route: rt, method: method, target: path}
	body, _ := bodyOf(rt.Pattern)
	for _, f := range rt.IDs {
		v, given := ids[f]
		needed := f == "assistant" || f == "model" || f == "id"
		if !given && (needed || strings.HasPrefix(f, "{")) {
			v = m.own(i, rt.Pattern, f)
		}
		switch {
		case strings.HasPrefix(f, "{"):
			a.target = strings.ReplaceAll(a.target, f, url.PathEscape(v))
		case given || needed:
			attack.Set(body, f, v)
		}
	}
	if body != nil {
		text, err := json.Marshal(body, json.Deterministic(true))
		if err != nil { // not UTF-8: as it is, so that the server sees it
			text = []byte(attack.Loose(body))
		}
		a.body = string(text)
	}
	return a
}

// whole is a request of the route in which the identity names all that is theirs: what
// it is served shows that who is refused was not refused for another reason.
func (m *matrix) whole(i *identity, rt *Route) *attempt {
	ids := map[string]string{}
	for _, f := range rt.IDs {
		if domainOf(rt.Pattern, f) != aVisitor || i.kind == "pk" {
			ids[f] = m.own(i, rt.Pattern, f)
		}
	}
	return m.ask(i, rt, ids)
}
