package prove

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// place names somebody at a route; nobody's name is anybody.
func place(rt *Route, who string) string { return rt.Pattern + " " + who }

// may reports whether the identity is to be served at the route, with what is its own.
func (m *matrix) may(i *identity, rt *Route) bool {
	if rt.Public {
		return true
	}
	if rt.Admin || i.kind == "op" {
		return rt.Admin && i.kind == "op"
	}
	enough := !i.viewer || rt.Role == "" || rt.Role == "viewer"
	return !i.dead && slices.Contains(rt.Kinds, i.kind) && (i.kind != "sk" || enough)
}

// judge says what is wrong with an answer's status, and whether the attempt proves
// anything.
func (m *matrix) judge(a *attempt, r answer) fate {
	switch {
	case r.err != nil && r.status == 0:
		return fate{hollow: "no answer came"}
	case r.err != nil:
		return fate{hollow: "the answer could not be searched whole"}
	case r.status == http.StatusTooManyRequests:
		return fate{hollow: "the server took no more requests"}
	case r.status >= 500:
		return fate{hollow: fmt.Sprintf("the server failed with %d", r.status)}
	case r.status >= 400 && a.who.mute:
		return fate{hollow: a.who.name + " was seen to be served nowhere"}
	case r.status < 400 && a.must:
		return fate{wrong: fmt.Sprintf("served with %d what has to be refused", r.status)}
	case r.status < 400 && a.route != nil && !a.route.Public && !m.may(a.who, a.route):
		return fate{wrong: fmt.Sprintf("served with %d who may not ask", r.status)}
	case r.status < 400 || a.route == nil || a.route.Public:
	case !m.allowed[place(a.route, "")]:
		return fate{hollow: "nobody was seen to be served at " + a.route.Pattern}
	case m.may(a.who, a.route) && !m.allowed[place(a.route, a.who.name)]:
		return fate{hollow: a.who.name + " was not served its own at " + a.route.Pattern}
	}
	return fate{}
}

// flat is everything that the answer says.
func (r answer) flat() []byte {
	all := slices.Clone(r.body)
	for _, name := range slices.Sorted(maps.Keys(r.header)) {
		all = append(all, "\n"+name+": "+strings.Join(r.header[name], ",")...)
	}
	return all
}

// leak names what is in the answer and is not the caller's; "" = nothing.
func (m *matrix) leak(a *attempt, r answer) string {
	all, said := r.flat(), a.said()
	for _, w := range m.scan.Find(all) {
		if !m.owns(a, w) && !strings.Contains(said, w.text) { // what they said themselves tells them nothing
			return fmt.Sprintf("a word of %s of %s is in the answer", w.what, whose(w.of, w.visitor))
		}
	}
	if m.secrets.in(all, said) {
		return "a credential is in the answer"
	}
	for _, c := range m.talks {
		if bytes.Contains(all, []byte(c.id)) && !m.reads(a.who, c.of, c.visitor) && !strings.Contains(said, c.id) {
			return "the id of a conversation of " + whose(c.of, c.visitor) + " is in the answer"
		}
	}
	return ""
}

func whose(of *side, visitor string) string {
	if visitor != "" {
		return "a visitor of " + of.label
	}
	return of.label
}

// owns reports whether the word may be in what the attempt's identity is answered.
func (m *matrix) owns(a *attempt, w word) bool {
	i := a.who
	switch {
	case a.route != nil && a.route.Public:
		return w.what == inName // the demo pages are the companies' shop windows
	case i.kind == "op":
		return a.route != nil && a.route.Admin && w.what != inTalk
	case w.what == inTalk || w.what == inUser:
		return m.reads(i, w.of, w.visitor)
	}
	return i.of == w.of && !i.dead
}

// same says how an answer to a foreign id differs from one to an id that nobody has; ""
// = not at all. Two of the latter show what changes from answer to answer by itself.
func same(foreign, unknown, another answer) string {
	noise := map[string]bool{"Date": true, "X-Request-Id": true}
	for _, name := range names(unknown, another) {
		if got, want := valueOf(unknown, name), valueOf(another, name); got != want {
			noise[name] = true
		}
	}
	if foreign.status != unknown.status {
		return fmt.Sprintf("a foreign id is answered %d, an unknown one %d", foreign.status, unknown.status)
	}
	if got, want := bodyText(foreign), bodyText(unknown); got != want {
		return fmt.Sprintf("the answer to a foreign id has another body (%d bytes) than the one to an unknown id (%d bytes)", len(got), len(want))
	}
	for _, name := range names(foreign, unknown) {
		if !noise[name] && valueOf(foreign, name) != valueOf(unknown, name) {
			return "the answer to a foreign id has another header " + name + " than the one to an unknown id"
		}
	}
	return ""
}

func names(a, b answer) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a.header)), maps.Keys(b.header))
	slices.Sort(all)
	return slices.Compact(all)
}

// valueOf and bodyText are what an answer says, less its request's id.
func valueOf(r answer, name string) string {
	if name == "Content-Length" {
		return fmt.Sprint(len(bodyText(r)))
	}
	return strings.Join(r.header.Values(name), "\n")
}

func bodyText(r answer) string {
	id := r.header.Get("X-Request-Id")
	if len(id) < 8 { // too short to be taken out of a text
		return string(r.body)
	}
	return strings.ReplaceAll(string(r.body), id, "*")
}
