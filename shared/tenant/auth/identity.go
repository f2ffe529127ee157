package auth

import (
	"context"
	"crypto/ed25519"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// Limits of an identity that a company signed for a visitor.
const (
	identityLife   = time.Hour // longest from iat to exp: it is made for a page, not for a year
	identityLeeway = time.Minute
	maxIdentity    = 4 << 10 // bytes
)

// identify returns the person whom a company's own server vouches for: the subject of
// a JWT (HS256 under an identity key that we issued, named by kid, or EdDSA under a
// public key of the company's folder) whose audience is the project. Every other
// answer is the same Unauthenticated problem.
func (g *Gate) identify(ctx context.Context, sc tenant.Scope, text string, keys []ed25519.PublicKey) (string, error) {
	claims := &jwt.RegisteredClaims{}
	refused := &problem.Error{Kind: problem.Unauthenticated, Op: "auth.identify", Field: "identity", Detail: "The visitor's identity does not hold."}
	if len(text) > maxIdentity {
		return "", refused
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256", "EdDSA"}), jwt.WithStrictDecoding(), jwt.WithAudience(sc.Project().String()),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(identityLeeway))
	var failed error // of the directory, not of the token
	token, err := parser.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) {
		for name := range t.Header {
			if name != "alg" && name != "typ" && name != "kid" {
				return nil, jwt.ErrTokenUnverifiable // crit, jku, x5u, jwk: nothing we act on
			}
		}
		if t.Method == jwt.SigningMethodEdDSA {
			set := jwt.VerificationKeySet{}
			for _, k := range keys {
				set.Keys = append(set.Keys, k)
			}
			return set, nil
		}
		kid, _ := t.Header["kid"].(string)
		secret, err := g.identitySecret(ctx, sc, kid)
		failed = err
		return secret, err
	})
	if problem.Is(failed, problem.Unavailable) {
		return "", failed
	}
	if err != nil || !token.Valid || claims.IssuedAt == nil || claims.ExpiresAt.Sub(claims.IssuedAt.Time) > identityLife ||
		len(claims.Audience) != 1 || !isPerson(claims.Subject) {
		return "", refused
	}
	return claims.Subject, nil
}

// isPerson reports whether a company may call a person so.
func isPerson(s string) bool {
	return text(s, 1, 128) && !strings.HasPrefix(s, visitorPrefix)
}

// identitySecret returns the bytes of the project's identity key.
func (g *Gate) identitySecret(ctx context.Context, sc tenant.Scope, id string) ([]byte, error) {
	if !isKeyID(id) {
		return nil, unauthenticated()
	}
	ok, err := g.source.hasIdentityKey(ctx, sc, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, unauthenticated()
	}
	return []byte(g.idkeys.text(id)), nil
}

// has reports whether the site has the assistant.
func (s Site) has(assistant string) bool { return slices.Contains(s.Assistants, assistant) }
