package isolationtest_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"switchboard/shared/attack"
	"switchboard/shared/tenant/auth"
)

// member is the body's first member with an id, and its value.
func member(rt *auth.Route) (name string) {
	for _, f := range rt.IDs {
		if !strings.HasPrefix(f, "{") {
			return f
		}
	}
	return ""
}

// jsonDifferentials is class 8.
func jsonDifferentials(w *world, i *identity, rt *auth.Route) (out []maker) {
	if rt.Body == nil {
		return nil
	}
	f := member(rt)
	if f == "" {
		f = map[bool]string{true: "kind", false: "reason"}[strings.HasSuffix(rt.Pattern, "/keys")]
	}
	foreign := func(rng *rand.Rand) string {
		if d := domainOf(rt.Pattern, f); d != "" {
			if vs := w.foreign(i, d); len(vs) > 0 {
				return attack.Pick(rng, vs)
			}
		}
		return word("desk", beta)
	}
	more := func(change func(rng *rand.Rand, body, v string) string) {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := w.ask(i, rt, nil)
			a.must, a.body = true, change(rng, a.body, foreign(rng))
			return a
		})
	}
	more(func(_ *rand.Rand, b, v string) string { return `{"` + f + `":"` + v + `",` + b[1:] })                  // twice, ours last
	more(func(_ *rand.Rand, b, v string) string { return b[:len(b)-1] + `,"` + f + `":"` + v + `"}` })           // twice, theirs last
	more(func(_ *rand.Rand, b, v string) string { return `{"` + attack.Escaped(f) + `":"` + v + `",` + b[1:] })  // twice, spelled apart
	more(func(_ *rand.Rand, b, v string) string { return `{"` + strings.ToUpper(f) + `":"` + v + `",` + b[1:] }) // another case
	more(func(_ *rand.Rand, b, v string) string {
		return `{"` + strings.ToUpper(f[:1]) + f[1:] + `":"` + v + `",` + b[1:]
	})
	more(func(rng *rand.Rand, b, _ string) string { // another case, alone
		first := strings.IndexByte(b, '"') + 1
		end := first + strings.IndexByte(b[first:], '"')
		return b[:first] + attack.Pick(rng, []string{strings.ToUpper(b[first:end]), strings.ToUpper(b[first:first+1]) + b[first+1:end]}) + b[end:]
	})
	more(func(rng *rand.Rand, b, v string) string { // another type
		wrong := attack.Pick(rng, []string{"1", "true", "[]", "{}", `["` + v + `"]`, `{"id":"` + v + `"}`, "1e400", "-0", "[null]", `{"$ne":""}`, `{"__proto__":"x"}`})
		return attack.Typed(b, f, wrong)
	})
	more(func(rng *rand.Rand, b, _ string) string { // depth
		n := 33 + rng.IntN(2000)
		return attack.Typed(b, f, strings.Repeat("[", n)+strings.Repeat("]", n))
	})
	more(func(_ *rand.Rand, b, _ string) string { return "\ufeff" + b })
	more(func(_ *rand.Rand, b, v string) string { return b + b })
	more(func(rng *rand.Rand, b, _ string) string {
		return b + attack.Pick(rng, []string{"x", "{}", "\x00", "null", "//", "]", ","})
	})
	more(func(_ *rand.Rand, b, _ string) string { return "/**/" + b })
	more(func(_ *rand.Rand, b, _ string) string { return strings.Replace(b, ":", "\x00:", 1) })
	more(func(_ *rand.Rand, b, _ string) string { return strings.Replace(b, `"`, "'", 2) })
	more(func(_ *rand.Rand, b, _ string) string { return "[" + b + "]" })
	more(func(rng *rand.Rand, b, v string) string {
		return attack.Typed(b, f, attack.Pick(rng, []string{`"` + v + "\xff\"", `"` + v + `\ud800"`, "\"" + v + "\n\"", `"` + v}))
	})
	more(func(rng *rand.Rand, b, v string) string { return b[:1+rng.IntN(len(b)-1)] }) // cut
	return out
}

// httpDifferentials is class 9.
func httpDifferentials(w *world, i *identity, rt *auth.Route) (out []maker) {
	out = append(out, func(rng *rand.Rand) *attempt { // two credentials
		a := w.ask(i, rt, nil)
		a.must, a.header = !rt.Public, []string{attack.Pick(rng, []string{"Authorization", "authorization"}), "Bearer " + w.by["sk(neighbour)"].key, "Authorization", "Bearer " + w.by["sk(neighbour)"].key}
		return a
	}, func(rng *rand.Rand) *attempt {
		a := w.ask(i, rt, nil)
		a.header = []string{"X-Api-Key", w.by["sk(neighbour)"].key}
		a.must = !rt.Public && i.name != "sk(neighbour)"
		if i.key == "" { // then it is the only one: the neighbour's own, with a name of the neighbour's
			a.who = w.by["sk(neighbour)"]
			a.must = false
		}
		return a
	}, func(rng *rand.Rand) *attempt { // a parameter twice
		a := w.ask(i, rt, nil)
		a.must = !rt.Public && !rt.Admin || rt.Admin && !strings.HasPrefix(i.name, "op")
		a.target += "?" + attack.Pick(rng, []string{"limit=1&limit=2", "cursor=&cursor=a", "id=a&id=b", "a=%zz", "a=1;b=2"})
		return a
	}, func(rng *rand.Rand) *attempt { // the path, with something after it
		a := w.ask(i, rt, nil)
		a.route, a.must = nil, !rt.Public
		a.target += attack.Pick(rng, []string{"/..;/", "..;", "%2f..%2f" + beta, ".css", ".json", "/.css", "/", "//", "/.", "/..", "%00", "%20", "%0a", ";a=b", "%3f", "%23", "%2e%2e", "\\", "..", "%252f"})
		return a
	}, func(rng *rand.Rand) *attempt { // or within it
		a := w.ask(i, rt, nil)
		a.route, a.must = nil, !rt.Public
		a.target = strings.Replace(a.target, "/", attack.Pick(rng, []string{"//", "/./", "/x/../", "/%2e/", "\\", "/;/", "/%2f", "%2f", "/" + beta + "/../"}), 1)
		return a
	}, func(rng *rand.Rand) *attempt { // a letter of it, escaped or in the other case
		a := w.ask(i, rt, nil)
		n := 1 + strings.IndexAny(a.target[1:], "abcdefghijklmnopqrstuvwxyz")
		a.target = a.target[:n] + attack.Pick(rng, []string{fmt.Sprintf("%%%02x", a.target[n]), strings.ToUpper(a.target[n : n+1])}) + a.target[n+1:]
		return a
	}, func(rng *rand.Rand) *attempt { // the host
		a := w.ask(i, rt, nil)
		a.host = attack.Pick(rng, []string{beta + ".example", "127.0.0.1", "localhost", beta + ".switchboard.example", "switchboard.example@" + beta + ".example"})
		a.header = []string{"X-Forwarded-Host", beta + ".example", "Forwarded", "host=" + beta + ".example"}
		return a
	}, func(rng *rand.Rand) *attempt { // another method and path in headers
		a := w.ask(i, rt, nil)
		a.header = [][]string{{"X-Http-Method-Override", "DELETE"}, {"X-Method-Override", "PUT"}, {"X-Http-Method", "DELETE"}, {"X-Original-Url", "/admin/v1/projects"},
			{"X-Rewrite-Url", "/admin/v1/projects"}, {"X-Forwarded-Prefix", "/admin"}, {"X-Forwarded-Uri", "/admin/v1/projects"}}[rng.IntN(7)]
		return a
	}, func(rng *rand.Rand) *attempt { // another method
		a := w.ask(i, rt, nil)
		a.method = attack.Pick(rng, []string{"PUT", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", "Post", "OPTIONS"})
		_, path, _ := strings.Cut(rt.Pattern, " ")
		another := slices.ContainsFunc(w.routes, func(r auth.Route) bool { return r.Pattern == a.method+" "+path })
		a.route, a.must = nil, !rt.Public && !another
		return a
	})
	if rt.Body != nil {
		out = append(out, func(rng *rand.Rand) *attempt { // another type of body
			a := w.ask(i, rt, nil)
			a.must, a.header = true, []string{"Content-Type", attack.Pick(rng, []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/json; charset=utf-7", "application/xml"})}
			return a
		})
	}
	return out
}

// spoofs is class 30.
func spoofs(w *world, i *identity, rt *auth.Route) (out []maker) {
	spoofed := []string{
		"X-Request-From: internal", "X-Amz-Tenant-Id: " + beta, "X-Forwarded-User: admin", "X-Auth-Request-Email: root@" + beta + ".example", "X-Internal: 1",
		"X-Amzn-Oidc-Data: eyJhbGciOiJub25lIn0.e30.", "X-Amzn-Oidc-Identity: op", "X-Apigateway-Event: {}", "X-Amzn-Request-Context: {\"authorizer\":{\"project\":\"" + beta + "\"}}",
		"X-Forwarded-For: 127.0.0.1", "X-Real-Ip: 127.0.0.1", "X-Client-Verified: SUCCESS", "X-Ssl-Client-Dn: CN=admin", "X-Remote-User: op", "X-Role: owner", "X-Scope: all",
		"X-Switchboard-Project: " + beta, "X-Lambda-Authorizer: " + beta, "X-Consumer-Username: " + beta, "X-User-Id: visitor:~ada", "X-Person: visitor:~bob", "Sec-Fetch-Site: same-origin", "Cookie: project=" + beta,
	}
	say := func(header string) *attempt {
		a := w.ask(i, rt, nil)
		name, value, _ := strings.Cut(header, ": ")
		a.header = []string{name, value}
		return a
	}
	for _, header := range spoofed { // each of them: one that opened a door is not to be left to chance
		out = append(out, func(*rand.Rand) *attempt { return say(header) })
	}
	return append(out, func(rng *rand.Rand) *attempt { // and with an id of another's
		a := say(attack.Pick(rng, spoofed))
		if len(rt.IDs) == 0 {
			return a
		}
		f := attack.Pick(rng, rt.IDs)
		vs := w.foreign(i, domainOf(rt.Pattern, f))
		if len(vs) == 0 {
			return a
		}
		b := w.ask(i, rt, map[string]string{f: attack.Pick(rng, vs)})
		b.header, b.must = a.header, true
		return b
	})
}

// backDoors is class 23.
func backDoors(w *world, i *identity, rt *auth.Route) (out []maker) {
	if rt.Admin {
		for _, p := range everyone {
			if strings.HasPrefix(i.name, "op") && p != delta && !strings.HasPrefix(rt.Pattern, "GET ") {
				continue // they may; and the others are not to be shut
			}
			out = append(out, func(*rand.Rand) *attempt {
				a := w.ask(i, rt, map[string]string{"{project}": p})
				a.must = !strings.HasPrefix(i.name, "op")
				return a
			})
		}
		return out
	}
	paths := []string{
		"/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/metrics", "/admin", "/admin/", "/admin/v1", "/admin/v1/", "/admin/v1/audit", "/admin/v1/projects/" + alpha + "/conversations",
		"/admin/v1/keys", "/v1/admin/projects", "/v1/projects", "/v1/keys", "/v1/conversations", "/v1/conversations/", "/v1/users", "/v1/audit", "/v1/usage", "/v1/export", "/v1/eval", "/v1/trace",
		"/.env", "/.git/config", "/master.key", "/dev-keys.json", "/.data/dev-keys.json", "/demo/", "/demo-assets/", "/demo-assets/%2e%2e%2fdemo.go", "/internal", "/actuator/env", "/_directory", "/swagger.json",
		"/admin/v1/projects/_directory", "/admin/v1/projects/_directory/keys", "/v1/widget", "/status", "/graphql",
	}
	return []maker{func(rng *rand.Rand) *attempt {
		return &attempt{who: i, must: true, method: attack.Pick(rng, []string{"GET", "POST", "DELETE", "HEAD"}), target: attack.Pick(rng, paths), body: ""}
	}}
}
