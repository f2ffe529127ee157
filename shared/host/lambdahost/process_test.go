package lambdahost_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/shared/host/lambdahost"
	"switchboard/shared/host/lambdahost/runtimetest"
)

// TestProcess runs a compiled bootstrap under a fake Runtime API. It is built once.
func TestProcess(t *testing.T) {
	t.Parallel()
	bootstrap := runtimetest.Build(t, "./testdata/bootstrap")
	for name, test := range map[string]func(*testing.T, string){
		"EachTokenArrivesBeforeTheNextIsMade":  eachTokenArrives,
		"APanicBeforeTheFirstByteIsAProblem":   panicEarly,
		"APanicAfterItBreaksTheStream":         panicLate,
		"OneProcessServesManyEvents":           manyEvents,
		"TheDeadlineIsToldInTime":              deadline,
		"AMissedDeadlineKills":                 missedDeadline,
		"AClientThatLeftIsToldOfAndWaitedFor":  clientGone,
		"SIGTERMEndsAnIdleProcess":             sigtermIdle,
		"SIGTERMNeverEndsAStreamCleanly":       sigtermStreaming,
		"AFailedOpenIsRetriedByEachEvent":      failedOpen,
		"WhatIsNoGatewayEventIsAFunctionError": notAnEvent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, bootstrap)
		})
	}
}

func eachTokenArrives(t *testing.T, bootstrap string) {
	const n = 5
	gate := newGate(t)
	f := runtimetest.Start(t, bootstrap, gate.options())
	resp := invoke(t, f, "GET", fmt.Sprintf("/tokens?n=%d", n))
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("prelude: %d %v", resp.StatusCode, resp.Header)
	}
	if got := resp.Header.Values("Set-Cookie"); len(got) != 2 {
		t.Errorf("Set-Cookie = %q, want both lines", got)
	}
	var released [n]time.Time
	for i := range n {
		buf := make([]byte, 64)
		got, err := resp.Body.Read(buf) // returns although the handler is locked in
		if want := fmt.Sprintf("token %d\n", i); err != nil || string(buf[:got]) != want {
			t.Fatalf("chunk %d = %q, %v, want %q", i, buf[:got], err, want)
		}
		released[i] = gate.open(t, fmt.Sprint(i))
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Errorf("after the last token: %q, %v", rest, err)
	}
	for i, c := range resp.Chunks() {
		if !c.At.Before(released[i]) || i > 0 && !c.At.After(released[i-1]) {
			t.Errorf("chunk %d came at %v, its handler was let go on at %v", i, c.At, released[i])
		}
	}
}

func panicEarly(t *testing.T, bootstrap string) {
	f := runtimetest.Start(t, bootstrap, nil)
	resp := invoke(t, f, "GET", "/panic/early")
	body := readAll(t, resp)
	if resp.StatusCode != 500 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %v", resp.StatusCode, resp.Header)
	}
	var doc struct {
		Type      string
		Status    int
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.Status != 500 || doc.RequestID != "gateway-id" {
		t.Errorf("problem %s, %v", body, err)
	}
	if got := readAll(t, invoke(t, f, "GET", "/served")); got != "1" {
		t.Errorf("the next event got %q", got)
	}
	if log := lastLogs(t, f); strings.Contains(body, "words") || !strings.Contains(log, "words") {
		t.Errorf("the panic's text belongs in the log alone\nbody: %s\nlog: %s", body, log)
	}
}

func panicLate(t *testing.T, bootstrap string) {
	f := runtimetest.Start(t, bootstrap, nil)
	resp := invoke(t, f, "GET", "/panic/late")
	body, err := io.ReadAll(resp.Body)
	fe, ok := errors.AsType[*runtimetest.FunctionError](err)
	if !ok || string(body) != "half an ans" {
		t.Fatalf("got %q, %v, want a broken stream", body, err)
	}
	if strings.Contains(fe.Message, "words") {
		t.Errorf("the panic's text left the process: %v", fe)
	}
	if got := readAll(t, invoke(t, f, "GET", "/served")); got != "1" {
		t.Errorf("the next event got %q", got)
	}
}

func manyEvents(t *testing.T, bootstrap string) {
	f := runtimetest.Start(t, bootstrap, nil)
	if _, err := f.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if got := readAll(t, invoke(t, f, "GET", "/served")); got != fmt.Sprint(i+1) {
			t.Fatalf("event %d got %q", i, got)
		}
	}
	peak, err := f.PeakMemory()
	if err != nil || peak > 64<<20 {
		t.Errorf("peak memory %d MB, %v", peak>>20, err)
	}
}

func deadline(t *testing.T, bootstrap string) {
	f := runtimetest.Start(t, bootstrap, &runtimetest.Options{Timeout: 2 * time.Second})
	got := readAll(t, invoke(t, f, "GET", "/deadline"))
	if want := "begun, " + lambdahost.ErrDeadline.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func missedDeadline(t *testing.T, bootstrap string) {
	f := runtimetest.Start(t, bootstrap, &runtimetest.Options{Timeout: 500 * time.Millisecond})
	resp := invoke(t, f, "GET", "/stuck")
	if got, err := io.ReadAll(resp.Body); err != io.ErrUnexpectedEOF {
		t.Errorf("got %q, %v, want a broken stream", got, err)
	}
	if err := f.Wait(t.Context()); err == nil {
		t.Error("the process outlived its deadline")
	}
}

func clientGone(t *testing.T, bootstrap string) {
	gate := newGate(t)
	f := runtimetest.Start(t, bootstrap, gate.options())
	resp := invoke(t, f, "GET", "/gone")
	resp.Hangup()
	for gate.knocked(t) == "tick" { // until it notices; then it is at "stored"
		gate.release <- struct{}{}
	}
	select {
	case <-waited(f):
		t.Fatal("the process ended before its handler had")
	default:
	}
	gate.release <- struct{}{}
	f.Wait(t.Context()) // aws-lambda-go gives up the process whose answer it could not post
	if _, err := io.ReadAll(resp.Body); err != io.ErrUnexpectedEOF {
		t.Errorf("Body ended with %v", err)
	}
}

func sigtermIdle(t *testing.T, bootstrap string) {
	f := runtimetest.Start(t, bootstrap, nil)
	readAll(t, invoke(t, f, "GET", "/served"))
	if err := f.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := f.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("ended with %v", err)
	}
	_, err := f.Invoke(t.Context(), event(t, "GET", "/served"))
	if _, ok := errors.AsType[*runtimetest.ExitError](err); !ok {
		t.Errorf("an event for a dead process got %v", err)
	}
}

func sigtermStreaming(t *testing.T, bootstrap string) {
	gate := newGate(t)
	f := runtimetest.Start(t, bootstrap, gate.options())
	resp := invoke(t, f, "GET", "/tokens?n=3")
	token := make([]byte, len("token 0\n"))
	if _, err := io.ReadFull(resp.Body, token); err != nil {
		t.Fatal(err)
	}
	gate.knocked(t)
	if err := f.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); err != io.ErrUnexpectedEOF || len(got) != 0 {
		t.Errorf("got %q, %v, want a broken stream", got, err)
	}
}

func failedOpen(t *testing.T, bootstrap string) {
	f := runtimetest.Start(t, bootstrap, &runtimetest.Options{Env: []string{"FAIL_OPENS=3"}})
	for range 2 { // the first failure was in the init phase
		resp := invoke(t, f, "GET", "/served")
		body := readAll(t, resp)
		if resp.StatusCode != 503 || resp.Header.Get("Content-Type") != "application/problem+json" || resp.Header.Get("Retry-After") != "1" {
			t.Errorf("got %d %v", resp.StatusCode, resp.Header)
		}
		if strings.Contains(body, "secret") || !strings.Contains(body, `"gateway-id"`) {
			t.Errorf("problem %s", body)
		}
	}
	if got := readAll(t, invoke(t, f, "GET", "/served")); got != "1" {
		t.Errorf("after open had succeeded: %q", got)
	}
	log := lastLogs(t, f)
	if n := strings.Count(log, "could not open"); n != 3 {
		t.Errorf("%d failures logged, want 3\n%s", n, log)
	}
}

func notAnEvent(t *testing.T, bootstrap string) {
	f := runtimetest.Start(t, bootstrap, nil)
	for _, raw := range []string{`{}`, `{"version":"2.0","rawPath":"/v1/chat"}`, `[]`, `"x"`, `null`, `{"path":7}`} {
		_, err := f.Invoke(t.Context(), []byte(raw))
		if _, ok := errors.AsType[*runtimetest.FunctionError](err); !ok {
			t.Errorf("%s: %v, want a function error", raw, err)
		}
	}
	if got := readAll(t, invoke(t, f, "GET", "/served")); got != "1" {
		t.Errorf("the next event got %q", got)
	}
}

// lastLogs ends the process and returns all that it has logged.
func lastLogs(t *testing.T, f *runtimetest.Function) string {
	t.Helper()
	if err := f.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.Wait(t.Context())
	return f.Logs()
}

// gate lets a handler in the child process go on when the test says so.
type gate struct {
	url     string
	knock   chan string
	release chan struct{}
}

func newGate(t *testing.T) *gate {
	g := &gate{knock: make(chan string), release: make(chan struct{})}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case g.knock <- strings.TrimPrefix(r.URL.Path, "/"):
		case <-r.Context().Done():
			return
		}
		select {
		case <-g.release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	g.url = s.URL
	return g
}

func (g *gate) options() *runtimetest.Options {
	return &runtimetest.Options{Env: []string{"GATE=" + g.url}}
}

// knocked waits for the handler and returns where it is.
func (g *gate) knocked(t *testing.T) string {
	t.Helper()
	select {
	case step := <-g.knock:
		return step
	case <-t.Context().Done():
		t.Fatal("the handler never knocked")
		return ""
	}
}

// open waits for the handler at step, lets it go on and returns when it did.
func (g *gate) open(t *testing.T, step string) time.Time {
	t.Helper()
	if got := g.knocked(t); got != step {
		t.Fatalf("the handler is at %q, want %q", got, step)
	}
	now := time.Now()
	g.release <- struct{}{}
	return now
}

func waited(f *runtimetest.Function) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		f.Wait(context.Background())
		close(done)
	}()
	return done
}

func invoke(t *testing.T, f *runtimetest.Function, method, uri string) *runtimetest.Response {
	t.Helper()
	resp, err := f.Invoke(t.Context(), event(t, method, uri))
	if err != nil {
		t.Fatalf("%s %s: %v", method, uri, err)
	}
	return resp
}

func readAll(t *testing.T, resp *runtimetest.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("after %q: %v", body, err)
	}
	return string(body)
}
