// Package app is the composition root: it names the routes of each function.
//
// The mains under functions import it with one of its wirings, app/local or
// app/aws, which open the drivers. Its one promise: what a function can do is
// what is listed here, and nothing registers itself.
package app

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"switchboard/shared/admin"
	"switchboard/shared/chat"
	"switchboard/shared/strictjson"
	"switchboard/shared/tenant/auth"
	"switchboard/shared/web/demo"
)

// Parts is what the functions are made of. A wiring fills in what its functions
// need.
type Parts struct {
	Gate  *auth.Gate
	Chat  *chat.Service
	Admin *admin.Service
	Demo  *demo.Pages // nil where there are none
}

// Chat serves the chat function, and gives a widget the token it chats with.
func Chat(p *Parts) http.Handler {
	p.mustSeal()
	return auth.Handler(p.Gate, chatRoutes(p))
}

// TenantAdmin serves the operator's function.
func TenantAdmin(p *Parts) http.Handler { return auth.Handler(p.Gate, p.Admin.Routes()) }

// InvokeAdmin is what the operator's function does for those whom AWS lets invoke it: it
// makes an operator key, of which there has to be a first. The event is
// {"operator_key":{"name":"..."}}, the answer the key with its text.
func InvokeAdmin(ctx context.Context, p *Parts, event []byte) (any, error) {
	var in struct {
		Key *struct {
			Name string `json:"name"`
		} `json:"operator_key"`
	}
	if err := strictjson.Unmarshal(event, &in); err != nil || in.Key == nil {
		return nil, errors.Join(errors.New(`app: expected {"operator_key":{"name":"..."}}`), err)
	}
	return p.Admin.OperatorKey(ctx, in.Key.Name)
}

// All serves every function in one process, with health and demo pages.
func All(p *Parts) http.Handler {
	p.mustSeal()
	return auth.Handler(p.Gate, Routes(p))
}

// mustSeal ends a process whose wiring forgot to say how the table keeps bodies,
// before it serves anybody.
func (p *Parts) mustSeal() {
	if !p.Chat.Table.Decided() {
		panic("app: the table has no sealer")
	}
}

// Routes lists every route of every function, for the tests of policy.
func Routes(p *Parts) []auth.Route {
	return slices.Concat(chatRoutes(p), p.Admin.Routes(), publicRoutes(p))
}

func chatRoutes(p *Parts) []auth.Route { return append(p.Chat.Routes(), auth.WidgetToken()) }

func publicRoutes(p *Parts) []auth.Route {
	routes := []auth.Route{auth.Public("GET /healthz", http.HandlerFunc(healthz))}
	if p.Demo != nil {
		routes = append(routes,
			auth.Public("GET /demo/{project}", http.HandlerFunc(p.Demo.Page)),
			auth.Public("GET /demo/{project}/about.json", http.HandlerFunc(p.Demo.About)),
			auth.Public("GET /demo-assets/{file}", http.HandlerFunc(p.Demo.Asset)))
	}
	return routes
}

// healthz answers once the process is ready: it listens only after its stores
// are open.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write([]byte(`{"status":"ok"}` + "\n"))
}
