// Package scope holds the sealed Scope. Only packages below shared/tenant can
// import it, so only they can mint one; everybody else receives a Scope from
// shared/tenant/auth and can do nothing with it but pass it on. Its one promise:
// a Scope that exists and is not zero was made from a credential that held.
package scope

import (
	"switchboard/shared/problem"
)

// ID is a project's id: 3 to 40 of a-z 0-9 -, starting with a letter, not ending
// in a hyphen, with no double hyphen. The zero ID names no project.
type ID struct{ s string }

// ParseID parses a project id; the error is an Invalid problem.
func ParseID(s string) (ID, error) {
	if len(s) < 3 || len(s) > 40 {
		return ID{}, problem.Bad("tenant.ParseID", "", "a project id has 3 to 40 characters")
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z':
		case i > 0 && c >= '0' && c <= '9':
		case c == '-' && i > 0 && i < len(s)-1 && s[i-1] != '-':
		default:
			return ID{}, problem.Bad("tenant.ParseID", "", "a project id is made of a-z, 0-9 and single hyphens and starts with a letter")
		}
	}
	return ID{s}, nil
}

// String returns the id, or "" for the zero ID.
func (id ID) String() string { return id.s }

// IsZero reports whether id names no project.
func (id ID) IsZero() bool { return id.s == "" }

// MarshalText encodes the id. There is no UnmarshalText on purpose: a project id
// never comes in through a decoder.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.s), nil }

// Role is what a member or credential may do in its project. The zero Role may
// do nothing.
type Role uint8

// The roles, each of which may do all that the one before it may.
const (
	NoRole Role = iota
	Viewer
	Editor
	Admin
	Owner
)

// String returns the role's name.
func (r Role) String() string {
	return [...]string{"none", "viewer", "editor", "admin", "owner"}[min(r, Owner)]
}

// ParseRole parses a role's name; the error is an Invalid problem.
func ParseRole(s string) (Role, error) {
	for r := Viewer; r <= Owner; r++ {
		if r.String() == s {
			return r, nil
		}
	}
	return NoRole, problem.Bad("tenant.ParseRole", "role", "a role is viewer, editor, admin or owner")
}

// Capability is one thing a credential may be used for. Capabilities are a bit
// set; the zero set can do nothing.
type Capability uint32

// The capabilities. New ones go at the end: the bits are stored.
const (
	Chat          Capability = 1 << iota // take turns with an assistant
	Conversations                        // read conversations
	WidgetTokens                         // have widget tokens; of publishable keys and of tokens, which are renewed
)

// All is every capability, for a key that is not narrowed.
const All = Chat | Conversations

// Kind is the kind of credential a Scope was made from.
type Kind uint8

// The kinds of credential.
const (
	NoCredential Kind = iota
	SecretKey         // sk_: a company's server
	Publishable       // pk_: asks for a widget token
	Widget            // a visitor's browser, with a token it was given for a pk_
	Operator          // op_: the platform's owner
	Internal          // the platform's own background work
)

// String returns the kind's name as it stands in access records.
func (k Kind) String() string {
	return [...]string{"none", "secret_key", "publishable_key", "widget_token", "operator_key", "internal"}[min(k, Internal)]
}

// Grant is what a Scope is minted from.
type Grant struct {
	Project    ID
	Credential string // id of the credential, never its secret; or the purpose of internal work
	Kind       Kind
	Role       Role
	Can        Capability

	// Who a widget token is for. Elsewhere they are empty: anybody of the project.
	Assistant string // the one assistant it may talk to
	Person    string // whose conversations and memory it may touch
	Proven    bool   // the person was vouched for, by the company or by our own mark
}

// Scope says who is asking, for which project, with which authority. It is the
// parameter after ctx in every call that touches data. The zero Scope refuses.
type Scope struct{ g Grant }

// Mint makes a Scope.
func Mint(g Grant) Scope { return Scope{g} }

// Directory is the scope of the platform's own directory, which lives outside
// every tenant. Its id cannot be parsed, so no project can ever have it.
func Directory() Scope {
	return Scope{Grant{Project: ID{"_directory"}, Credential: "directory", Kind: Internal, Role: Owner}}
}

// Project returns the project whose data may be touched.
func (s Scope) Project() ID { return s.g.Project }

// Actor names who is asking, for access records: the credential's id.
func (s Scope) Actor() string { return s.g.Credential }

// Kind returns the kind of credential behind the scope.
func (s Scope) Kind() Kind { return s.g.Kind }

// Role returns the role the credential has in its project.
func (s Scope) Role() Role { return s.g.Role }

// Assistant returns the one assistant that may be asked; "" means any.
func (s Scope) Assistant() string { return s.g.Assistant }

// Person returns the one person whose data may be touched; "" means anybody of the
// project.
func (s Scope) Person() string { return s.g.Person }

// Proven reports whether the Person is who they say. One who is not may go on with a
// conversation whose id they know, and may have nothing listed.
func (s Scope) Proven() bool { return s.g.Proven }

// Can reports whether the scope holds every capability in c.
func (s Scope) Can(c Capability) bool { return s.g.Can&c == c }

// Check refuses the zero Scope, and one of a widget that is bound to nobody. Every
// store calls it first. The refusal is an Internal problem: a missing scope is our
// mistake, never the client's.
func (s Scope) Check(op string) error {
	if s.g.Project.s == "" || s.g.Kind == NoCredential || s.g.Kind == Widget && (s.g.Person == "" || s.g.Assistant == "") {
		return &problem.Error{Kind: problem.Internal, Op: op, Detail: "zero scope"}
	}
	return nil
}
