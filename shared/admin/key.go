package admin

import (
	"context"
	"log/slog"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Key is a credential as the API shows it. Its text is shown once, to who made it.
type Key struct {
	ID      string     `json:"id"`
	Kind    string     `json:"kind"` // secret | publishable | identity
	Name    string     `json:"name,omitempty"`
	Role    string     `json:"role,omitempty"`
	Status  string     `json:"status"` // active | expired | revoked
	Created time.Time  `json:"created_at"`
	Expires *time.Time `json:"expires_at,omitempty"`
	Text    string     `json:"key,omitempty"`
}

// kinds are the credentials of a project, by the name the API has for them.
func kinds() map[string]auth.Kind {
	return map[string]auth.Kind{"secret": auth.SecretKey, "publishable": auth.Publishable, "identity": auth.IdentityKey}
}

// KeyOf is the credential as the API shows it at that time.
func KeyOf(c auth.Credential, now time.Time) Key {
	k := Key{ID: c.ID, Name: c.Name, Status: "active", Created: c.Created}
	if c.Kind == auth.OperatorKey { // of no project, so not among kinds
		k.Kind = "operator"
	}
	for name, kind := range kinds() {
		if kind == c.Kind {
			k.Kind = name
		}
	}
	if c.Kind == auth.SecretKey {
		k.Role = c.Role.String()
	}
	if !c.Expires.IsZero() {
		k.Expires = &c.Expires
	}
	switch {
	case !c.Revoked.IsZero():
		k.Status = "revoked"
	case !c.Expires.IsZero() && !now.Before(c.Expires):
		k.Status = "expired"
	}
	return k
}

func (s *Service) keys(ctx context.Context, o auth.Operator, in *auth.Request[auth.None]) (list[Key], error) {
	limit, err := in.PageSize()
	if err != nil {
		return list[Key]{}, err
	}
	all, next, err := s.Directory.Keys(ctx, o.Project(), limit, in.Query("cursor"))
	return page(all, next, func(c auth.Credential) Key { return KeyOf(c, time.Now()) }), err
}

// issueRequest is the body of POST .../keys.
type issueRequest struct {
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	Role    string    `json:"role"`       // of a secret key; "" = owner
	Expires time.Time `json:"expires_at"` // zero = until it is revoked
}

func (s *Service) issue(ctx context.Context, o auth.Operator, in *auth.Request[issueRequest]) (Key, error) {
	const op = "admin.issue"
	b := in.Body
	kind, ok := kinds()[b.Kind]
	switch {
	case !ok:
		return Key{}, problem.Bad(op, "kind", `field "kind" is secret, publishable or identity`)
	case len(b.Name) > maxName:
		return Key{}, problem.Bad(op, "name", `field "name" has more than %d bytes`, maxName)
	case !b.Expires.IsZero() && !b.Expires.After(time.Now()):
		return Key{}, problem.Bad(op, "expires_at", `field "expires_at" is not in the future`)
	case b.Role != "" && kind != auth.SecretKey:
		return Key{}, problem.Bad(op, "role", `field "role" is for secret keys`)
	}
	c := auth.Credential{Kind: kind, Project: o.Project().String(), Name: b.Name, Expires: b.Expires.UTC()}
	if b.Role != "" {
		var err error
		if c.Role, err = tenant.ParseRole(b.Role); err != nil {
			return Key{}, err
		}
	}
	return s.issued(ctx, c)
}

// OperatorKey makes an operator key. No route leads here: an operator's key that is lost
// must not have left another behind.
func (s *Service) OperatorKey(ctx context.Context, name string) (Key, error) {
	if len(name) > maxName {
		return Key{}, problem.Bad("admin.OperatorKey", "name", `field "name" has more than %d bytes`, maxName)
	}
	if s.Plans != nil { // or the gateway would refuse whoever shows it
		if err := s.Plans.EnsureOperators(ctx); err != nil {
			return Key{}, err
		}
	}
	k, err := s.issued(ctx, auth.Credential{Kind: auth.OperatorKey, Name: name})
	if err == nil {
		slog.WarnContext(ctx, "an operator key was made", slog.String("key", k.ID), slog.String("name", name))
	}
	return k, err
}

// issued makes a credential and shows its text, this once.
func (s *Service) issued(ctx context.Context, c auth.Credential) (Key, error) {
	c, secret, err := s.Directory.Issue(ctx, c)
	if err != nil {
		return Key{}, err
	}
	k := KeyOf(c, time.Now())
	k.Text = secret.Reveal()
	return k, nil
}

// maxName bounds what people call a key, in bytes.
const maxName = 100

func (s *Service) revoke(ctx context.Context, o auth.Operator, in *auth.Request[auth.None]) (Key, error) {
	c, err := s.Directory.RevokeOf(ctx, o.Project(), in.Path("key"))
	return KeyOf(c, time.Now()), err
}
