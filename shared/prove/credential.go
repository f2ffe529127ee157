package prove

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"switchboard/shared/attack"
)

// with makes a request that shows another credential.
func (m *matrix) with(i *identity, rt *Route, key string) *attempt {
	a := m.ask(i, rt, nil)
	a.key, a.must = &key, true
	return a
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signed is a token of these parts, under HS256.
func signed(header, claims, secret string) string {
	text := b64(header) + "." + b64(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

const hs256 = `{"alg":"HS256","typ":"JWT"}`

// forgeries is class 11: each starts from a credential that holds.
func forgeries(m *matrix, i *identity, rt *Route) (out []maker) {
	if rt.Public || i.key == "" || i.dead {
		return nil
	}
	if parts := strings.Split(i.key, "."); len(parts) == 3 {
		return m.tokenForgeries(i, rt, parts)
	}
	kinds := []string{"sk", "pk", "op", "is", "wt", "SK", "", "admin"}
	kind, rest, _ := strings.Cut(i.key, "_")
	id, _, _ := strings.Cut(rest, "_")
	for _, other := range kinds { // one kind for another
		if other != kind {
			out = append(out, always(func() *attempt { return m.with(i, rt, other+"_"+rest) }))
		}
	}
	for _, text := range []string{"sk_" + id, "sk_" + id + "_", "op_" + id, id, "is_" + id + "_" + strings.Repeat("0", 20), "sk_" + id + "_" + strings.Repeat("0", 40),
		"null", "undefined", "none", "true", "0", "{}", "sk__", "...", "..", "a.b.c", "' OR 1=1 --", strings.Repeat("a", 3000)} { // the id alone, which is public; and nothing, in all its forms
		out = append(out, always(func() *attempt { return m.with(i, rt, text) }))
	}
	out = append(out, func(rng *rand.Rand) *attempt { // another scheme
		a := m.with(i, rt, "")
		a.header = []string{"Authorization", attack.Pick(rng, []string{"Basic ", "Token ", "Digest ", "Bearer", "ApiKey ", "Bearer Bearer ", ""}) + i.key}
		return a
	}, func(rng *rand.Rand) *attempt { // where no credential is looked for
		a := m.with(i, rt, "")
		a.header = []string{"Cookie", "Authorization=" + i.key, "Proxy-Authorization", "Bearer " + i.key, "X-Auth-Token", i.key}
		return a
	}, func(rng *rand.Rand) *attempt { // a token of the attacker's own making
		now := time.Now().Unix()
		claims := fmt.Sprintf(`{"sub":"visitor:~ada","aud":["switchboard/widget"],"project":%q,"assistant":%q,"origin":%q,"key":%q,"iat":%d,"exp":%d,"since":%d,"jti":"x"}`,
			m.proven.project, m.proven.assistant, m.proven.origin, m.proven.keyID, now, now+600, now)
		return m.with(i, rt, signed(hs256, claims, attack.Pick(rng, []string{"secret", i.key, "", m.proven.keyID, "switchboard"})))
	})
	if rt.Pattern == "POST /v1/widget/token" && i.kind == "pk" {
		out = append(out, m.identities(i, rt)...)
	}
	return out
}

// tokenForgeries take a token apart and put it together otherwise.
func (m *matrix) tokenForgeries(i *identity, rt *Route, parts []string) (out []maker) {
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil { // not the form that is known here
		return nil
	}
	add := func(text string) {
		if text != i.key {
			out = append(out, always(func() *attempt { return m.with(i, rt, text) }))
		}
	}
	for _, h := range []string{`{"alg":"none","typ":"JWT"}`, `{"alg":"None"}`, `{"alg":"HS384","typ":"JWT"}`, `{"typ":"JWT","alg":"HS256"}`, `{"alg":"RS256","typ":"JWT"}`,
		`{"alg":"HS256","typ":"JWT","kid":"../../dev/null"}`, `{"alg":"HS256","typ":"JWT","jku":"https://x.example"}`, `{"alg":"EdDSA","typ":"JWT"}`} {
		add(b64(h) + "." + parts[1] + ".")
		add(b64(h) + "." + parts[1] + "." + parts[2])
	}
	to := m.proven
	if i.of == m.proven {
		to = m.canary
	}
	for _, s := range [][2]string{{`"project":"` + i.of.project, `"project":"` + to.project}, {i.visitor, "visitor:~nobody"}, {i.of.assistant, to.assistant},
		{"switchboard/widget", i.of.project}, {`"exp":`, `"exp":9`}, {i.of.origin, "https://evil.example"}, {`{`, `{"proven":true,`}} {
		claims := strings.Replace(string(raw), s[0], s[1], 1)
		add(parts[0] + "." + b64(claims) + "." + parts[2])
		add(parts[0] + "." + b64(claims) + ".")
		for _, secret := range []string{"", "secret", "switchboard", i.of.keyID} {
			add(signed(hs256, claims, secret))
		}
	}
	for _, o := range m.who { // a neighbour's signature, or claims
		if other := strings.Split(o.key, "."); len(other) == 3 && other[1] != parts[1] {
			add(parts[0] + "." + parts[1] + "." + other[2])
			add(parts[0] + "." + other[1] + "." + parts[2])
		}
	}
	for _, f := range []string{i.key + ".", "." + i.key, i.key + "=", i.key + "." + parts[2], parts[0] + "." + parts[1], parts[0] + "..", strings.Replace(i.key, ".", "..", 1), parts[1] + "." + parts[2]} {
		add(f)
	}
	return out
}

// identities are JWTs by which a company would say who a visitor is: only one of the
// company's own key, for its own project, makes a token.
func (m *matrix) identities(i *identity, rt *Route) (out []maker) {
	ask := func(kid, secret, aud string, good bool) {
		out = append(out, always(func() *attempt {
			now := time.Now().Unix()
			token := signed(fmt.Sprintf(`{"alg":"HS256","kid":%q,"typ":"JWT"}`, kid), fmt.Sprintf(`{"sub":"customer-7","aud":[%q],"iat":%d,"exp":%d}`, aud, now, now+60), secret)
			a := m.ask(i, rt, nil)
			a.must, a.body = !good, `{"identity":"`+token+`",`+a.body[1:]
			if good {
				a.check = func(r answer) fate {
					if r.status != 200 {
						return fate{hollow: fmt.Sprintf("control: an identity of the company's own is answered %d", r.status)}
					}
					return fate{}
				}
			}
			return a
		}))
	}
	k := m.identity
	if k.Text == "" {
		return nil
	}
	if i.of == m.canary { // whose key it is
		ask(k.ID, k.Text, m.canary.project, true)
	} else {
		ask(k.ID, k.Text, i.of.project, false)
	}
	ask(k.ID, k.Text, m.proven.project, false)
	ask(k.ID, k.Text, m.near.project, false)
	ask(k.ID, "", i.of.project, false)
	ask(k.ID, "x"+k.Text, i.of.project, false)
	ask(m.proven.keyID, k.Text, i.of.project, false)
	ask("", k.Text, i.of.project, false)
	return out
}

// truncations is class 13. The true credential was used before, so whatever a server
// holds of it in memory is there.
func truncations(m *matrix, i *identity, rt *Route) (out []maker) {
	if rt.Public || i.key == "" || i.dead {
		return nil
	}
	out = []maker{func(rng *rand.Rand) *attempt { // cut, or longer
		n := 1 + rng.IntN(len(i.key)-1)
		return m.with(i, rt, attack.Pick(rng, []string{i.key[:n], i.key + "0", i.key + i.key, i.key[n:], i.key[:len(i.key)-1]}))
	}, func(rng *rand.Rand) *attempt { // the same but for one character
		n := rng.IntN(len(i.key))
		c := "0"
		if i.key[n] == '0' {
			c = "1"
		}
		return m.with(i, rt, i.key[:n]+c+i.key[n+1:])
	}}
	if i.kind == "pk" { // too short to share anything
		return out
	}
	return append(out, func(rng *rand.Rand) *attempt { // the beginning of one, the end of another's
		o := attack.Pick(rng, m.who)
		n := min(len(i.key), len(o.key))
		if n < 30 || o.key == i.key {
			return nil
		}
		cut := 4 + rng.IntN(n-5)
		text := i.key[:cut] + o.key[cut:]
		if slices.ContainsFunc(m.who, func(x *identity) bool { return x.key == text }) {
			return nil
		}
		return m.with(i, rt, text)
	})
}

// origins is class 29.
func origins(m *matrix, i *identity, rt *Route) (out []maker) {
	if rt.Public || i.kind != "widget" && i.kind != "pk" || i.of.origin == "" {
		return nil
	}
	home := i.of.origin
	scheme, host, _ := strings.Cut(home, "://")
	wrong := []string{"null", "", scheme + "://evil" + host, home + ".evil.example", "ftp://" + host, home + "8", home + "/", scheme + "://www." + host, strings.ToUpper(home), "https://evil.example",
		home + "@evil.example", "https://" + m.canary.project + "x.example", "file://", "*", home + "," + home, home + "%00", scheme + "://user@" + host, home + "#", home + ".", m.near.origin}
	for _, o := range wrong {
		if slices.Contains(i.of.origins, o) { // it has several
			continue
		}
		out = append(out, always(func() *attempt {
			a := m.ask(i, rt, nil)
			a.bare, a.must = true, true
			if o != "" {
				a.header = []string{"Origin", o}
			}
			return a
		}))
	}
	return append(out, func(rng *rand.Rand) *attempt { // two of them, in either order
		a := m.ask(i, rt, nil)
		a.bare, a.must, a.header = true, true, []string{"Origin", home, "Origin", attack.Pick(rng, wrong)}
		if rng.IntN(2) == 0 {
			a.header[1], a.header[3] = a.header[3], a.header[1]
		}
		return a
	}, func(rng *rand.Rand) *attempt { // said elsewhere
		a := m.ask(i, rt, nil)
		a.bare, a.must, a.header = true, true, []string{attack.Pick(rng, []string{"Referer", "X-Origin", "X-Forwarded-Host"}), home}
		return a
	})
}
