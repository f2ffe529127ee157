package lambdahost

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"switchboard/shared/problem"
)

// openTimeout leaves room in the 10 seconds that Lambda grants the init phase:
// past them it starts the phase again, on the first client's time.
const openTimeout = 8 * time.Second

// Serve runs one function until the process ends. It opens the dependencies once,
// before the first event, and serves what routes makes of them.
//
// If open fails, or panics, that is logged and every event tries again; until one
// succeeds each is answered with a 503. A process that exited instead would show
// clients a bare gateway error and cost each of them a cold start.
//
// The context that open is given lives as long as the process once open has
// succeeded.
func Serve[D any](open func(context.Context) (D, error), routes func(D) http.Handler) {
	slog.SetDefault(lambdacontext.NewLogger())
	app := newApp(open, routes)
	if _, err := app.opened(); err != nil {
		logUnopened(context.Background(), err)
	}
	lambda.Start(Handler(app))
}

// app is a handler that is opened when first needed.
type app struct {
	open func() (http.Handler, error)

	mu      sync.Mutex
	handler http.Handler // nil until open has succeeded
}

func newApp[D any](open func(context.Context) (D, error), routes func(D) http.Handler) *app {
	return &app{open: func() (h http.Handler, err error) {
		ctx, cancel := context.WithCancel(context.Background())
		late := time.AfterFunc(openTimeout, cancel)
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
			late.Stop()
			if err != nil {
				cancel()
			}
		}()
		deps, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return routes(deps), nil
	}}
}

// opened returns the handler. Requests that arrive while one is opening it wait
// for that attempt rather than start a second.
func (a *app) opened() (http.Handler, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.handler != nil {
		return a.handler, nil
	}
	h, err := a.open()
	if err != nil {
		return nil, err
	}
	a.handler = h
	return h, nil
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, err := a.opened()
	if err != nil {
		logUnopened(r.Context(), err)
		refuse(w, r, &problem.Error{Kind: problem.Unavailable, Op: "lambdahost.Serve", RetryAfter: time.Second})
		return
	}
	h.ServeHTTP(w, r)
}

func logUnopened(ctx context.Context, err error) {
	slog.LogAttrs(ctx, slog.LevelError, "the function could not open its dependencies", slog.Any("err", err))
}
