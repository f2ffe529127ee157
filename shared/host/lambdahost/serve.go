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
	"switchboard/shared/tenant/auth"
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
type app struct{ opening[http.Handler] }

func newApp[D any](open func(context.Context) (D, error), routes func(D) http.Handler) *app {
	return &app{opening[http.Handler]{open: func(ctx context.Context) (http.Handler, error) {
		deps, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return routes(deps), nil
	}}}
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.ServePrincipal(w, r, "") }

func (a *app) ServePrincipal(w http.ResponseWriter, r *http.Request, vouched auth.PrincipalToken) {
	h, err := a.opened()
	if err != nil {
		logUnopened(r.Context(), err)
		refuse(w, r, &problem.Error{Kind: problem.Unavailable, Op: "lambdahost.Serve", RetryAfter: time.Second})
		return
	}
	serveVouched(h, w, r, vouched)
}

// opening is a value that is opened when first needed.
type opening[T any] struct {
	open func(context.Context) (T, error)

	mu    sync.Mutex
	done  bool
	value T // once done
}

// opened returns the value. Events that arrive while one is opening it wait for
// that attempt rather than start a second.
func (o *opening[T]) opened() (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return o.value, nil
	}
	v, err := o.attempt()
	if err == nil {
		o.value, o.done = v, true
	}
	return v, err
}

// attempt opens within openTimeout, and makes an error of a panic.
func (o *opening[T]) attempt() (_ T, err error) {
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
	return o.open(ctx)
}

func logUnopened(ctx context.Context, err error) {
	slog.LogAttrs(ctx, slog.LevelError, "the function could not open its dependencies", slog.Any("err", err))
}
