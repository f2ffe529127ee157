package isolationtest_test

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"

	"switchboard/shared/attack"
	"switchboard/shared/tenant/auth"
)

// classes are the attack classes that apply to what there is today, by their numbers
// in the list of thirty. What is missing needs things that do not exist yet: lists of
// ids, tools, files, webhooks, exports.
func classes() []class {
	return []class{
		{1, "a tenant named in path, query, body or header", tenantNamed},
		{2, "a foreign id, directly", foreignID},
		{3, "a foreign id, nested or saved", nestedID},
		{5, "delimiters: where one part ends and the next begins", mutated(delimiters)},
		{6, "names that are prefixes, and wildcards", mutated(wildcards)},
		{7, "Unicode variants of an id", mutated(attack.Unicodes)},
		{8, "JSON that two parsers read differently", jsonDifferentials},
		{9, "HTTP that two parsers read differently", httpDifferentials},
		{10, "cursors edited, and replayed by others and elsewhere", cursors},
		{11, "forged tokens, and one kind of credential for another", forgeries},
		{12, "revoked and suspended", shutOut},
		{13, "credentials that share a prefix or are cut", truncations},
		{16, "going on with a foreign conversation", resumes},
		{23, "routes of administration and debugging", backDoors},
		{25, "one idempotency key in two tenants, of two visitors", sameKey},
		{29, "origins of a widget", origins},
		{30, "headers that claim an internal identity", spoofs},
	}
}

// always makes the one attempt, each time anew.
func always(a func() *attempt) maker { return func(*rand.Rand) *attempt { return a() } }

// tenantNamed is class 1.
func tenantNamed(w *world, i *identity, rt *auth.Route) (out []maker) {
	names := []string{"project", "project_id", "tenant", "tenant_id", "org", "company", "account_id", "x-tenant"}
	headers := []string{"X-Tenant-Id", "X-Project-Id", "Project", "Tenant", "X-Org", "OpenAI-Project", "OpenAI-Organization", "X-Amz-Tenant-Id", "X-Scope-OrgID"}
	for _, name := range names {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := w.ask(i, rt, nil)
			a.target += "?" + name + "=" + attack.Pick(rng, everyone)
			return a
		})
	}
	for _, name := range headers {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := w.ask(i, rt, nil)
			a.header = []string{name, attack.Pick(rng, everyone)}
			return a
		})
	}
	out = append(out, func(rng *rand.Rand) *attempt {
		a := w.ask(i, rt, nil)
		a.route, a.must, a.target = nil, true, "/"+attack.Pick(rng, everyone)+a.target
		return a
	})
	if !strings.HasPrefix(i.name, "op") {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := w.ask(i, rt, nil)
			a.header = []string{"Act-As", attack.Pick(rng, everyone), "Act-As-Reason", "because I would like to"}
			return a
		})
	} else if !rt.Admin && !rt.Public {
		out = append(out, func(rng *rand.Rand) *attempt { // twice, or without a reason
			a := w.ask(i, rt, nil)
			a.must, a.header = true, []string{"Act-As", attack.Pick(rng, everyone)}
			return a
		})
	}
	if rt.Body != nil {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := w.ask(i, rt, nil)
			a.must, a.body = true, `{"`+attack.Pick(rng, names)+`":"`+attack.Pick(rng, everyone)+`",`+a.body[1:]
			return a
		})
	}
	return out
}

// foreignID is class 2: every field with everything that is another's. Beside each
// attempt stands one with what nobody has, and is to be answered alike.
func foreignID(w *world, i *identity, rt *auth.Route) (out []maker) {
	for _, f := range rt.IDs {
		d := domainOf(rt.Pattern, f)
		values := w.foreign(i, d)
		must := len(values) > 0
		if !must { // all such are theirs, or they have nothing here: refused as nobody is
			values = w.foreign(w.by["ada(neighbour)"], d)
		}
		for _, v := range values {
			out = append(out, always(func() *attempt {
				a := w.ask(i, rt, map[string]string{f: v})
				a.field, a.must, a.note = f, must, string(d)+" of another's"
				if must {
					a.twin = w.ask(i, rt, map[string]string{f: unknown(d)})
				}
				return a
			}))
		}
	}
	return out
}

// nestedID is class 3.
func nestedID(w *world, i *identity, rt *auth.Route) (out []maker) {
	stolen := func(rng *rand.Rand) string { return attack.Pick(rng, w.foreign(i, aConversation)) }
	switch rt.Pattern {
	case "POST /v1/chat":
		for _, v := range w.victims { // a conversation of their own company's, with another person's name
			if v.person != "" && w.reads(i, v.project, v.person) && i.person == "" {
				out = append(out, always(func() *attempt {
					a := w.ask(i, rt, map[string]string{"conversation_id": v.id, "user.id": "somebody-else"})
					a.must = true
					return a
				}))
			}
		}
		out = append(out, func(rng *rand.Rand) *attempt { // the refusal under a key is no way in either
			a := w.ask(i, rt, map[string]string{"conversation_id": stolen(rng)})
			a.must, a.header = true, []string{"Idempotency-Key", "saved-" + i.name}
			w.send(a)
			return a
		}, func(rng *rand.Rand) *attempt {
			a := w.ask(i, rt, map[string]string{"assistant": "website", "conversation_id": stolen(rng), "user.id": w.own(i, aPerson)})
			a.must = true
			return a
		})
	case "POST /v1/chat/completions":
		out = append(out, func(rng *rand.Rand) *attempt {
			a, id := w.ask(i, rt, nil), stolen(rng)
			a.body = `{"metadata":{"conversation_id":"` + id + `","project":"` + beta + `"},"prompt_cache_key":"` + id + `",` + a.body[1:]
			return a
		}, func(rng *rand.Rand) *attempt {
			a := w.ask(i, rt, nil)
			a.must, a.body = true, `{"conversation_id":"`+stolen(rng)+`",`+a.body[1:]
			return a
		})
	case "GET /v1/conversations/{id}":
		out = append(out, func(rng *rand.Rand) *attempt {
			a, id := w.ask(i, rt, nil), stolen(rng)
			a.target += "?" + attack.Pick(rng, []string{"id", "conversation_id", "parent", "after"}) + "=" + id
			return a
		}, func(rng *rand.Rand) *attempt {
			a := w.ask(i, rt, nil)
			a.must = true
			a.target += "?cursor=" + stolen(rng)
			return a
		})
	}
	return out
}

// mutated makes a class that spells ids in another way: foreign ones and own ones, in
// every field. None of them may open what is another's.
func mutated(spell func(rng *rand.Rand, own, foreign string) string) func(*world, *identity, *auth.Route) []maker {
	return func(w *world, i *identity, rt *auth.Route) (out []maker) {
		for _, f := range rt.IDs {
			d := domainOf(rt.Pattern, f)
			for range 3 {
				out = append(out, func(rng *rand.Rand) *attempt {
					values := w.foreign(i, d)
					if len(values) == 0 {
						values = []string{unknown(d)}
					}
					text := spell(rng, w.own(i, d), attack.Pick(rng, values))
					if text == "" { // which is as good as not said
						text = "-"
					}
					a := w.ask(i, rt, map[string]string{f: text})
					// A person's name is free text, and a visitor's own a claim.
					a.field, a.must = f, d != aPerson && d != aVisitor
					a.must = a.must && !ownAgain(w, i, rt, f, a)
					return a
				})
			}
		}
		return out
	}
}

// ownAgain reports whether the spelling came out as the caller's own id.
func ownAgain(w *world, i *identity, rt *auth.Route, f string, a *attempt) bool {
	b := w.ask(i, rt, map[string]string{f: w.own(i, domainOf(rt.Pattern, f))})
	return b.target == a.target && b.body == a.body
}

func delimiters(rng *rand.Rand, own, foreign string) string {
	return attack.Delimiters(rng, own, foreign, attack.Pick(rng, []string{alpha, beta}))
}

func wildcards(rng *rand.Rand, own, foreign string) string {
	return attack.Wildcards(rng, own, foreign, beta)
}

// resumes is class 16: a stream, and what clients send who were cut off.
func resumes(w *world, i *identity, rt *auth.Route) (out []maker) {
	if !slices.Contains(rt.IDs, "conversation_id") {
		return nil
	}
	for _, id := range w.foreign(i, aConversation) {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := w.ask(i, rt, map[string]string{"conversation_id": id})
			a.must, a.body = true, `{"stream":true,`+a.body[1:]
			a.header = [][]string{{"Last-Event-Id", "1"}, {"Accept", "text/event-stream"}, {"Idempotency-Key", "resume-" + i.name}, {"Range", "bytes=0-"}}[rng.IntN(4)]
			return a
		}, func(rng *rand.Rand) *attempt {
			a := w.ask(i, rt, map[string]string{"conversation_id": id})
			a.route, a.must, a.method = nil, true, "GET"
			a.target = "/v1/conversations/" + url.PathEscape(id) + attack.Pick(rng, []string{"/stream/", "/messages", "/feedback", "/handoff", "/stream/" + id})
			a.body = ""
			return a
		})
	}
	return out
}
