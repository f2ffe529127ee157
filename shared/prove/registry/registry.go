// Package registry tells prove of the routes that this program declares.
//
// The command line imports it, and the tests of prove. Its one promise: a route is told of
// whole, by what the gate itself goes by.
package registry

import (
	"switchboard/shared/prove"
	"switchboard/shared/tenant/auth"
)

// Routes are the declared routes as data.
func Routes(declared []auth.Route) (out []prove.Route) {
	for _, rt := range declared {
		r := prove.Route{Pattern: rt.Pattern, IDs: rt.IDs, Body: rt.Body != nil, Public: rt.Public, Admin: rt.Admin}
		if rt.Allow.Role > 0 {
			r.Role = rt.Allow.Role.String()
		}
		for _, k := range rt.Allow.Kinds {
			r.Kinds = append(r.Kinds, string(k))
		}
		out = append(out, r)
	}
	return out
}
