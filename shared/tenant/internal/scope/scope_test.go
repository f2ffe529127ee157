package scope_test

import (
	"testing"

	"switchboard/shared/tenant/internal/scope"
)

// The directory is outside every tenant: nobody can be given a project of its id.
func TestDirectoryIsNoProject(t *testing.T) {
	t.Parallel()
	d := scope.Directory()
	if err := d.Check("op"); err != nil {
		t.Errorf("control: %v", err)
	}
	if id, err := scope.ParseID(d.Project().String()); err == nil {
		t.Errorf("%v can be parsed", id)
	}
}

// A grant without a project or without a kind of credential is as good as none.
func TestHalfAGrantRefuses(t *testing.T) {
	t.Parallel()
	id, err := scope.ParseID("acme")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		g  scope.Grant
		ok bool
	}{
		{scope.Grant{}, false},
		{scope.Grant{Kind: scope.SecretKey, Role: scope.Owner, Can: scope.All}, false},
		{scope.Grant{Project: id, Role: scope.Owner, Can: scope.All}, false},
		{scope.Grant{Project: id, Kind: scope.SecretKey}, true},
		{scope.Grant{Project: id, Kind: scope.Widget}, false},
		{scope.Grant{Project: id, Kind: scope.Widget, Person: "p"}, false},
		{scope.Grant{Project: id, Kind: scope.Widget, Assistant: "a"}, false},
		{scope.Grant{Project: id, Kind: scope.Widget, Person: "p", Assistant: "a"}, true},
	} {
		if err := scope.Mint(c.g).Check("op"); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.g, err)
		}
	}
}

// Roles are compared by order: each may do what the one before it may.
func TestRolesAreOrdered(t *testing.T) {
	t.Parallel()
	names := []string{"none", "viewer", "editor", "admin", "owner"}
	for i, r := range []scope.Role{scope.NoRole, scope.Viewer, scope.Editor, scope.Admin, scope.Owner} {
		if int(r) != i || r.String() != names[i] {
			t.Errorf("%v is %d, want %d", r, r, i)
		}
	}
}

// Capabilities are stored as bits: a bit never changes its meaning.
func TestCapabilitiesAreStored(t *testing.T) {
	t.Parallel()
	if scope.Chat != 1 || scope.Conversations != 2 || scope.All&3 != 3 {
		t.Errorf("%d %d %d", scope.Chat, scope.Conversations, scope.All)
	}
}
