package prove

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"switchboard/shared/attack"
)

// member is the body's first member with an id.
func member(rt *Route) string {
	for _, f := range rt.IDs {
		if !strings.HasPrefix(f, "{") {
			return f
		}
	}
	if strings.HasSuffix(rt.Pattern, "/keys") {
		return "kind"
	}
	return "reason"
}

// jsonDifferentials is class 8.
func jsonDifferentials(m *matrix, i *identity, rt *Route) (out []maker) {
	if !rt.Body {
		return nil
	}
	f := member(rt)
	v := m.canary.assistant
	if i.of == m.canary {
		v = m.near.assistant
	}
	more := func(change func(rng *rand.Rand, body string) string) {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := m.ask(i, rt, nil)
			changed := change(rng, a.body)
			a.must, a.body = true, changed
			return a
		})
	}
	for _, change := range []func(b string) string{
		func(b string) string { return `{"` + f + `":"` + v + `",` + b[1:] + `,"` + f + `":"` + v + `"` },   // cut
		func(b string) string { return `{"` + f + `":"` + v + `","` + f + `":"` + v + `",` + b[1:] },        // twice, ours last
		func(b string) string { return b[:len(b)-1] + `,"` + f + `":"` + v + `","` + f + `":"` + v + `"}` }, // twice, theirs last
		func(b string) string {
			return `{"` + attack.Escaped(f) + `":"` + v + `","` + f + `":"` + v + `",` + b[1:]
		}, // twice, spelled apart
		func(b string) string { return `{"` + strings.ToUpper(f) + `":"` + v + `",` + b[1:] },                  // another case
		func(b string) string { return `{"` + strings.ToUpper(f[:1]) + f[1:] + `":"` + v + `",` + b[1:] },      // a little
		func(b string) string { return "\ufeff" + b },                                                          // a mark before it
		func(b string) string { return b + b },                                                                 // twice
		func(b string) string { return "/**/" + b },                                                            // a comment
		func(b string) string { return strings.Replace(b, ":", "\x00:", 1) },                                   // a NUL
		func(b string) string { return strings.Replace(b, `"`, "'", 2) },                                       // other quotes
		func(b string) string { return "[" + b + "]" },                                                         // a list
		func(b string) string { return attack.Typed(b, f, `["`+v+`"]`) },                                       // another type
		func(b string) string { return attack.Typed(b, f, strings.Repeat("[", 200)+strings.Repeat("]", 200)) }, // depth
	} {
		more(func(_ *rand.Rand, b string) string { return change(b) })
	}
	more(func(rng *rand.Rand, b string) string {
		return attack.Typed(b, f, attack.Pick(rng, []string{"1", "true", "[]", `{"id":"` + v + `"}`, "1e400", "-0", "[null]", `{"$ne":""}`, `{"__proto__":"x"}`}))
	})
	more(func(rng *rand.Rand, b string) string {
		return attack.Typed(b, f, attack.Pick(rng, []string{`"` + v + "\xff\"", `"` + v + `\ud800"`, "\"" + v + "\n\"", `"` + v}))
	})
	more(func(rng *rand.Rand, b string) string {
		return b + attack.Pick(rng, []string{"x", "{}", "\x00", "null", "//", "]", ","})
	})
	more(func(rng *rand.Rand, b string) string { return b[:1+rng.IntN(len(b)-1)] }) // cut
	return out
}

// httpDifferentials is class 9.
func httpDifferentials(m *matrix, i *identity, rt *Route) (out []maker) {
	other := m.find(m.canary, "secret key")
	if i.of == m.canary {
		other = m.find(m.proven, "secret key")
	}
	may := m.may(i, rt)
	must := !rt.Public
	add := func(change func(rng *rand.Rand, a *attempt)) {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := m.ask(i, rt, nil)
			change(rng, a)
			return a
		})
	}
	if i.key != "" {
		add(func(_ *rand.Rand, a *attempt) {
			a.must, a.header = must, []string{"Authorization", "Bearer " + other.key}
		}) // two credentials
		add(func(_ *rand.Rand, a *attempt) { a.must, a.header = must, []string{"X-Api-Key", other.key} })
	}
	add(func(rng *rand.Rand, a *attempt) { // a parameter twice
		a.must = must
		a.target += "?" + attack.Pick(rng, []string{"limit=1&limit=2", "cursor=&cursor=a", "id=a&id=b", "a=%zz", "a=1;b=2"})
	})
	if !rt.Admin || !rt.writes() {
		add(func(rng *rand.Rand, a *attempt) { // the path, with something after it
			a.route, a.must = nil, must
			a.target += attack.Pick(rng, []string{"/..;/", "..;", "%2f..%2f" + m.canary.project, ".css", ".json", "/.css", "/", "//", "/.", "/..", "%00", "%20", "%0a", ";a=b", "%3f", "%23", "%2e%2e", "\\", "..", "%252f"})
		})
		add(func(rng *rand.Rand, a *attempt) { // or within it
			a.route, a.must = nil, must
			a.target = a.target[:1] + strings.Replace(a.target[1:], "/", attack.Pick(rng, []string{"//", "/./", "/x/../", "/%2e/", "\\", "/;/", "/%2f", "%2f", "/" + m.canary.project + "/../"}), 1)
		})
	}
	add(func(rng *rand.Rand, a *attempt) { // a letter of it, escaped or in the other case
		n := 1 + strings.IndexAny(a.target[1:], "abcdefghijklmnopqrstuvwxyz")
		a.must = must && !may
		a.target = a.target[:n] + attack.Pick(rng, []string{fmt.Sprintf("%%%02x", a.target[n]), strings.ToUpper(a.target[n : n+1])}) + a.target[n+1:]
	})
	add(func(rng *rand.Rand, a *attempt) { // another host
		a.must, a.header = must && !may, []string{"X-Forwarded-Host", m.canary.project + ".example", "Forwarded", "host=" + m.canary.project + ".example"}
	})
	for _, h := range [][]string{{"X-Http-Method-Override", "DELETE"}, {"X-Method-Override", "PUT"}, {"X-Original-Url", "/admin/v1/projects"},
		{"X-Rewrite-Url", "/admin/v1/projects"}, {"X-Forwarded-Prefix", "/admin"}, {"X-Forwarded-Uri", "/admin/v1/projects"}} {
		add(func(_ *rand.Rand, a *attempt) { a.must, a.header = must && !may, h })
	}
	if !rt.Admin {
		add(func(rng *rand.Rand, a *attempt) { // another method
			a.route, a.must, a.method = nil, must, attack.Pick(rng, []string{"PUT", "PATCH", "TRACE", "PROPFIND", "get", "Post", "OPTIONS"})
		})
	}
	if rt.Body {
		add(func(rng *rand.Rand, a *attempt) { // another type of body
			a.must, a.header = true, []string{"Content-Type", attack.Pick(rng, []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/xml"})}
		})
	}
	return out
}

// spoofs is class 30.
func spoofs(m *matrix, i *identity, rt *Route) (out []maker) {
	p := m.canary.project
	if i.of == m.canary {
		p = m.proven.project
	}
	spoofed := []string{
		"X-Request-From: internal", "X-Amz-Tenant-Id: " + p, "X-Forwarded-User: admin", "X-Auth-Request-Email: root@" + p + ".example", "X-Internal: 1",
		"X-Amzn-Oidc-Data: eyJhbGciOiJub25lIn0.e30.", "X-Amzn-Oidc-Identity: op", "X-Apigateway-Event: {}", "X-Amzn-Request-Context: {\"authorizer\":{\"project\":\"" + p + "\"}}",
		"X-Forwarded-For: 127.0.0.1", "X-Real-Ip: 127.0.0.1", "X-Client-Verified: SUCCESS", "X-Ssl-Client-Dn: CN=admin", "X-Remote-User: op", "X-Role: owner", "X-Scope: all",
		"X-Switchboard-Project: " + p, "X-Lambda-Authorizer: " + p, "X-Consumer-Username: " + p, "X-User-Id: visitor:~ada", "Sec-Fetch-Site: same-origin", "Cookie: project=" + p,
	}
	for _, header := range spoofed { // each of them: one that opened a door is not to be left to chance
		name, value, _ := strings.Cut(header, ": ")
		out = append(out, func(rng *rand.Rand) *attempt {
			a := m.ask(i, rt, nil)
			a.must = !rt.Public && !m.may(i, rt)
			if f, v := m.stolen(rng, i, rt); f != "" && (rt.turns() || rng.IntN(2) == 0) { // with an id of another's
				a = m.ask(i, rt, map[string]string{f: v})
				a.field, a.must = f, true
			}
			a.header = []string{name, value}
			return a
		})
	}
	return out
}

// stolen is a field of the route with an id of another's; "" = there is none.
func (m *matrix) stolen(rng *rand.Rand, i *identity, rt *Route) (field, id string) {
	if len(rt.IDs) == 0 {
		return "", ""
	}
	f := attack.Pick(rng, rt.IDs)
	if vs := m.foreign(i, rt, f); len(vs) > 0 {
		return f, attack.Pick(rng, vs)
	}
	return "", ""
}

// backDoors is class 23.
func backDoors(m *matrix, i *identity, rt *Route) (out []maker) {
	if rt.Public {
		return nil
	}
	if rt.Admin {
		targets := []string{m.canary.project, m.near.project}
		if !rt.writes() {
			targets = append(targets, m.proven.project)
		}
		for _, p := range targets {
			out = append(out, always(func() *attempt {
				a := m.ask(i, rt, map[string]string{"{project}": p})
				a.must = true
				return a
			}))
		}
		return out
	}
	paths := []string{
		"/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/metrics", "/admin", "/admin/", "/admin/v1", "/admin/v1/", "/admin/v1/audit", "/admin/v1/projects/" + m.proven.project + "/conversations",
		"/admin/v1/keys", "/v1/admin/projects", "/v1/projects", "/v1/keys", "/v1/export", "/v1/eval", "/v1/trace",
		"/.env", "/.git/config", "/master.key", "/dev-keys.json", "/.data/dev-keys.json", "/demo-assets/%2e%2e%2fdemo.go", "/internal", "/actuator/env", "/_directory", "/swagger.json",
		"/admin/v1/projects/_directory", "/admin/v1/projects/_directory/keys", "/v1/widget", "/status", "/graphql",
	}
	for range 4 {
		out = append(out, func(rng *rand.Rand) *attempt {
			return &attempt{who: i, must: true, method: attack.Pick(rng, []string{"GET", "POST", "HEAD"}), target: attack.Pick(rng, paths)}
		})
	}
	return out
}
