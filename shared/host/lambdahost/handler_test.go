package lambdahost_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"switchboard/shared/host/lambdahost"
	"switchboard/shared/problem"
)

// event is the gateway's event for a request without headers or body.
func event(t testing.TB, method, uri string) []byte {
	t.Helper()
	raw, err := json.Marshal(request(t, method, uri))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func request(t testing.TB, method, uri string) events.APIGatewayProxyRequest {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	ev := events.APIGatewayProxyRequest{
		HTTPMethod: method, Path: u.EscapedPath(), MultiValueQueryStringParameters: u.Query(),
	}
	ev.RequestContext.RequestID = "gateway-id"
	return ev
}

func answer(t testing.TB, ev events.APIGatewayProxyRequest, h http.HandlerFunc) *events.APIGatewayProxyStreamingResponse {
	t.Helper()
	resp, err := lambdahost.Handler(h)(t.Context(), ev)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// finish reads the answer to its end, which must be a clean one.
func finish(t testing.TB, resp *events.APIGatewayProxyStreamingResponse) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("after %q: %v", body, err)
	}
	if err := resp.Close(); err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestTheAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method  string
		handler http.HandlerFunc
		status  int
		header  http.Header
		body    string
	}{
		"nothing written": {"GET", func(http.ResponseWriter, *http.Request) {}, 200, http.Header{}, ""},
		"a status alone": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
		}, 204, http.Header{}, ""},
		"the type is guessed": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<html>")
		}, 200, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, "<html>"},
		"the first status holds, an informational one is none": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Late", "1")
		}, 418, http.Header{}, ""},
		"values of one name": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		}, 200, http.Header{"Set-Cookie": {"a=1", "b=2"}}, ""},
		"no header inside a header, no word about the connection": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-A", "1\r\nX-B: 2")
			w.Header()["X\nC"] = []string{"3"}
			w.Header().Set("Connection", "close")
			w.Header().Set("Content-Length", "99")
		}, 200, http.Header{"X-A": {"1  X-B: 2"}}, ""},
		"HEAD": {"HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "body")
		}, 200, http.Header{"Content-Type": {"text/plain"}}, ""},
		"a status that is none is a panic": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(7)
		}, 500, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp := answer(t, request(t, test.method, "/x"), test.handler)
			body := finish(t, resp)
			if resp.StatusCode != test.status {
				t.Errorf("status %d, want %d", resp.StatusCode, test.status)
			}
			if test.header == nil {
				return
			}
			if !maps.EqualFunc(resp.MultiValueHeaders, test.header, slicesEqual) || body != test.body {
				t.Errorf("got %v %q, want %v %q", resp.MultiValueHeaders, body, test.header, test.body)
			}
		})
	}
}

func slicesEqual(a, b []string) bool { return strings.Join(a, "\x00") == strings.Join(b, "\x00") }

func TestHeadersGoOutWithTheFlush(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	resp := answer(t, request(t, "GET", "/"), func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-release
	}) // returns although the handler does not
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("status %d", resp.StatusCode)
	}
	close(release)
	finish(t, resp)
}

func TestTheReaderStopsTheWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		written := 0
		resp := answer(t, request(t, "GET", "/"), func(w http.ResponseWriter, _ *http.Request) {
			for written < size {
				n, err := w.Write(bytes.Repeat([]byte{'x'}, 1<<10))
				if err != nil {
					t.Error(err)
				}
				written += n
			}
		})
		synctest.Wait() // until the handler is stuck
		if written > 64<<10 {
			t.Errorf("%d bytes are waiting for a reader", written)
		}
		if got := finish(t, resp); len(got) != size {
			t.Errorf("%d bytes of %d arrived", len(got), size)
		}
	})
}

func TestTheDeadlineComesEarly(t *testing.T) {
	t.Parallel()
	for timeout, want := range map[time.Duration]time.Duration{
		time.Minute:     57 * time.Second,
		6 * time.Second: 3 * time.Second,
		2 * time.Second: time.Second, // half of what there is
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			resp, err := lambdahost.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				if cause := context.Cause(r.Context()); cause != lambdahost.ErrDeadline || r.Context().Err() != context.DeadlineExceeded {
					t.Errorf("cause %v, err %v", cause, r.Context().Err())
				}
				if took := time.Since(start); took != want {
					t.Errorf("of %v the context had %v, want %v", timeout, took, want)
				}
				io.WriteString(w, "event: error")
			}))(ctx, request(t, "GET", "/"))
			if err != nil {
				t.Fatal(err)
			}
			if got := finish(t, resp); got != "event: error" {
				t.Errorf("the terminal frame: %q", got)
			}
		})
	}
}

// A handler that does not know the causes passes them on as they are.
func TestTheCausesAreProblems(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]problem.Kind{lambdahost.ErrDeadline: problem.Unavailable, lambdahost.ErrClientGone: problem.Canceled} {
		if !problem.Is(cause, want) {
			t.Errorf("%v is %v, want %v", cause, problem.From(cause).Kind, want)
		}
	}
}

func TestAClientThatLeftIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stored := false
		resp := answer(t, request(t, "GET", "/"), func(w http.ResponseWriter, r *http.Request) {
			var err error
			for err == nil { // more than the buffer holds
				_, err = w.Write(make([]byte, 10<<10))
			}
			if err != lambdahost.ErrClientGone || context.Cause(r.Context()) != lambdahost.ErrClientGone {
				t.Errorf("Write: %v, cause: %v", err, context.Cause(r.Context()))
			}
			if err := http.NewResponseController(w).Flush(); err != lambdahost.ErrClientGone {
				t.Errorf("Flush: %v", err)
			}
			<-time.After(time.Second) // of the bubble's time: the store is slow
			stored = true
		})
		resp.Close()
		if !stored {
			t.Error("Close did not wait for the handler")
		}
		if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err == io.EOF {
			t.Errorf("a body given up ended with %d, %v", n, err)
		}
	})
}

func TestAHandlerThatDidNotReturn(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(){
		"panic":  func() { panic("p") },
		"nil":    func() { panic(nil) },
		"abort":  func() { panic(http.ErrAbortHandler) },
		"goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			early := answer(t, request(t, "GET", "/"), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "3")
				w.WriteHeader(http.StatusOK)
				end()
			})
			body := finish(t, early)
			if early.StatusCode != 500 || early.MultiValueHeaders["X-Request-Id"][0] != "gateway-id" || !strings.Contains(body, "problem:internal") {
				t.Errorf("before the first byte: %d %v %s", early.StatusCode, early.MultiValueHeaders, body)
			}
			late := answer(t, request(t, "GET", "/"), func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, "half")
				end()
			})
			got, err := io.ReadAll(late.Body)
			if string(got) != "half" || err == nil {
				t.Errorf("after it: %q, %v, want a broken stream", got, err)
			}
			late.Close()
		})
	}
}

func TestTheContextEndsWithTheHandler(t *testing.T) {
	t.Parallel()
	var ctx context.Context
	finish(t, answer(t, request(t, "GET", "/"), func(_ http.ResponseWriter, r *http.Request) { ctx = r.Context() }))
	if context.Cause(ctx) != context.Canceled {
		t.Errorf("cause %v", context.Cause(ctx))
	}
}

func BenchmarkHandler(b *testing.B) {
	ev := request(b, "POST", "/v1/chat")
	ev.Body = `{"assistant":"website","message":"Do you do panel upgrades?"}`
	ev.MultiValueHeaders = map[string][]string{"Authorization": {"Bearer sk_x_y"}, "Content-Type": {"application/json"}, "Host": {"h"}}
	h := lambdahost.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 50 {
			io.WriteString(w, "event: delta\ndata: {\"text\":\"token\"}\n\n")
		}
	}))
	b.ReportAllocs()
	for b.Loop() {
		resp, err := h(context.Background(), ev)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, resp)
		resp.Close()
	}
}
