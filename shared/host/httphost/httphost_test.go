package httphost_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchboard/shared/host/httphost"
)

// start serves h and returns its address and a function that stops it and
// returns what Serve returned.
func start(t *testing.T, h http.HandlerFunc, o *httphost.Options) (string, func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- httphost.Serve(ctx, l, h, o) }()
	return "http://" + l.Addr().String(), func() error { cancel(); return <-done }
}

func TestAStopWaitsForTheAnswer(t *testing.T) {
	t.Parallel()
	began, release := make(chan bool), make(chan bool)
	url, stop := start(t, func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-release
		fmt.Fprint(w, "whole")
	}, nil)
	answer := make(chan string)
	go func() {
		res, err := http.Get(url)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answer <- string(b)
	}()
	<-began
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	close(release)
	if got := <-answer; got != "whole" {
		t.Errorf("got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestAStopCancelsWhatDoesNotEndAndLetsItSayGoodbye(t *testing.T) {
	t.Parallel()
	began := make(chan bool)
	url, stop := start(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "first")
		http.NewResponseController(w).Flush()
		close(began)
		<-r.Context().Done()
		fmt.Fprintln(w, context.Cause(r.Context()))
	}, &httphost.Options{Finish: time.Millisecond})
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	<-began
	if err := stop(); err != nil {
		t.Error(err)
	}
	rest, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(rest), httphost.ErrStopping.Error()) {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestReservedHeadersAreDropped(t *testing.T) {
	t.Parallel()
	dropped := []string{"X-Request-Id", "x-amz-tenant-id", "X-Amzn-Requestid", "x-amzn-request-context", "X-Amzn-Oidc-Data", "x-request-from",
		"X-Switchboard-Principal", "X-Principal", "X-Authorizer-Principal", "X-Forwarded-User", "X-Forwarded-Email", "X-Apigateway-Event", "Remote-User", "X-Tenant-Id"}
	kept := []string{"Authorization", "X-Api-Key", "X-Control", "Idempotency-Key", "Act-As", "X-Forwarded-For", "Origin", "Sec-Fetch-Site"}
	url, stop := start(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range append(dropped, kept...) {
			fmt.Fprintln(w, name, r.Header.Get(name))
		}
	}, nil)
	defer stop()
	req, _ := http.NewRequest("GET", url, nil)
	for _, name := range append(dropped, kept...) {
		req.Header.Set(name, "outside")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var want strings.Builder
	for _, name := range dropped {
		fmt.Fprintln(&want, name, "")
	}
	for _, name := range kept {
		fmt.Fprintln(&want, name, "outside")
	}
	if b, _ := io.ReadAll(res.Body); string(b) != want.String() {
		t.Errorf("the handler saw\n%s", b)
	}
}

func TestOversizedHeadersAreRefused(t *testing.T) {
	t.Parallel()
	url, stop := start(t, func(http.ResponseWriter, *http.Request) {}, nil)
	defer stop()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Big: %s\r\n\r\n", strings.Repeat("a", 64<<10))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if !strings.Contains(line, "431") && !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v", line, err)
	}
}
