// Package forge tries to open a door that nobody watches.
package forge

import (
	"context"
	"net/http"

	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

func serve(*auth.Gate, http.ResponseWriter, *http.Request) error { return nil }

var (
	_ = auth.Route{Pattern: "GET /x", serve: serve} // want: "unknown field serve|unexported field serve"
	_ = auth.Reply{w: nil}                          // want: "unknown field w|unexported field w"
	_ = auth.Request[auth.None]{path: nil}          // want: "unknown field path|unexported field path"
	_ = auth.Secret{text: nil}                      // want: "unknown field text|unexported field text"
	_ = auth.Directory{}.table                      // want: "table undefined"
)

var _ = auth.JSON("GET /x", auth.Allow{}, func(ctx context.Context, in *auth.Request[auth.None]) (string, error) { return "", nil }) // want: "does not match|cannot use"

func change(rt auth.Route, g *auth.Gate, c auth.Credential, in *auth.Request[auth.None], sc tenant.Scope) {
	rt.serve = serve          // want: "rt.serve undefined"
	_, _ = g.lookup(nil, "")  // want: "g.lookup undefined"
	_, _ = c.scope()          // want: "c.scope undefined"
	_ = in.Header             // want: "in.Header undefined"
	_ = in.Credential         // want: "in.Credential undefined"
	_ = auth.Handler(sc, nil) // want: "cannot use sc"
}
