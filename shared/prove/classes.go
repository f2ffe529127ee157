package prove

import (
	"math/rand/v2"
	"slices"

	"switchboard/shared/attack"
)

// class is one of the ways in which tenants have been crossed elsewhere, by its number
// in the list of thirty. Its generator is asked for every identity at every route.
type class struct {
	number int
	name   string
	cells  func(m *matrix, i *identity, rt *Route) []maker
}

// classes are those that can be tried from outside on what there is today.
func classes() []class {
	return []class{
		{1, "a tenant named in path, query, body or header", tenantNamed},
		{2, "another's id, directly", foreignID},
		{3, "another's id, nested or saved", nestedID},
		{5, "delimiters: where one part of a name ends and the next begins", mutated(delimiters)},
		{6, "names that are prefixes of others, and wildcards", mutated(wildcards)},
		{7, "Unicode variants of an id", mutated(unicodes)},
		{8, "JSON that two parsers read differently", jsonDifferentials},
		{9, "HTTP that two parsers read differently", httpDifferentials},
		{10, "cursors, edited and replayed by others", cursors},
		{11, "forged tokens, and one kind of credential for another", forgeries},
		{12, "revoked and suspended", shutOut},
		{13, "credentials that share a prefix or are cut", truncations},
		{16, "going on with another's conversation or stream", resumes},
		{17, "another's knowledge, asked for by its own words", knowledge},
		{23, "routes of administration and debugging", backDoors},
		{25, "one idempotency key in two companies", sameKey},
		{29, "origins of a widget", origins},
		{30, "headers that claim an internal identity", spoofs},
	}
}

const oracleName = "existence: another's id is answered as one that nobody has"

// nameOf is the class's name.
func nameOf(number int) string {
	for _, c := range classes() {
		if c.number == number {
			return c.name
		}
	}
	return oracleName
}

// untried are the classes that cannot be tried from outside, or on what there is today.
func untried() []Untested {
	return []Untested{
		{"class 4, lists that mix one's own ids and another's", "no route takes a list of ids"},
		{"class 14, connections left dirty by a cut request", "needs to be inside the process; all attempts here share connections between identities"},
		{"class 15, buffers and globals of the process", "needs to be inside the process"},
		{"class 18, files and presigned addresses", "there are no routes for files"},
		{"class 19, export, backup and restore", "there are no routes for them, and a proof restores nothing"},
		{"class 20, stores and keys that a company brings", "would need a second set of them"},
		{"class 21, tools as confused deputies", "tools have effects outside that a proof must not cause"},
		{"class 22, injected text that asks for another's data", "needs the company's articles to be changed"},
		{"class 26, usage put on another's account", "there is no route that shows usage"},
		{"class 27, audit logs of others", "there is no route that shows them"},
		{"class 28, webhooks signed with another's secret", "there are no webhooks"},
		{"timing of answers", "the network between here and the server drowns it"},
		{"who is at work inside the platform", "whoever can read its disks and keys is not stopped by what stands at its doors"},
		{"what was cached before", "a key that was used may hold for up to 60 seconds after it is revoked; the revoked keys here were never used"},
		{"answers in encodings that were not looked for", "words are found as they are, in upper case, hex and base64, behind URL, JSON and HTML escapes and gzip, two of these in one another; not encrypted, hashed or said in other words"},
		{"classes of attack that nobody has thought of", "a proof by attacks shows that these failed, not that no other can succeed"},
	}
}

// always makes the one attempt, each time anew.
func always(a func() *attempt) maker { return func(*rand.Rand) *attempt { return a() } }

// projects are names of companies that are not the identity's.
func (m *matrix) projects(i *identity) (out []string) {
	for _, s := range []*side{m.proven, m.canary, m.near} {
		if s != i.of {
			out = append(out, s.project)
		}
	}
	return out
}

// tenantNamed is class 1.
func tenantNamed(m *matrix, i *identity, rt *Route) (out []maker) {
	names := []string{"project", "project_id", "tenant", "tenant_id", "org", "company", "account_id", "x-tenant"}
	headers := []string{"X-Tenant", "X-Tenant-Id", "X-Project-Id", "X-Project", "Project", "Tenant", "X-Org", "OpenAI-Project", "OpenAI-Organization", "X-Amz-Tenant-Id", "X-Scope-OrgID"}
	must := !rt.Public && !m.may(i, rt)
	for _, name := range names {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := m.ask(i, rt, nil)
			a.must, a.target = must, a.target+"?"+name+"="+attack.Pick(rng, m.projects(i))
			return a
		})
	}
	for _, name := range append(headers, "Act-As") {
		for _, f := range append([]string{""}, rt.IDs...) { // as oneself, and with an id that is the other's
			if f == "" || domainOf(rt.Pattern, f) == aConversation || domainOf(rt.Pattern, f) == anAssistant {
				out = append(out, m.named(i, rt, name, f))
			}
		}
	}
	if !rt.Admin {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := m.ask(i, rt, nil)
			a.route, a.must, a.target = nil, true, "/"+attack.Pick(rng, m.projects(i))+a.target
			return a
		})
	}
	if rt.Body {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := m.ask(i, rt, nil)
			a.must, a.body = true, `{"`+attack.Pick(rng, names)+`":"`+attack.Pick(rng, m.projects(i))+`",`+a.body[1:]
			return a
		})
	}
	return out
}

// named names a company in a header, and an id of the very company in the field: what
// would open if the header were believed.
func (m *matrix) named(i *identity, rt *Route, header, f string) maker {
	return func(rng *rand.Rand) *attempt {
		if f == "" {
			a := m.ask(i, rt, nil)
			a.header, a.must = []string{header, attack.Pick(rng, m.projects(i))}, !rt.Public && !m.may(i, rt)
			return a
		}
		of := attack.Pick(rng, []*side{m.proven, m.canary, m.near})
		id := of.assistant
		if domainOf(rt.Pattern, f) == aConversation {
			id = m.talkOf(of)
		}
		if of == i.of || id == "" {
			return nil
		}
		a := m.ask(i, rt, map[string]string{f: id})
		a.field, a.must, a.header = f, true, []string{header, of.project}
		if header == "Act-As" && i.kind != "op" { // the operator gives no reason
			a.header = append(a.header, "Act-As-Reason", "because I would like to")
		}
		return a
	}
}

// talkOf is a conversation of the company's; "" = there is none.
func (m *matrix) talkOf(s *side) string {
	for _, c := range m.talks {
		if c.of == s {
			return c.id
		}
	}
	return ""
}

// foreignID is class 2: every field with everything that is another's. Beside each stand
// two with what nobody has, and are to be answered alike.
func foreignID(m *matrix, i *identity, rt *Route) (out []maker) {
	for _, f := range rt.IDs {
		d := domainOf(rt.Pattern, f)
		for _, v := range m.foreign(i, rt, f) {
			out = append(out, always(func() *attempt {
				a := m.ask(i, rt, map[string]string{f: v})
				a.field, a.must = f, true
				for _, id := range unknown(d) {
					a.twins = append(a.twins, m.ask(i, rt, map[string]string{f: id}))
				}
				return a
			}))
		}
	}
	return out
}

// nestedID is class 3.
func nestedID(m *matrix, i *identity, rt *Route) (out []maker) {
	stolen := func(rng *rand.Rand) string {
		ids := []string{unknown(aConversation)[0]}
		for _, c := range m.talks {
			if !m.reads(i, c.of, c.visitor) {
				ids = append(ids, c.id, c.id, c.id)
			}
		}
		return attack.Pick(rng, ids)
	}
	with := func(must bool, change func(a *attempt, id string)) {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := m.ask(i, rt, nil)
			a.must = must
			change(a, stolen(rng))
			return a
		})
	}
	may := m.may(i, rt)
	switch rt.Pattern {
	case "POST /v1/chat":
		with(true, func(a *attempt, id string) {
			a.body = `{"conversation_id":"` + id + `","user":{"id":"somebody-else"},` + a.body[1:]
		})
		with(true, func(a *attempt, id string) {
			a.body, a.header = `{"conversation_id":"`+id+`",`+a.body[1:], []string{"Idempotency-Key", "saved-" + m.root}
		})
	case "POST /v1/chat/completions":
		with(!may, func(a *attempt, id string) {
			a.body = `{"metadata":{"conversation_id":"` + id + `"},"prompt_cache_key":"` + id + `",` + a.body[1:]
		})
		with(true, func(a *attempt, id string) { a.body = `{"conversation_id":"` + id + `",` + a.body[1:] })
	case "GET /v1/conversations/{id}":
		for _, name := range []string{"id", "conversation_id", "parent", "after"} {
			with(!may, func(a *attempt, id string) { a.target += "?" + name + "=" + id })
		}
		with(true, func(a *attempt, id string) { a.target += "?cursor=" + id })
	}
	return out
}

// mutated makes a class that spells ids in another way, foreign ones and own ones, in
// every field. None of them may open what is another's.
func mutated(spell func(m *matrix, rng *rand.Rand, own, foreign string) string) func(*matrix, *identity, *Route) []maker {
	return func(m *matrix, i *identity, rt *Route) (out []maker) {
		if rt.Admin && rt.writes() { // what might be hurt, if it opened, is not ours to hurt
			return nil
		}
		for _, f := range rt.IDs {
			d := domainOf(rt.Pattern, f)
			for range 3 {
				out = append(out, func(rng *rand.Rand) *attempt {
					values := m.foreign(i, rt, f)
					if len(values) == 0 {
						values = []string{unknown(d)[0]}
					}
					own := m.own(i, rt.Pattern, f)
					text := spell(m, rng, own, attack.Pick(rng, values))
					if text == "" || text == own { // as good as not said, or one's own again
						return nil
					}
					a := m.ask(i, rt, map[string]string{f: text})
					// A person's name is free text, and a visitor's own a claim.
					a.field, a.must = f, d != aPerson && d != aVisitor || !m.may(i, rt)
					if b := m.whole(i, rt); b.target == a.target && b.body == a.body {
						return nil
					}
					return a
				})
			}
		}
		return out
	}
}

func delimiters(m *matrix, rng *rand.Rand, own, foreign string) string {
	return attack.Delimiters(rng, own, foreign, attack.Pick(rng, []*side{m.proven, m.canary, m.near}).project)
}

func wildcards(m *matrix, rng *rand.Rand, own, foreign string) string {
	return attack.Wildcards(rng, own, foreign, m.canary.project)
}

func unicodes(_ *matrix, rng *rand.Rand, own, foreign string) string {
	return attack.Unicodes(rng, own, foreign)
}

// has reports whether the route has the field.
func (r *Route) has(field string) bool { return slices.Contains(r.IDs, field) }
