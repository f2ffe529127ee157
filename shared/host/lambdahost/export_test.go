package lambdahost

import (
	"context"
	"encoding/json"
	"net/http"
)

// NewRequest is the decoding half of Handler, in the caller's goroutine.
var NewRequest = newRequest

// Opening is Serve without the Runtime API, for tests of what it does until open
// succeeds.
func Opening[D any](open func(context.Context) (D, error), routes func(D) http.Handler) http.Handler {
	return newApp(open, routes)
}

// Worked is Work without the Runtime API.
func Worked[W Worker](open func(context.Context) (W, error)) func(context.Context, json.RawMessage) (any, error) {
	return worker(&opening[W]{open: open})
}
