package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// Kind is a kind of credential.
type Kind string

// The kinds of credential, by the prefix of their text.
const (
	SecretKey   Kind = "sk" // a company's server; <sk>_<keyId>_<secret>
	Publishable Kind = "pk" // asks for a widget token; pk_<keyId>, no secret
	OperatorKey Kind = "op" // the platform's owner; op_<keyId>_<secret>
	IdentityKey Kind = "is" // a company's server signs with it who a visitor is; it opens nothing

	// VisitorToken is what a browser has of us: a signed token, see WidgetToken. The
	// directory holds none.
	VisitorToken Kind = "widget"
)

// Credential is what the directory knows of one key. It never holds the secret.
type Credential struct {
	ID      string            `json:"id"`
	Kind    Kind              `json:"kind"`
	Project string            `json:"project,omitempty"` // "" for an operator key
	Name    string            `json:"name,omitempty"`    // what a person calls it
	Hash    []byte            `json:"hash,omitempty"`    // keyed hash of the whole text
	Can     tenant.Capability `json:"can"`
	Role    tenant.Role       `json:"role"`
	Created time.Time         `json:"created"`
	Expires time.Time         `json:"expires,omitzero"`
	Revoked time.Time         `json:"revoked,omitzero"`
}

// live reports whether the credential holds at the time.
func (c Credential) live(now time.Time) bool {
	return c.Revoked.IsZero() && (c.Expires.IsZero() || now.Before(c.Expires))
}

// Secret is a credential's text. It prints as [redacted]; Reveal is for the one
// moment it is shown to its owner.
//
// The text is behind a pointer, because fmt asks no method of what it finds in an
// unexported field, or under %#v: there it prints an address.
type Secret struct{ text *string }

// Reveal returns the credential's text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String hides the text from logs.
func (Secret) String() string { return "[redacted]" }

// idAlphabet is Crockford's base 32 in lower case: no i, l, o, u.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// random returns n characters of idAlphabet, 5 bits each.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = idAlphabet[b[i]&31]
	}
	return string(b)
}

const (
	keyIDLen  = 16 // 80 bits: public, has to be unique
	secretLen = 40 // 200 bits: has to be unguessable
)

// parse splits a credential's text. ok is false for anything that we cannot have
// issued, before any store is asked.
func parse(text string) (kind Kind, keyID string, ok bool) {
	k, rest, _ := strings.Cut(text, "_")
	id, secret, _ := strings.Cut(rest, "_")
	if !isKeyID(id) || !inAlphabet(secret) {
		return "", "", false
	}
	switch Kind(k) {
	case SecretKey, OperatorKey:
		return Kind(k), id, len(secret) == secretLen
	case Publishable:
		return Publishable, id, secret == "" && len(text) == len("pk_")+keyIDLen
	}
	return "", "", false
}

// isKeyID reports whether s has the form of a credential's id.
func isKeyID(s string) bool { return len(s) == keyIDLen && inAlphabet(s) }

func inAlphabet(s string) bool {
	for i := range len(s) {
		if strings.IndexByte(idAlphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

// hasher makes the keyed hash under which a credential is stored.
type hasher struct{ key []byte }

func newHasher(master []byte) (hasher, error) {
	key, err := Derive(master, "credential hash")
	return hasher{key}, err
}

func (h hasher) sum(text string) []byte {
	mac := hmac.New(sha256.New, h.key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// matches compares in constant time. An empty stored hash, which is that of an
// unknown id, costs the same work and matches nothing.
func (h hasher) matches(text string, stored []byte) bool {
	var want [sha256.Size]byte
	n := copy(want[:], stored)
	equal := hmac.Equal(h.sum(text), want[:])
	return equal && n == sha256.Size && len(stored) == n
}

// Derive returns the 32-byte key for a purpose from the platform's master key
// (at least 32 bytes), by HKDF-SHA256.
func Derive(master []byte, purpose string) ([]byte, error) {
	if len(master) < 32 {
		return nil, problem.New(problem.Internal, "auth.Derive", "the master key has %d bytes; at least 32 are needed", len(master))
	}
	return hkdf.Key(sha256.New, master, nil, "switchboard/"+purpose, 32)
}
