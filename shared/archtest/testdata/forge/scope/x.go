// Package forge tries to make or change a Scope or an ID.
package forge

import (
	"encoding"
	"encoding/json"

	"switchboard/shared/tenant"
)

type grant struct{ Project string }

var (
	_                            = tenant.Scope{g: nil}        // want: "unknown field g|unexported field g"
	_                            = tenant.Scope{grant{"acme"}} // want: "unexported field"
	_                            = tenant.Scope(grant{"acme"}) // want: "cannot convert"
	_                            = tenant.Mint                 // want: "undefined: tenant.Mint"
	_                            = tenant.Grant{}              // want: "undefined: tenant.Grant"
	_                            = tenant.Directory            // want: "undefined: tenant.Directory"
	_                            = tenant.ID{s: "acme"}        // want: "unknown field s|unexported field s"
	_                            = tenant.ID{"acme"}           // want: "unexported field"
	_                            = tenant.ID("acme")           // want: "cannot convert"
	_ encoding.TextUnmarshaler   = (*tenant.ID)(nil)           // want: "missing method UnmarshalText"
	_ encoding.BinaryUnmarshaler = (*tenant.ID)(nil)           // want: "missing method UnmarshalBinary"
	_ json.Unmarshaler           = (*tenant.ID)(nil)           // want: "missing method UnmarshalJSON"
	_ encoding.TextUnmarshaler   = (*tenant.Scope)(nil)        // want: "missing method UnmarshalText"
	_ json.Unmarshaler           = (*tenant.Scope)(nil)        // want: "missing method UnmarshalJSON"
)

func change(sc tenant.Scope, id tenant.ID) {
	sc.g = nil        // want: "sc.g undefined"
	sc.g.Project = id // want: "sc.g undefined"
	sc.Project() = id // want: "cannot assign"
	id.s = "beta"     // want: "id.s undefined"
}
