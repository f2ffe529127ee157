package auth

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"switchboard/shared/problem"
)

// MaxRequestBody is the most a JSON body may have, in bytes.
const MaxRequestBody = 256 << 10

// MaxAdminBody is the same for the admin API, where a company's files come in. A gateway
// before a Lambda takes 6 MB.
const MaxAdminBody = 4 << 20

// requestIDHeader carries the request's id out. Hosts set it on the way in from
// what their gateway said and drop what a client sent.
const requestIDHeader = "X-Request-Id"

// Door serves routes behind a gate; see [Handler].
type Door struct {
	serve func(http.ResponseWriter, *http.Request, PrincipalToken)
}

// ServeHTTP serves a request of which no authorizer said anything.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.serve(w, r, "") }

// ServePrincipal serves a request with what the gateway's authorizer said of it. The
// token is a parameter of its own, so that nothing a client sends can be taken for it;
// a gate that reads the directory does not look at it.
func (d *Door) ServePrincipal(w http.ResponseWriter, r *http.Request, vouched PrincipalToken) {
	d.serve(w, r, vouched)
}

// Handler serves the routes behind the gate. Everything it does not serve is a
// 404 problem, a wrong method a 405.
func Handler(g *Gate, routes []Route) *Door {
	mux := http.NewServeMux()
	fromPages := make(map[string]bool) // patterns that a browser on another site may ask
	for _, rt := range routes {
		mux.Handle(rt.Pattern, rt.handler(g))
		fromPages[rt.Pattern] = rt.Allow.kind(Publishable) || rt.Allow.kind(VisitorToken)
	}
	return &Door{func(w http.ResponseWriter, r *http.Request, vouched PrincipalToken) {
		if !visible(r.Header.Get(requestIDHeader), 128) {
			r.Header.Set(requestIDHeader, newRequestID())
		}
		w.Header().Set(requestIDHeader, r.Header.Get(requestIDHeader))
		t := &tracked{ResponseWriter: w, vouched: vouched}
		if !clean(r.URL.EscapedPath()) { // the mux would redirect: one path, one spelling
			notServed(t, r, http.NotFoundHandler())
			return
		}
		if method := r.Header.Get("Access-Control-Request-Method"); r.Method == http.MethodOptions && method != "" {
			_, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host})
			preflight(t, r, fromPages[pattern])
			return
		}
		h, pattern := mux.Handler(r)
		if pattern == "" {
			notServed(t, r, h)
			return
		}
		mux.ServeHTTP(t, r)
	}}
}

// clean reports whether the path has no empty, "." or ".." segment.
func clean(p string) bool {
	c := path.Clean(p)
	return p == c || p == c+"/"
}

// notServed answers what the mux would, as a problem.
func notServed(w http.ResponseWriter, r *http.Request, h http.Handler) {
	openAI := strings.HasPrefix(r.URL.Path, "/v1/") // its clients try paths that we do not have
	probe := &statusProbe{header: make(http.Header)}
	h.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.header.Get("Allow"))
		p := problem.New(problem.Invalid, "auth.Handler", "This path does not take the method %s.", r.Method)
		writeProblemStatus(w, p, http.StatusMethodNotAllowed, openAI)
		return
	}
	writeProblem(w, problem.New(problem.NotFound, "auth.Handler", "There is nothing at this path."), openAI)
}

// statusProbe learns what the mux answers without sending it.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }

// handler runs a route and answers its errors and panics.
func (rt Route) handler(g *Gate) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		t := w.(*tracked) // Handler's
		fail := func(p *problem.Error) {
			rt.log(r, started, p)
			if t.begun {
				// Something went out already: a clean end would look like a
				// whole answer, so break the connection.
				panic(http.ErrAbortHandler)
			}
			writeProblem(t, p, rt.OpenAI)
		}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			fail(problem.Wrap(problem.Internal, "auth.handler", problem.Panicked(v)))
		}()
		err := rt.serve(g, t, r)
		if err == nil && !t.begun && !rt.Public {
			err = errors.New("auth.handler: the handler answered nothing")
		}
		if err != nil {
			fail(problem.From(err))
		}
	})
}

// log records a request that failed. Ids and classes only: never a body, never a
// credential. What a client did wrong is told to the client: the sentence about it
// may quote the request, so it is not logged.
func (rt Route) log(r *http.Request, started time.Time, p *problem.Error) {
	level := slog.LevelInfo
	if p.Kind == problem.Upstream {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("request_id", r.Header.Get(requestIDHeader)),
		slog.String("route", rt.Pattern),
		slog.Int("status", status(p.Kind)),
		slog.Duration("took", time.Since(started)),
		slog.String("op", p.Op),
		slog.String("kind", p.Kind.String()),
	}
	switch p.Kind {
	case problem.Internal, problem.Unavailable:
		level = slog.LevelError
		attrs = append(attrs, slog.Any("err", error(p)))
	case problem.Upstream, problem.RateLimited, problem.Canceled:
		attrs = append(attrs, slog.Any("err", error(p)))
	}
	slog.LogAttrs(r.Context(), level, "request failed", attrs...)
}

// writeTimeout is how long one write may take before the client counts as gone.
const writeTimeout = 30 * time.Second

// tracked knows whether an answer has begun, and gives each write its deadline, so
// that a client that does not read holds nothing for long. It brings what the
// authorizer said to the gate.
type tracked struct {
	http.ResponseWriter
	begun   bool
	vouched PrincipalToken
}

// vouchedFor is what the gateway's authorizer said of the request that w answers.
func vouchedFor(w http.ResponseWriter) PrincipalToken {
	if t, ok := w.(*tracked); ok {
		return t.vouched
	}
	return ""
}

func (t *tracked) begin() {
	t.begun = true
	http.NewResponseController(t.ResponseWriter).SetWriteDeadline(time.Now().Add(writeTimeout)) // both hosts have it
}

func (t *tracked) WriteHeader(status int) {
	t.begin()
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracked) Write(b []byte) (int, error) {
	t.begin()
	return t.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the host's writer.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// readBody reads a JSON body of at most most bytes whole.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	const op = "auth.readBody"
	if ct := r.Header.Values("Content-Type"); len(ct) > 0 {
		if mt, _, err := mime.ParseMediaType(ct[0]); err != nil || mt != "application/json" || len(ct) > 1 {
			return nil, problem.Bad(op, "Content-Type", "send the header Content-Type: application/json")
		}
	}
	tooLarge := problem.Bad(op, "body", "the body is larger than %d bytes", most)
	if r.ContentLength > most {
		return nil, tooLarge
	}
	var body []byte
	var err error
	if r.ContentLength > 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	}
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge
	}
	if err != nil {
		return nil, problem.Bad(op, "body", "the body ended early")
	}
	return body, nil
}

func newRequestID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
