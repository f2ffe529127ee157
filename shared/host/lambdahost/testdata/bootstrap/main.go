// Command bootstrap is a small function for the tests of lambdahost: each route
// does one thing that a host has to get right.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"

	"switchboard/shared/host/lambdahost"
)

func main() { lambdahost.Serve(open, routes) }

// attempts counts calls of open, served requests that came through.
var attempts, served atomic.Int64

// gate is where a handler knocks to wait for the test.
type gate string

// open fails as often as FAIL_OPENS says, panicking first if there is more than
// one failure to come.
func open(context.Context) (gate, error) {
	failures, _ := strconv.ParseInt(cmp.Or(os.Getenv("FAIL_OPENS"), "0"), 10, 64)
	switch n := attempts.Add(1); {
	case n < failures:
		panic("the table's secret name")
	case n == failures:
		return "", errors.New("the table's secret name")
	}
	return gate(os.Getenv("GATE")), nil
}

// pass blocks until the test opens the gate for step. Not even the end of a
// request's context gets a handler past it.
func (g gate) pass(step string) {
	resp, err := http.Get(string(g) + "/" + step)
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
}

func routes(g gate) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /tokens", g.tokens)
	mux.HandleFunc("GET /panic/early", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		panic("a client's words")
	})
	mux.HandleFunc("GET /panic/late", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half an ans")
		panic("a client's words")
	})
	mux.HandleFunc("GET /deadline", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "begun, ")
		<-r.Context().Done()
		fmt.Fprint(w, context.Cause(r.Context()))
	})
	mux.HandleFunc("GET /stuck", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "begun")
		select {}
	})
	mux.HandleFunc("GET /gone", g.gone)
	mux.HandleFunc("GET /served", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, served.Add(1))
	})
	mux.HandleFunc("POST /echo", echo)
	return mux
}

// tokens writes a token and waits for the test before the next.
func (g gate) tokens(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Add("Set-Cookie", "a=1")
	w.Header().Add("Set-Cookie", "b=2")
	for i := range n {
		fmt.Fprintf(w, "token %d\n", i)
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
		g.pass(strconv.Itoa(i))
	}
}

// gone writes until nobody reads, then stores something and tells the test why
// it stopped.
func (g gate) gone(w http.ResponseWriter, r *http.Request) {
	for {
		if _, err := fmt.Fprint(w, "tick"); err != nil {
			break
		}
		if r.Context().Err() != nil {
			break
		}
		g.pass("tick")
	}
	if errors.Is(context.Cause(r.Context()), lambdahost.ErrClientGone) {
		g.pass("stored")
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"uri": r.RequestURI, "host": r.Host, "remote": r.RemoteAddr, "header": r.Header, "body": string(body),
	})
}
