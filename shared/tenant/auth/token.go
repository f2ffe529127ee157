package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"switchboard/shared/tenant/internal/scope"
)

// Lives of a widget token. It can be renewed while it holds; a day's work in one page
// is enough, and after that the page asks anew.
const (
	tokenLife   = 15 * time.Minute
	tokenRenews = 12 * time.Hour
	tokenLeeway = 30 * time.Second // of clocks, between our own processes
)

// What a widget token may be used for.
const visitorCan = scope.Chat | scope.Conversations | scope.WidgetTokens

// The audience and type keep a token of ours from being taken for another of ours.
const tokenAudience = "switchboard/widget"

// visitor is what a widget token says. It is signed by us, so what it says is so.
type visitor struct {
	jwt.RegisteredClaims                  // Subject: the person; ID: unique
	Project              string           `json:"project"`
	Assistant            string           `json:"assistant"`
	Origin               string           `json:"origin"`
	Key                  string           `json:"key"`              // id of the publishable key it was given for
	Proven               bool             `json:"proven,omitempty"` // see scope.Grant
	Since                *jwt.NumericDate `json:"since"`            // when the first of its line was given
}

// tokens makes and opens widget tokens and visitors' marks.
type tokens struct {
	signer
	mark []byte
}

func newTokens(master []byte) (*tokens, error) {
	s, err := newSigner(master, "widget token", tokenAudience, tokenLeeway)
	if err != nil {
		return nil, err
	}
	mark, err := Derive(master, "visitor mark")
	return &tokens{s, mark}, err
}

// signer makes and opens tokens of one sort: they have a key and an audience of their
// own, and so are no other sort's.
type signer struct {
	key    []byte
	parser *jwt.Parser
}

func newSigner(master []byte, purpose, audience string, leeway time.Duration) (signer, error) {
	key, err := Derive(master, purpose)
	return signer{key, jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
	)}, err
}

func (s signer) sign(claims jwt.Claims) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(s.key)
}

// read fills in the claims of a token that is one of the signer's and holds.
func (s signer) read(text string, claims jwt.Claims) bool {
	if !ourHeader(text) {
		return false
	}
	parsed, err := s.parser.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return s.key, nil })
	return err == nil && parsed.Valid
}

// issue signs a token for v, which holds from now.
func (t *tokens) issue(v visitor, now time.Time) (text string, expires time.Time, err error) {
	expires = now.Add(tokenLife).Truncate(time.Second)
	v.ID, v.Audience = random(secretLen), jwt.ClaimStrings{tokenAudience}
	v.IssuedAt, v.ExpiresAt = jwt.NewNumericDate(now), jwt.NewNumericDate(expires)
	if v.Since == nil {
		v.Since = v.IssuedAt
	}
	text, err = t.sign(v)
	return text, expires, err
}

// open returns what a token says, if it is one of ours and holds.
func (t *tokens) open(text string, now time.Time) (*visitor, bool) {
	v := &visitor{}
	if !t.read(text, v) || v.Subject == "" || v.Project == "" || v.Assistant == "" || v.Origin == "" || !isKeyID(v.Key) || v.Since == nil {
		return nil, false
	}
	// Whoever holds the key for longer than a renewal may last has it from elsewhere.
	if now.Sub(v.Since.Time) > tokenRenews+tokenLife || v.ExpiresAt.Sub(v.IssuedAt.Time) > tokenLife {
		return nil, false
	}
	return v, true
}

// ourHeader reports whether the token's first part is the only one that we write. It
// spares reading any other, with whatever algorithm, key id or URL it names.
func ourHeader(text string) bool {
	const header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." // {"alg":"HS256","typ":"JWT"}
	return strings.HasPrefix(text, header)
}

// The names of persons whom no company vouches for begin so; one of a company's own
// never does.
const (
	visitorPrefix = "visitor:"
	claimedPrefix = visitorPrefix + "~" // who the visitor says they are
)

// newVisitor returns the id of a new visitor: random, with our mark, so that nobody
// can make one up.
func (t *tokens) newVisitor() string {
	id := random(26)
	return "v_" + id + "_" + t.markOf(id)
}

// person returns whose data a visitor of that id may touch. An id with our mark
// belongs to who has it; ok is false for one that looks like it and is not. Any other
// is a claim: it is kept apart, and proves nothing.
func (t *tokens) person(id string) (name string, proven, ok bool) {
	rest, ours := strings.CutPrefix(id, "v_")
	if !ours {
		return claimedPrefix + id, false, text(id, 1, 100)
	}
	id, mark, _ := strings.Cut(rest, "_")
	if !hmac.Equal([]byte(mark), []byte(t.markOf(id))) {
		return "", false, false
	}
	return visitorPrefix + id, true, true
}

func (t *tokens) markOf(id string) string {
	mac := hmac.New(sha256.New, t.mark)
	mac.Write([]byte(id))
	return strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)[:15]))
}

// text reports whether s is from least to most printable ASCII characters.
func text(s string, least, most int) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) >= least && len(s) <= most
}
