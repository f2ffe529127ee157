package lambdahost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"switchboard/shared/problem"
	"switchboard/shared/tenant/auth"
)

// The causes of a request context's end, for [context.Cause].
var (
	// ErrDeadline means that Lambda will stop the process within seconds: write
	// the terminal frame, store what there is, return. It is a
	// context.DeadlineExceeded, so who passes it on as it is answers with a 503.
	ErrDeadline = fmt.Errorf("lambdahost: the function's deadline is near: %w", context.DeadlineExceeded)
	// ErrClientGone means that nobody reads the answer any more. It is a
	// context.Canceled, as net/http's own cause for that is.
	ErrClientGone = fmt.Errorf("lambdahost: the client is gone: %w", context.Canceled)
)

// grace is how long before Lambda's deadline a request's context ends. A function
// whose whole timeout is short gives up half of what it has instead.
const grace = 3 * time.Second

// errBroken is all that leaves the process about a panic: its text may quote a
// client's data, and it was logged.
var errBroken = errors.New("lambdahost: the handler failed before its answer was complete")

var errNoProxyEvent = errors.New("lambdahost: not a proxy event of an API Gateway REST API")

// Handler returns h as a function for lambda.Start that answers the events of a
// REST API whose integration is in response transfer mode STREAM.
//
// Anything but such an event is an error. The function returns as soon as h first
// writes, flushes or ends; the rest of h's answer is the response's Body.
func Handler(h http.Handler) func(context.Context, events.APIGatewayProxyRequest) (*events.APIGatewayProxyStreamingResponse, error) {
	return func(ctx context.Context, ev events.APIGatewayProxyRequest) (*events.APIGatewayProxyStreamingResponse, error) {
		if ev.HTTPMethod == "" || ev.Path == "" {
			return nil, errNoProxyEvent
		}
		ctx, stop := requestContext(ctx)
		r, err := newRequest(ctx, &ev)
		vouched, serve := principalOf(&ev), h
		if err != nil {
			serve = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { refuse(w, r, err) })
		}
		x := newExchange(stop, r)
		go x.run(serve, vouched)
		<-x.begun
		return &events.APIGatewayProxyStreamingResponse{
			StatusCode: x.status, MultiValueHeaders: x.sent, Body: x,
		}, nil
	}
}

// behindAuthorizer is a handler that is told what the gateway's authorizer said of a
// request.
type behindAuthorizer interface {
	ServePrincipal(http.ResponseWriter, *http.Request, auth.PrincipalToken)
}

var _ behindAuthorizer = (*auth.Door)(nil)

// principalKey is the one member of an authorizer's context that is ours; [Authorizer]
// writes it, and nothing else of the context is read.
const principalKey = "principal"

// principalOf is what the authorizer said; "" where there was none.
func principalOf(ev *events.APIGatewayProxyRequest) auth.PrincipalToken {
	text, _ := ev.RequestContext.Authorizer[principalKey].(string)
	return auth.PrincipalToken(text)
}

// serveVouched serves a request with what the authorizer said of it, to whom can hear it.
func serveVouched(h http.Handler, w http.ResponseWriter, r *http.Request, vouched auth.PrincipalToken) {
	if b, ok := h.(behindAuthorizer); ok {
		b.ServePrincipal(w, r, vouched)
		return
	}
	h.ServeHTTP(w, r)
}

// requestContext derives a request's context from the invocation's.
func requestContext(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, stop := context.WithCancelCause(ctx)
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, stop
	}
	early := min(grace, time.Until(deadline)/2)
	ctx, cancel := context.WithDeadlineCause(ctx, deadline.Add(-early), ErrDeadline)
	return ctx, func(cause error) {
		stop(cause)
		cancel()
	}
}

// run calls h and ends the answer as h did.
func (x *exchange) run(h http.Handler, vouched auth.PrincipalToken) {
	defer close(x.done)
	returned := false
	defer func() {
		v := recover()
		x.stop(context.Canceled) // before the reader learns of the end: its Close must find nobody to stop
		if returned {
			x.finish()
		} else { // a panic, or runtime.Goexit, of which recover says nil
			x.fail(v)
		}
	}()
	serveVouched(h, x, x.request, vouched)
	returned = true
}

// fail answers for a handler that did not return. Once something was sent a clean
// end would pass half an answer off as a whole one, so the stream breaks.
func (x *exchange) fail(v any) {
	if v != http.ErrAbortHandler { // which is how a handler breaks its answer on purpose, after logging why
		slog.LogAttrs(x.request.Context(), slog.LevelError, "panic in a handler",
			slog.String("request_id", x.request.Header.Get(requestIDHeader)),
			slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	}
	if x.committed {
		x.end(errBroken)
		return
	}
	x.header, x.wrote = make(http.Header), false
	refuse(x, x.request, &problem.Error{Kind: problem.Internal, Op: "lambdahost.Handler"})
	x.finish()
}

// refuse answers with a problem of the three kinds that arise in this package.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.From(err)
	status := http.StatusInternalServerError
	switch p.Kind {
	case problem.Invalid:
		status = http.StatusBadRequest
	case problem.Unavailable:
		status = http.StatusServiceUnavailable
	}
	id := r.Header.Get(requestIDHeader)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set(requestIDHeader, id)
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(p.RetryAfter/time.Second)))
	}
	w.WriteHeader(status)
	w.Write(auth.Problem(p, id, "", false)) // the client may be gone; that is no failure of ours
}
