package modeltest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// Run is the conformance suite. open makes a Model that talks to baseURL (no
// trailing slash, no path); provider is the wire format it must speak: "openai",
// "anthropic" or "bedrock".
func Run(t *testing.T, open func(t *testing.T, baseURL string) model.Model, provider string) {
	h := &harness{open: open, provider: provider, dialect: dialects[provider]}
	if h.dialect.stops == nil {
		t.Fatalf("modeltest: no provider %q", provider)
	}
	for _, c := range []struct {
		name string
		test func(*testing.T, *harness)
	}{
		{"TextArrivesAsSent", testText},
		{"TextArrivesAtOnce", testIncremental},
		{"OddStrings", testOddStrings},
		{"EmptyAnswer", testEmptyAnswer},
		{"Usage", testUsage},
		{"ToolCalls", testToolCalls},
		{"ToolResultsOnTheWire", testToolResults},
		{"RequestOnTheWire", testRequest},
		{"Stops", testStops},
		{"Refusals", testRefusals},
		{"FailsMidStream", testFailsMidStream},
		{"CutMidStream", testCutMidStream},
		{"CutBeforeHeaders", testCutBeforeHeaders},
		{"NobodyThere", testNobodyThere},
		{"HangsThenCancelled", testHangs},
		{"BreakClosesTheConnection", testBreak},
		{"ConnectionIsReused", testReuse},
		{"ZeroScopeIsRefused", testZeroScope},
		{"TenantsAreStrangers", testTenantsAreStrangers},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, h)
		})
	}
}

// dialect is where providers differ.
type dialect struct {
	tooLong Failure                   // how it says that the prompt is too long
	stops   map[model.Stop]model.Stop // what becomes of a Stop on its wire
}

var dialects = map[string]dialect{
	"openai": {
		tooLong: Failure{Status: http.StatusBadRequest, Code: "context_length_exceeded", Message: "This model's maximum context length is 128000 tokens."},
		stops:   stops(map[model.Stop]model.Stop{model.StopSequence: model.StopEnd}),
	},
	"anthropic": {
		tooLong: Failure{Status: http.StatusBadRequest, Message: "prompt is too long: 208310 tokens > 200000 maximum"},
		stops:   stops(map[model.Stop]model.Stop{model.StopFiltered: model.StopRefused}),
	},
	"bedrock": {
		tooLong: Failure{Status: http.StatusBadRequest, Message: "Input is too long for requested model."},
		stops:   stops(map[model.Stop]model.Stop{model.StopRefused: model.StopFiltered}),
	},
}

// stops maps every Stop to itself but for what the provider has no word for.
func stops(differ map[model.Stop]model.Stop) map[model.Stop]model.Stop {
	all := map[model.Stop]model.Stop{}
	for _, s := range []model.Stop{model.StopEnd, model.StopLength, model.StopFiltered, model.StopRefused, model.StopSequence} {
		all[s] = s
	}
	for from, to := range differ {
		all[from] = to
	}
	return all
}

// harness makes models that talk to scripts.
type harness struct {
	open     func(t *testing.T, baseURL string) model.Model
	provider string
	dialect  dialect
}

// script returns a Model whose every call plays the script.
func (h *harness) script(t *testing.T, s Script) (model.Model, *Server) {
	t.Helper()
	srv := NewServer(func(Call) Script { return s })
	return h.serve(t, srv), srv
}

// serve returns a Model that talks to the handler.
func (h *harness) serve(t *testing.T, handler http.Handler) model.Model {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return h.open(t, srv.URL)
}

// patience bounds what should not take any time at all, so that a driver that
// waits for ever fails its own test and not the whole run.
const patience = 30 * time.Second

// soon is a context for one call.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

var acme = sync.OnceValue(func() tenant.Scope { return tenanttest.Scope("acme") })

// ask is a plain question.
func ask(text string) model.Request {
	return model.Request{Model: "test-model", System: "Be brief.", Messages: []model.Message{{Role: model.User, Text: text}}}
}

// said is what came of a stream.
type said struct {
	text  string
	parts []string // the texts one by one
	calls []model.ToolCall
	usage model.Usage // the last
	stop  model.Stop
	err   error
}

// listen reads a stream and checks what holds for every stream.
func listen(t *testing.T, m model.Model, ctx context.Context, sc tenant.Scope, req model.Request) (s said) {
	t.Helper()
	for p, err := range m.Stream(ctx, sc, req) {
		if s.err != nil || s.stop != "" {
			t.Errorf("%+v (%v) came after the end", p, err)
		}
		if err != nil {
			s.err = err
			continue
		}
		if !p.Pause {
			s.add(t, p)
		}
	}
	if s.err == nil && s.stop == "" {
		t.Error("the stream ended with neither a Stop nor an error")
	}
	return s
}

// add takes one part.
func (s *said) add(t *testing.T, p model.Part) {
	t.Helper()
	fields := 0
	if p.Text != "" {
		fields++
		s.text += p.Text
		s.parts = append(s.parts, p.Text)
	}
	if p.ToolCall != nil {
		fields++
		s.calls = append(s.calls, *p.ToolCall)
	}
	if p.Usage != nil {
		fields++
		s.usage = *p.Usage
	}
	if p.Stop != "" {
		fields++
		s.stop = p.Stop
	}
	if fields != 1 {
		t.Errorf("part %+v has %d fields set, want one", p, fields)
	}
}

// wantReason checks that err is an Upstream problem of the reason, and that its
// sentence for the client was not written by the provider.
func wantReason(t *testing.T, err error, reason string) *problem.Error {
	t.Helper()
	p := problem.From(err)
	if err == nil || p.Kind != problem.Upstream || p.Reason != reason {
		t.Fatalf("error: %v; want upstream (%s)", err, reason)
	}
	if p.Detail != "" {
		t.Errorf("the client would read %q", p.Detail)
	}
	if p.Err == nil {
		t.Error("the cause is lost")
	}
	return p
}
