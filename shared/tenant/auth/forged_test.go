package auth_test

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"switchboard/shared/tenant/auth"
)

func TestForgedTokens(t *testing.T) { bothWays(t, testForgedTokens) }

func testForgedTokens(t *testing.T, by way) {
	t.Parallel()
	p := newPage(t, by)
	good := p.give(t, p.pk, website).Token
	parts := strings.Split(good, ".")
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(good, claims); err != nil {
		t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, key any, edit func(jwt.MapClaims, map[string]any)) string {
		c := jwt.MapClaims{}
		for k, v := range claims {
			c[k] = v
		}
		tok := jwt.NewWithClaims(method, c)
		if edit != nil {
			edit(c, tok.Header)
		}
		text, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	guess := []byte("0123456789abcdef0123456789abcdef")
	for name, text := range map[string]string{
		"alg none":            sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"alg none, same body": "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + ".",
		"no signature":        parts[0] + "." + parts[1] + ".",
		"another key":         sign(jwt.SigningMethodHS256, guess, nil),
		"the empty key":       sign(jwt.SigningMethodHS256, []byte{}, nil),
		"the key's own id":    sign(jwt.SigningMethodHS256, []byte(p.key), nil),
		"EdDSA":               sign(jwt.SigningMethodEdDSA, p.sign, nil),
		"a kid of a path":     sign(jwt.SigningMethodHS256, guess, func(_ jwt.MapClaims, h map[string]any) { h["kid"] = "../../dev/null" }),
		"a jku":               sign(jwt.SigningMethodHS256, guess, func(_ jwt.MapClaims, h map[string]any) { h["jku"] = "https://evil.example" }),
		"a changed body":      parts[0] + "." + parts[1][:len(parts[1])-2] + "AA." + parts[2],
		"a changed signature": parts[0] + "." + parts[1] + "." + strings.Map(func(r rune) rune { return map[rune]rune{'A': 'B'}[r] | r }, parts[2][:10]) + parts[2][10:] + "A",
		"too many parts":      good + ".x",
		"very long":           parts[0] + "." + strings.Repeat("A", 1<<20) + "." + parts[2],
		"dots":                "...",
	} {
		if code, _ := p.who(t, text, home); code != 401 {
			t.Errorf("%s: %d", name, code)
		}
	}
	if code, _ := p.who(t, good, home); code != 200 {
		t.Errorf("control: %d", code)
	}
}

func TestIdentity(t *testing.T) { bothWays(t, testIdentity) }

func testIdentity(t *testing.T, by way) {
	t.Parallel()
	p := newPage(t, by)
	key, secret := p.issue(t, auth.Credential{Kind: auth.IdentityKey})
	foreign, foreignSecret := p.issue(t, auth.Credential{Kind: auth.IdentityKey, Project: "bolt"})
	sk, _ := p.issue(t, auth.Credential{})
	revoked, revokedSecret := p.issue(t, auth.Credential{Kind: auth.IdentityKey})
	if err := p.dir.Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	base := func() jwt.MapClaims {
		return jwt.MapClaims{"sub": "ada", "aud": "acme", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	}
	sign := func(kid, secret string, edit func(jwt.MapClaims, *jwt.Token)) string {
		c := base()
		tok := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
		tok.Header["kid"] = kid
		if edit != nil {
			edit(c, tok)
		}
		text, err := tok.SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	ed := func(k ed25519.PrivateKey) string {
		text, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, base()).SignedString(k)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	_, stranger, _ := ed25519.GenerateKey(nil)
	none, _ := jwt.NewWithClaims(jwt.SigningMethodNone, base()).SignedString(jwt.UnsafeAllowNoneSignatureType)
	claim := func(name string, v any) func(jwt.MapClaims, *jwt.Token) {
		return func(c jwt.MapClaims, _ *jwt.Token) {
			if c[name] = v; v == nil {
				delete(c, name)
			}
		}
	}
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"HS256":                    {sign(key.ID, secret, nil), true},
		"EdDSA":                    {ed(p.sign), true},
		"another's EdDSA":          {ed(stranger), false},
		"alg none":                 {none, false},
		"the neighbour's key":      {sign(foreign.ID, foreignSecret, nil), false},
		"our kid, their secret":    {sign(key.ID, foreignSecret, nil), false},
		"a secret key's id":        {sign(sk.ID, secret, nil), false},
		"a revoked key":            {sign(revoked.ID, revokedSecret, nil), false},
		"no kid":                   {sign("", secret, nil), false},
		"HS256 under the public":   {sign(key.ID, string(p.sign.Public().(ed25519.PublicKey)), nil), false},
		"another audience":         {sign(key.ID, secret, claim("aud", "bolt")), false},
		"two audiences":            {sign(key.ID, secret, claim("aud", []string{"acme", "bolt"})), false},
		"no audience":              {sign(key.ID, secret, claim("aud", nil)), false},
		"expired":                  {sign(key.ID, secret, claim("exp", now.Add(-2*time.Minute).Unix())), false},
		"no expiry":                {sign(key.ID, secret, claim("exp", nil)), false},
		"no time of issue":         {sign(key.ID, secret, claim("iat", nil)), false},
		"from the future":          {sign(key.ID, secret, claim("iat", now.Add(5*time.Minute).Unix())), false},
		"not yet":                  {sign(key.ID, secret, claim("nbf", now.Add(3*time.Minute).Unix())), false},
		"clocks a little apart":    {sign(key.ID, secret, claim("nbf", now.Add(30*time.Second).Unix())), true},
		"good for a year":          {sign(key.ID, secret, claim("exp", now.Add(365*24*time.Hour).Unix())), false},
		"no subject":               {sign(key.ID, secret, claim("sub", nil)), false},
		"an anonymous visitor's":   {sign(key.ID, secret, claim("sub", "visitor:~ada")), false},
		"a critical header":        {sign(key.ID, secret, func(_ jwt.MapClaims, tok *jwt.Token) { tok.Header["crit"] = []string{"b64"} }), false},
		"a header with an URL":     {sign(key.ID, secret, func(_ jwt.MapClaims, tok *jwt.Token) { tok.Header["jku"] = "https://evil.example" }), false},
		"one of our own tokens":    {p.give(t, p.pk, website).Token, false},
		"longer than a page needs": {sign(key.ID, secret, claim("x", strings.Repeat("x", 8<<10))), false},
	} {
		body, _ := json.Marshal(map[string]string{"assistant": "website", "identity": c.text, "visitor_id": "ignored"})
		w := p.token(p.pk, home, string(body))
		if !c.ok {
			if w.Code != 401 || !strings.Contains(w.Body.String(), `"field":"identity"`) {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
			continue
		}
		var g given
		if err := json.Unmarshal(w.Body.Bytes(), &g); w.Code != 200 || err != nil {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
			continue
		}
		if _, got := p.who(t, g.Token, home); got.Person != "ada" || !got.Proven || g.Visitor != "" {
			t.Errorf("%s: %+v, %+v", name, got, g)
		}
	}
}
