// Package tenanttest makes scopes for tests. Only tests may import it, and it
// panics outside a test binary: a Scope it makes was checked by nobody.
package tenanttest

import (
	"testing"

	"switchboard/shared/tenant"
	"switchboard/shared/tenant/internal/scope"
)

// Scope returns an owner's scope of the project, with every capability.
func Scope(project string) tenant.Scope {
	if !testing.Testing() {
		panic("tenanttest: called outside a test")
	}
	id, err := scope.ParseID(project)
	if err != nil {
		panic(err)
	}
	return scope.Mint(scope.Grant{Project: id, Credential: "test", Kind: scope.SecretKey, Role: scope.Owner, Can: scope.All})
}
