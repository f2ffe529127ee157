package modeltest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

func testRefusals(t *testing.T, h *harness) {
	const secret = "quoted from the request: sk-live-123"
	for name, tc := range map[string]struct {
		fail   Failure
		reason string
		retry  time.Duration
	}{
		"401":                  {fail: Failure{Status: 401}, reason: problem.ReasonAuth},
		"403":                  {fail: Failure{Status: 403}, reason: problem.ReasonAuth},
		"400":                  {fail: Failure{Status: 400}, reason: problem.ReasonBadRequest},
		"404":                  {fail: Failure{Status: 404}, reason: problem.ReasonBadRequest},
		"429":                  {fail: Failure{Status: 429}, reason: problem.ReasonRateLimited},
		"429 with Retry-After": {fail: Failure{Status: 429, RetryAfter: "7"}, reason: problem.ReasonRateLimited, retry: 7 * time.Second},
		"500":                  {fail: Failure{Status: 500}, reason: problem.ReasonServerError},
		"503 with Retry-After": {fail: Failure{Status: 503, RetryAfter: "2"}, reason: problem.ReasonOverloaded, retry: 2 * time.Second},
		"529":                  {fail: Failure{Status: 529}, reason: problem.ReasonOverloaded},
		"too long":             {fail: h.dialect.tooLong, reason: problem.ReasonContextLength},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.fail.Message == "" {
				tc.fail.Message = secret
			}
			m, srv := h.script(t, Script{{Fail: &tc.fail}})
			got := listen(t, m, soon(t), acme(), ask("?"))
			p := wantReason(t, got.err, tc.reason)
			if p.RetryAfter != tc.retry {
				t.Errorf("retry after %v, want %v", p.RetryAfter, tc.retry)
			}
			if strings.Contains(p.Message(), "sk-live") {
				t.Errorf("the client would read %q", p.Message())
			}
			if n := len(srv.Calls()); n != 1 {
				t.Errorf("%d calls; a driver does not retry", n)
			}
		})
	}
}

func testFailsMidStream(t *testing.T, h *harness) {
	for status, reason := range map[int]string{
		500: problem.ReasonServerError,
		503: problem.ReasonOverloaded,
		429: problem.ReasonRateLimited,
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			m, _ := h.script(t, Script{{Text: "He"}, {Text: "llo"}, {Fail: &Failure{Status: status, Message: "sorry"}}})
			got := listen(t, m, soon(t), acme(), ask("?"))
			wantReason(t, got.err, reason)
			if got.text != "Hello" {
				t.Errorf("text %q was lost", got.text)
			}
		})
	}
}

func testCutMidStream(t *testing.T, h *harness) {
	call := &model.ToolCall{ID: "c", Name: "book", Arguments: `{"a":1}`}
	for name, script := range map[string]Script{
		"cut in the text":  {{Text: "He"}, {Text: "llo"}, {Cut: true}},
		"ends in the text": {{Text: "He"}, {Text: "llo"}},
		"cut behind calls": {{Text: "Hello"}, {ToolCall: call}, {Cut: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := h.script(t, script)
			got := listen(t, m, soon(t), acme(), ask("?"))
			wantReason(t, got.err, problem.ReasonNetwork)
			if got.text != "Hello" {
				t.Errorf("text %q was lost", got.text)
			}
		})
	}
}

func testCutBeforeHeaders(t *testing.T, h *harness) {
	m, _ := h.script(t, Script{{Cut: true}})
	wantReason(t, listen(t, m, soon(t), acme(), ask("?")).err, problem.ReasonNetwork)
}

func testNobodyThere(t *testing.T, h *harness) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	wantReason(t, listen(t, h.open(t, url), soon(t), acme(), ask("?")).err, problem.ReasonNetwork)
}

// testHangs cancels a call that the provider keeps waiting: before it has said
// anything, and in the middle of its answer.
func testHangs(t *testing.T, h *harness) {
	t.Run("before headers", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(soon(t))
		defer cancel()
		m := h.serve(t, NewServer(func(Call) Script {
			cancel() // the provider has the request now
			return Script{{Hang: true}}
		}))
		wantContext(t, listen(t, m, ctx, acme(), ask("?")).err, context.Canceled)
	})
	t.Run("mid-stream", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(soon(t))
		defer cancel()
		m, _ := h.script(t, Script{{Text: "He"}, {Hang: true}})
		var last error
		for p, err := range m.Stream(ctx, acme(), ask("?")) {
			if p.Text == "He" {
				cancel()
			}
			last = err
		}
		wantContext(t, last, context.Canceled)
	})
	t.Run("deadline", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(soon(t), 20*time.Millisecond)
		defer cancel()
		m, _ := h.script(t, Script{{Hang: true}})
		wantContext(t, listen(t, m, ctx, acme(), ask("?")).err, context.DeadlineExceeded)
	})
}

// wantContext checks that the end of the context is not laid at the provider's door.
func wantContext(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || problem.Is(err, problem.Upstream) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func testBreak(t *testing.T, h *harness) {
	t.Run("at a text", func(t *testing.T) {
		t.Parallel()
		breakAt(t, h, func(p model.Part) bool { return p.Text != "" })
	})
	t.Run("at a pause", func(t *testing.T) {
		t.Parallel()
		breakAt(t, h, func(p model.Part) bool { return p.Pause })
	})
}

func breakAt(t *testing.T, h *harness, here func(model.Part) bool) {
	gone := make(chan struct{})
	srv := NewServer(func(Call) Script { return Script{{Text: "He"}, {Hang: true}} })
	m := h.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		srv.ServeHTTP(w, r) // returns when the client has gone
	}))
	ctx := soon(t)
	for p := range m.Stream(ctx, acme(), ask("?")) {
		if here(p) {
			break
		}
	}
	select {
	case <-gone:
	case <-ctx.Done():
		t.Error("the provider would go on, and bill")
	}
}

// testReuse asks one thing after another: an answer read to its end must leave a
// connection fit for the next, or every turn pays for a handshake.
func testReuse(t *testing.T, h *harness) {
	var mu sync.Mutex
	from := map[string]bool{}
	srv := NewServer(func(Call) Script {
		return Script{{Text: "x"}, {Usage: &model.Usage{Input: 1, Output: 1}}, {Stop: model.StopEnd}}
	})
	m := h.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		from[r.RemoteAddr] = true
		mu.Unlock()
		srv.ServeHTTP(w, r)
	}))
	const turns = 10
	for range turns {
		if got := listen(t, m, soon(t), acme(), ask("?")); got.err != nil {
			t.Fatal(got.err)
		}
	}
	if len(from) > turns/2 { // a busy machine may lose one or another
		t.Errorf("%d connections for %d turns", len(from), turns)
	}
}

func testZeroScope(t *testing.T, h *harness) {
	m, srv := h.script(t, Script{{Text: "leak"}, {Stop: model.StopEnd}})
	got := listen(t, m, soon(t), tenant.Scope{}, ask("?"))
	if !problem.Is(got.err, problem.Internal) || got.text != "" || len(srv.Calls()) != 0 {
		t.Errorf("got %+v after %d calls, want a refusal before any", got, len(srv.Calls()))
	}
}

// testTenantsAreStrangers runs many streams of two tenants through one Model: each
// must read its own canary from the first part to the last.
func testTenantsAreStrangers(t *testing.T, h *harness) {
	m := h.serve(t, NewServer(func(c Call) Script {
		script := Script{{ToolCall: &model.ToolCall{ID: "c", Name: "echo", Arguments: fmt.Sprintf(`{"canary":%q}`, c.User)}}}
		for range 40 {
			script = append(script, Step{Text: c.User + ";"})
		}
		return append(script, Step{Stop: model.StopTools})
	}))
	var wg sync.WaitGroup
	for i := range 40 {
		project := []string{"acme", "rival-co"}[i%2]
		wg.Go(func() {
			canary := fmt.Sprintf("%s-canary-%d", project, i)
			req := ask(canary)
			req.Tools = []model.Tool{{Name: "echo"}}
			got := listen(t, m, soon(t), tenanttest.Scope(project), req)
			switch {
			case got.err != nil:
				t.Error(got.err)
			case got.text != strings.Repeat(canary+";", 40):
				t.Errorf("%s read %q", canary, got.text)
			case len(got.calls) != 1 || !strings.Contains(got.calls[0].Arguments, canary):
				t.Errorf("%s was given the calls %+v", canary, got.calls)
			}
		})
	}
	wg.Wait()
}
