package lambdahost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
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
	lambda.Start(Handler(start(open, routes)))
}

// Direct is what a function does for those whom AWS lets invoke it by itself, with no
// gateway before it (lambda:InvokeFunction). It is given the event as it came and says
// what is answered, as JSON. An error's text goes to who invoked it.
type Direct[D any] func(ctx context.Context, deps D, event []byte) (any, error)

// ServeDirect is [Serve] of a function that does something for them, too.
func ServeDirect[D any](open func(context.Context) (D, error), routes func(D) http.Handler, direct Direct[D]) {
	lambda.Start(directly(start(open, routes), direct))
}

// start opens for the first time, in the init phase.
func start[D any](open func(context.Context) (D, error), routes func(D) http.Handler) *app[D] {
	slog.SetDefault(lambdacontext.NewLogger())
	a := newApp(open, routes)
	if _, err := a.opened(); err != nil {
		logUnopened(context.Background(), err)
	}
	return a
}

// directly tells the gateway's events, which always have a method, from others.
func directly[D any](a *app[D], direct Direct[D]) func(context.Context, json.RawMessage) (any, error) {
	gateway := Handler(a)
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var ev events.APIGatewayProxyRequest
		if err := json.Unmarshal(raw, &ev); err != nil {
			return nil, errNoProxyEvent
		}
		if ev.HTTPMethod != "" || ev.Path != "" || ev.Resource != "" || ev.RequestContext.APIID != "" {
			return gateway(ctx, ev)
		}
		return a.with(ctx, func(ctx context.Context, s served[D]) (any, error) { return direct(ctx, s.deps, raw) })
	}
}

// app is a handler that is opened when first needed.
type app[D any] struct{ opening[served[D]] }

// served is what a function serves, and with what.
type served[D any] struct {
	deps    D
	handler http.Handler
}

func newApp[D any](open func(context.Context) (D, error), routes func(D) http.Handler) *app[D] {
	return &app[D]{opening[served[D]]{open: func(ctx context.Context) (s served[D], err error) {
		if s.deps, err = open(ctx); err == nil {
			s.handler = routes(s.deps)
		}
		return s, err
	}}}
}

func (a *app[D]) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.ServePrincipal(w, r, "") }

func (a *app[D]) ServePrincipal(w http.ResponseWriter, r *http.Request, vouched auth.PrincipalToken) {
	s, err := a.opened()
	if err != nil {
		logUnopened(r.Context(), err)
		refuse(w, r, &problem.Error{Kind: problem.Unavailable, Op: "lambdahost.Serve", RetryAfter: time.Second})
		return
	}
	serveVouched(s.handler, w, r, vouched)
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

// with has do answer an event that is not answered over HTTP, in the invocation's time.
// Nothing of a panic leaves the process, and nothing of why the value does not open.
func (o *opening[T]) with(ctx context.Context, do func(context.Context, T) (any, error)) (_ any, err error) {
	v, err := o.opened()
	if err != nil {
		logUnopened(ctx, err)
		return nil, errors.New("lambdahost: the function is not open")
	}
	ctx, stop := requestContext(ctx)
	defer stop(context.Canceled)
	defer recovered(ctx, &err)
	return do(ctx, v)
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
