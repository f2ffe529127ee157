package auth

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"time"

	"switchboard/shared/problem"
)

// MaxRequestBody is the most a JSON body may have, in bytes.
const MaxRequestBody = 256 << 10

// requestIDHeader carries the request's id out. Hosts set it on the way in from
// what their gateway said and drop what a client sent.
const requestIDHeader = "X-Request-Id"

// Handler serves the routes behind the gate. Everything it does not serve is a
// 404 problem, a wrong method a 405.
func Handler(g *Gate, routes []Route) http.Handler {
	mux := http.NewServeMux()
	for _, rt := range routes {
		mux.Handle(rt.Pattern, rt.handler(g))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(requestIDHeader) == "" {
			r.Header.Set(requestIDHeader, newRequestID())
		}
		w.Header().Set(requestIDHeader, r.Header.Get(requestIDHeader))
		h, pattern := mux.Handler(r)
		if pattern == "" {
			notServed(w, r, h)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// notServed answers what the mux would, as a problem.
func notServed(w http.ResponseWriter, r *http.Request, h http.Handler) {
	probe := &statusProbe{header: make(http.Header)}
	h.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.header.Get("Allow"))
		p := problem.New(problem.Invalid, "auth.Handler", "This path does not take the method %s.", r.Method)
		writeProblemStatus(w, p, http.StatusMethodNotAllowed, false)
		return
	}
	writeProblem(w, problem.New(problem.NotFound, "auth.Handler", "There is nothing at this path."), false)
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
		t := &tracked{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler || t.begun {
				// Something went out already: a clean end would look like a
				// whole answer, so break the connection.
				rt.log(r, started, problem.New(problem.Internal, "auth.handler", "panic: %v", v), debug.Stack())
				panic(http.ErrAbortHandler)
			}
			p := problem.New(problem.Internal, "auth.handler", "panic: %v", v)
			rt.log(r, started, p, debug.Stack())
			writeProblem(w, p, rt.OpenAI)
		}()
		err := rt.serve(g, t, r)
		if err == nil {
			return
		}
		p := problem.From(err)
		rt.log(r, started, p, nil)
		if t.begun {
			panic(http.ErrAbortHandler)
		}
		writeProblem(w, p, rt.OpenAI)
	})
}

// log records a request that failed. Ids and classes only: never a body, never a
// credential.
func (rt Route) log(r *http.Request, started time.Time, p *problem.Error, stack []byte) {
	level := slog.LevelInfo
	if p.Kind == problem.Internal || p.Kind == problem.Unavailable {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("request_id", r.Header.Get(requestIDHeader)),
		slog.String("route", rt.Pattern),
		slog.Int("status", status(p.Kind)),
		slog.Duration("took", time.Since(started)),
		slog.Any("err", error(p)),
	}
	if stack != nil {
		attrs = append(attrs, slog.String("stack", string(stack)))
	}
	slog.LogAttrs(r.Context(), level, "request failed", attrs...)
}

// tracked knows whether an answer has begun.
type tracked struct {
	http.ResponseWriter
	begun bool
}

func (t *tracked) WriteHeader(status int) {
	t.begun = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracked) Write(b []byte) (int, error) {
	t.begun = true
	return t.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the host's writer.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// readBody reads a JSON body whole, within its limit.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	const op = "auth.readBody"
	if ct := r.Header.Get("Content-Type"); ct != "" {
		if mt, _, err := mime.ParseMediaType(ct); err != nil || mt != "application/json" {
			return nil, problem.Bad(op, "Content-Type", "Content-Type is application/json here")
		}
	}
	tooLarge := problem.Bad(op, "body", "the body is larger than %d bytes", MaxRequestBody)
	if r.ContentLength > MaxRequestBody {
		return nil, tooLarge
	}
	var body []byte
	var err error
	if r.ContentLength > 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequestBody))
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
