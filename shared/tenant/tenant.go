// Package tenant says who is asking, and for which company.
//
// Everybody may import it. A [Scope] is the parameter after ctx in every call
// that touches data; it is never put inside ctx and never kept in a struct that
// outlives a request. Its one promise: outside this folder nobody can make a
// Scope, so whoever holds one was given it by shared/tenant/auth, which checked
// a credential. The types live in an internal package so that the compiler, not
// a reviewer, keeps that promise.
package tenant

import "switchboard/shared/tenant/internal/scope"

type (
	// ID is a project's id; see [ParseID] for its grammar.
	ID = scope.ID
	// Scope is who is asking, for which project, with which authority.
	Scope = scope.Scope
	// Role is what a credential may do in its project.
	Role = scope.Role
	// Capability is one thing a credential may be used for.
	Capability = scope.Capability
)

// The roles, each of which may do all that the one before it may.
const (
	Viewer = scope.Viewer
	Editor = scope.Editor
	Admin  = scope.Admin
	Owner  = scope.Owner
)

// The capabilities; see the internal package for what each allows.
const (
	CanChat              = scope.Chat
	CanReadConversations = scope.Conversations
)

// ParseRole parses a role's name. The error is an Invalid problem.
func ParseRole(s string) (Role, error) { return scope.ParseRole(s) }

// ParseID parses a project id: 3 to 40 of a-z 0-9 -, starting with a letter, no
// double hyphen, no hyphen at the end. The error is an Invalid problem.
func ParseID(s string) (ID, error) { return scope.ParseID(s) }
