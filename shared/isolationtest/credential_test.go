package isolationtest_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"switchboard/shared/app/apptest"
	"switchboard/shared/attack"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// with makes a request that shows another credential.
func (w *world) with(i *identity, rt *auth.Route, key string) *attempt {
	a := w.ask(i, rt, nil)
	a.key, a.must = &key, true
	return a
}

// b64 is a part of a token.
func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forgeries is class 11: each starts from a credential that holds.
func forgeries(w *world, i *identity, rt *auth.Route) (out []maker) {
	if rt.Public || i.key == "" {
		return nil
	}
	if rt.Pattern == "POST /v1/widget/token" && i.name == "pk" {
		out = w.identities(i, rt)
	}
	if parts := strings.Split(i.key, "."); len(parts) == 3 {
		return append(out, w.tokenForgeries(i, rt, parts)...)
	}
	kinds := []string{"sk", "pk", "op", "is", "wt", "SK", "", "admin"}
	kind, rest, _ := strings.Cut(i.key, "_")
	return append(out, func(rng *rand.Rand) *attempt { // one kind for another
		other := attack.Pick(rng, kinds)
		for other == kind {
			other = attack.Pick(rng, kinds)
		}
		return w.with(i, rt, other+"_"+rest)
	}, func(rng *rand.Rand) *attempt { // the id alone, which is public
		id, _, _ := strings.Cut(rest, "_")
		if kind == "pk" {
			return w.with(i, rt, "sk_"+id+"_"+strings.Repeat("0", 40))
		}
		return w.with(i, rt, attack.Pick(rng, []string{"pk_" + id, "sk_" + id, "sk_" + id + "_", "op_" + id, id, "is_" + id + "_" + strings.Repeat("0", 20)}))
	}, func(rng *rand.Rand) *attempt { // nothing, in all its forms
		return w.with(i, rt, attack.Pick(rng, []string{"null", "undefined", "none", "true", "0", "{}", "sk__", "...", "..", "a.b.c", "' OR 1=1 --", strings.Repeat("a", 3000), "sk_\x00"}))
	}, func(rng *rand.Rand) *attempt { // another scheme
		a := w.with(i, rt, "")
		a.header = []string{"Authorization", attack.Pick(rng, []string{"Basic ", "Token ", "Digest ", "Bearer", "ApiKey ", "Bearer Bearer ", ""}) + i.key}
		return a
	}, func(rng *rand.Rand) *attempt { // where no credential is looked for
		a := w.with(i, rt, "")
		a.target += "?" + attack.Pick(rng, []string{"key", "api_key", "access_token", "token", "Authorization"}) + "=" + i.key
		a.header = []string{"Cookie", "Authorization=" + i.key, "Proxy-Authorization", "Bearer " + i.key, "X-Auth-Token", i.key}
		return a
	}, func(rng *rand.Rand) *attempt { // a token of the attacker's own making
		claims := jwt.MapClaims{"sub": "visitor:~ada", "aud": "switchboard/widget", "project": alpha, "assistant": "website", "origin": apptest.Origin(alpha), "key": w.keys[alpha],
			"iat": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix(), "since": time.Now().Unix(), "jti": "x"}
		text, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(attack.Pick(rng, []string{"secret", i.key, "", w.keys[alpha], "switchboard"})))
		return w.with(i, rt, text)
	})
}

// tokenForgeries take a token apart and put it together otherwise.
func (w *world) tokenForgeries(i *identity, rt *auth.Route, parts []string) []maker {
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	payload := string(raw)
	return []maker{func(rng *rand.Rand) *attempt { // the header
		h := attack.Pick(rng, []string{`{"alg":"none","typ":"JWT"}`, `{"alg":"None"}`, `{"alg":"HS384","typ":"JWT"}`, `{"typ":"JWT","alg":"HS256"}`, `{"alg":"RS256","typ":"JWT"}`, `{"alg":"HS256","typ":"JWT","kid":"../../dev/null"}`, `{"alg":"HS256","typ":"JWT","jku":"https://x.example"}`, `{"alg":"EdDSA","typ":"JWT"}`})
		return w.with(i, rt, b64(h)+"."+parts[1]+"."+attack.Pick(rng, []string{"", parts[2]}))
	}, func(rng *rand.Rand) *attempt { // the claims
		swaps := [][2]string{{`"project":"` + i.project, `"project":"` + map[bool]string{true: beta, false: alpha}[i.project == alpha]}, {i.person, "visitor:~carol"}, {`"website"`, `"` + word("desk", alpha) + `"`},
			{"switchboard/widget", alpha}, {`"exp":`, `"exp":9`}, {apptest.Origin(i.project), "https://evil.example"}, {`{`, `{"proven":true,`}}
		s := attack.Pick(rng, swaps)
		return w.with(i, rt, parts[0]+"."+b64(strings.Replace(payload, s[0], s[1], 1))+"."+parts[2])
	}, func(rng *rand.Rand) *attempt { // a neighbour's signature, or claims
		for {
			if other := strings.Split(attack.Pick(rng, w.who).key, "."); len(other) == 3 && other[1] != parts[1] {
				return w.with(i, rt, attack.Pick(rng, []string{parts[0] + "." + parts[1] + "." + other[2], parts[0] + "." + other[1] + "." + parts[2]}))
			}
		}
	}, func(rng *rand.Rand) *attempt { // a bit, or the form
		text := i.key
		n := len(parts[0]) + 1 + rng.IntN(len(text)-len(parts[0])-1)
		forms := []string{text[:n] + "A" + text[n+1:], text + ".", "." + text, text + "=", text + "." + parts[2], parts[0] + "." + parts[1], parts[0] + "..", strings.Replace(text, ".", "..", 1), text[:n], parts[1] + "." + parts[2]}
		if f := attack.Pick(rng, forms); f != text && !slices.Contains([]string{text}, f) {
			return w.with(i, rt, f)
		}
		return w.with(i, rt, text+"x")
	}}
}

// identities are JWTs by which a company would say who a visitor is: only one of the
// company's own key, for its own project, makes a token.
func (w *world) identities(i *identity, rt *auth.Route) []maker {
	issue := func(p string) (auth.Credential, string) {
		return w.issue(auth.Credential{Kind: auth.IdentityKey, Project: p})
	}
	ours, ourKey := issue(alpha)
	theirs, theirKey := issue(beta)
	text := func(kid, key, aud string, exp time.Duration) string {
		j := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{Subject: "customer-7", Audience: jwt.ClaimStrings{aud}, IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(exp))})
		j.Header["kid"] = kid
		s, _ := j.SignedString([]byte(key))
		return s
	}
	ask := func(identity string, good bool) maker {
		return func(*rand.Rand) *attempt {
			a := w.ask(i, rt, nil)
			a.must, a.note, a.body = !good, "identity", `{"assistant":"website","identity":"`+identity+`"}`
			if good {
				a.check = func(r response) string {
					if r.status != 200 {
						return fmt.Sprintf("control: an identity of the company's own is answered %d", r.status)
					}
					return ""
				}
			}
			return a
		}
	}
	good := text(ours.ID, ourKey, alpha, time.Minute)
	parts := strings.Split(good, ".")
	return []maker{
		ask(good, true),
		ask(text(ours.ID, ourKey, beta, time.Minute), false),
		ask(text(ours.ID, ourKey, "switchboard/widget", time.Minute), false),
		ask(text(theirs.ID, theirKey, alpha, time.Minute), false),
		ask(text(theirs.ID, theirKey, beta, time.Minute), false),
		ask(text(ours.ID, theirKey, alpha, time.Minute), false),
		ask(text(ours.ID, "", alpha, time.Minute), false),
		ask(text(w.keys[alpha], ourKey, alpha, time.Minute), false),
		ask(text(ours.ID, ourKey, alpha, -time.Hour), false),
		ask(text(ours.ID, ourKey, alpha, 48*time.Hour), false),
		ask(b64(`{"alg":"none","kid":"`+ours.ID+`"}`)+"."+parts[1]+".", false),
		ask(w.by["ada"].key, false),
	}
}

// shutOut is class 12: who is revoked or suspended stays out by every way in.
func shutOut(w *world, i *identity, rt *auth.Route) (out []maker) {
	if rt.Public || !slices.Contains([]string{"revoked", "suspended", "visitor(suspended)", "visitor(of suspended)", "visitor(of revoked)"}, i.name) {
		return nil
	}
	way := func(rng *rand.Rand) *attempt {
		a := w.ask(i, rt, nil)
		a.must = true
		switch rng.IntN(5) {
		case 0:
			empty := ""
			a.key, a.header = &empty, []string{"X-Api-Key", i.key}
		case 1:
			a.header = []string{"X-Api-Key", i.key}
		case 2:
			a.header = []string{"Idempotency-Key", fmt.Sprint(rng.IntN(5))}
		case 3:
			a.header = []string{"Act-As", i.project, "Act-As-Reason", "because I would like to"}
		}
		return a
	}
	out = append(out, way, way, way, way)
	for _, v := range w.victims { // their own, too
		if len(rt.IDs) > 0 && v.project == i.project {
			for _, f := range rt.IDs {
				if domainOf(rt.Pattern, f) == aConversation {
					out = append(out, always(func() *attempt {
						a := w.ask(i, rt, map[string]string{f: v.id})
						a.must = true
						return a
					}))
				}
			}
		}
	}
	return out
}

// truncations is class 13. The true credential was used before, so whatever is held of
// it in memory is there.
func truncations(w *world, i *identity, rt *auth.Route) (out []maker) {
	if rt.Public || i.key == "" {
		return nil
	}
	out = []maker{func(rng *rand.Rand) *attempt { // cut, or longer
		n := 1 + rng.IntN(len(i.key)-1)
		return w.with(i, rt, attack.Pick(rng, []string{i.key[:n], i.key + "0", i.key + i.key, i.key[n:], i.key[:len(i.key)-1]}))
	}, func(rng *rand.Rand) *attempt { // the same but for one character
		n := rng.IntN(len(i.key))
		c := "0"
		if i.key[n] == '0' {
			c = "1"
		}
		return w.with(i, rt, i.key[:n]+c+i.key[n+1:])
	}}
	if i.name == "pk" { // too short to share anything
		return out
	}
	return append(out, func(rng *rand.Rand) *attempt { // the beginning of one, the end of another's
		for {
			o := attack.Pick(rng, w.who)
			if n := min(len(i.key), len(o.key)); n > 30 && o.key != i.key {
				cut := 4 + rng.IntN(n-5)
				text := i.key[:cut] + o.key[cut:]
				if !slices.ContainsFunc(w.who, func(x *identity) bool { return x.key == text }) {
					return w.with(i, rt, text)
				}
			}
		}
	})
}

// origins is class 29.
func origins(w *world, i *identity, rt *auth.Route) (out []maker) {
	if rt.Public || i.person == "" && i.name != "pk" {
		return nil
	}
	home := apptest.Origin(i.project)
	wrong := []string{"null", "", "https://evil" + home[8:], home + ".evil.example", "http" + home[5:], home + ":8443", home + "/", "https://www." + home[8:], strings.ToUpper(home), "https://evil.example",
		home + "@evil.example", home + " ", "https://" + beta + "x.example", "file://", "*", home + "," + home, home + "%00", "https://user@" + home[8:], home + "#", home + "."}
	for _, o := range append(wrong, otherHome(i)) {
		out = append(out, always(func() *attempt {
			a := w.ask(i, rt, nil)
			a.bare, a.must = true, true
			if o != "" {
				a.header = []string{"Origin", o}
			}
			return a
		}))
	}
	return append(out, func(rng *rand.Rand) *attempt { // two of them, in either order
		a := w.ask(i, rt, nil)
		a.bare, a.must, a.header = true, true, []string{"Origin", home, "Origin", attack.Pick(rng, wrong)}
		if rng.IntN(2) == 0 {
			a.header[1], a.header[3] = a.header[3], a.header[1]
		}
		return a
	}, func(rng *rand.Rand) *attempt { // said elsewhere
		a := w.ask(i, rt, nil)
		a.bare, a.must, a.header = true, true, []string{attack.Pick(rng, []string{"Referer", "X-Origin", "X-Forwarded-Host", "Sec-Fetch-Site"}), home}
		return a
	})
}

func otherHome(i *identity) string {
	if i.project == alpha {
		return apptest.Origin(beta)
	}
	return apptest.Origin(alpha)
}

// revive is for the two worlds: the suspension of a project, or its end.
func (w *world) revive(project string, live bool) error {
	id, err := tenant.ParseID(project)
	if err != nil {
		return err
	}
	if live {
		return w.server.Local.Directory.ResumeProject(context.Background(), id)
	}
	return w.server.Local.Directory.SuspendProject(context.Background(), id, "unpaid")
}
