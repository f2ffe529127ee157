package model_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// act is one thing a scripted driver does.
type act struct {
	after time.Duration // wait first; the context may end the wait
	part  model.Part
	err   error
}

// driver plays one script per call, the last one again and again.
type driver struct {
	scripts [][]act
	calls   int
	models  []string
}

func (d *driver) Stream(ctx context.Context, _ tenant.Scope, req model.Request) iter.Seq2[model.Part, error] {
	return func(yield func(model.Part, error) bool) {
		script := d.scripts[min(d.calls, len(d.scripts)-1)]
		d.calls++
		d.models = append(d.models, req.Model)
		for _, a := range script {
			select {
			case <-time.After(a.after):
			case <-ctx.Done():
				yield(model.Part{}, ctx.Err())
				return
			}
			if !yield(a.part, a.err) || a.err != nil {
				return
			}
		}
	}
}

func text(s string) act { return act{part: model.Part{Text: s}} }
func used(in, out int64) act {
	return act{part: model.Part{Usage: &model.Usage{Input: in, Output: out}}}
}
func stop(s model.Stop) act     { return act{part: model.Part{Stop: s}} }
func later(d time.Duration) act { return act{after: d, part: model.Part{Text: "late"}} }

func fails(reason string, retry time.Duration) act {
	return act{err: &problem.Error{Kind: problem.Upstream, Reason: reason, RetryAfter: retry}}
}

var good = []act{text("hello"), used(10, 2), stop(model.StopEnd)}

func refs(s ...string) (out []model.Ref) {
	for _, r := range s {
		ref, err := model.ParseRef(r)
		if err != nil {
			panic(err)
		}
		out = append(out, ref)
	}
	return out
}

// ask collects what a caller sees.
func ask(ctx context.Context, m *model.Models, chain []model.Ref) (parts []model.Part, run model.Run, err error) {
	for p, e := range m.Stream(ctx, tenanttest.Scope("acme"), chain, model.Request{}, &run) {
		if e != nil {
			return parts, run, e
		}
		parts = append(parts, p)
	}
	return parts, run, nil
}

// story is the chain of attempts as one line: "a/1:overloaded a/1:overloaded b/2".
func story(run model.Run) string {
	var out []string
	for _, a := range run.Attempts {
		s := a.Model.String()
		if a.Reason != "" {
			s += ":" + a.Reason
		}
		if a.Emitted {
			s += "!"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestFallback(t *testing.T) {
	t.Parallel()
	bad := func(reason string, retry time.Duration) [][]act { return [][]act{{fails(reason, retry)}} }
	for name, tc := range map[string]struct {
		a, b   [][]act
		chain  string
		story  string
		reason string // of the error, "" for success
		retry  time.Duration
		waits  [2]time.Duration // bounds of the time it takes
	}{
		"answers":               {a: [][]act{good}, story: "a/1!"},
		"overloaded once":       {a: [][]act{{fails(problem.ReasonOverloaded, 0)}, good}, story: "a/1:overloaded a/1!", waits: [2]time.Duration{50 * time.Millisecond, 200 * time.Millisecond}},
		"server error twice":    {a: bad(problem.ReasonServerError, 0), b: [][]act{good}, story: "a/1:server_error a/1:server_error b/2!"},
		"network":               {a: [][]act{{fails(problem.ReasonNetwork, 0)}, good}, story: "a/1:network a/1!"},
		"limited, soon":         {a: [][]act{{fails(problem.ReasonRateLimited, 2*time.Second)}, good}, story: "a/1:rate_limited a/1!", waits: [2]time.Duration{2 * time.Second, 2 * time.Second}},
		"limited, later":        {a: bad(problem.ReasonRateLimited, 3*time.Second), b: [][]act{good}, story: "a/1:rate_limited b/2!"},
		"timeout":               {a: bad(problem.ReasonTimeout, 0), b: [][]act{good}, story: "a/1:timeout b/2!"},
		"auth":                  {a: bad(problem.ReasonAuth, 0), b: [][]act{good}, story: "a/1:auth b/2!"},
		"bad request":           {a: bad(problem.ReasonBadRequest, 0), b: [][]act{good}, story: "a/1:bad_request b/2!"},
		"context length":        {a: bad(problem.ReasonContextLength, 0), b: [][]act{good}, story: "a/1:context_length b/2!"},
		"protocol":              {a: bad(problem.ReasonProtocol, 0), b: [][]act{good}, story: "a/1:protocol b/2!"},
		"unclassified":          {a: [][]act{{act{err: errors.New("boom")}}}, b: [][]act{good}, story: "a/1:internal b/2!"},
		"no end":                {a: [][]act{{used(1, 1)}}, b: [][]act{good}, story: "a/1:protocol b/2!"},
		"unknown provider":      {b: [][]act{good}, chain: "nobody/1 b/2", story: "nobody/1:auth b/2!"},
		"only unknown provider": {chain: "nobody/1", story: "nobody/1:auth", reason: problem.ReasonAuth},
		"all fail":              {a: bad(problem.ReasonRateLimited, 20*time.Second), b: bad(problem.ReasonAuth, 0), story: "a/1:rate_limited b/2:auth", reason: problem.ReasonAuth, retry: 20 * time.Second},
		"after the first part":  {a: [][]act{{text("he"), fails(problem.ReasonOverloaded, 0)}}, b: [][]act{good}, story: "a/1:overloaded!", reason: problem.ReasonOverloaded},
		"empty answer":          {a: [][]act{{stop(model.StopFiltered)}}, b: [][]act{good}, story: "a/1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := model.New(map[string]model.Model{"a": &driver{scripts: tc.a}, "b": &driver{scripts: tc.b}}, model.Ref{}, nil)
				if tc.chain == "" {
					tc.chain = "a/1 b/2"
				}
				start := time.Now()
				_, run, err := ask(t.Context(), m, refs(strings.Fields(tc.chain)...))
				if got := story(run); got != tc.story {
					t.Errorf("attempts: %s, want %s", got, tc.story)
				}
				if p := problem.From(err); err != nil && (p.Kind != problem.Upstream || p.Reason != tc.reason || p.RetryAfter != tc.retry) {
					t.Errorf("error: %v (retry after %v), want %q (%v)", err, p.RetryAfter, tc.reason, tc.retry)
				}
				if (err == nil) != (tc.reason == "") {
					t.Errorf("error: %v, want reason %q", err, tc.reason)
				}
				if took := time.Since(start); tc.waits[1] > 0 && (took < tc.waits[0] || took > tc.waits[1]) {
					t.Errorf("took %v, want %v", took, tc.waits)
				}
			})
		})
	}
}

func TestInterruptedIsToldApart(t *testing.T) {
	t.Parallel()
	m := model.New(map[string]model.Model{
		"a": &driver{scripts: [][]act{{text("he"), fails(problem.ReasonNetwork, 0)}}},
		"b": &driver{scripts: [][]act{{fails(problem.ReasonAuth, 0)}}},
	}, refs("a")[0], nil)
	parts, _, err := ask(t.Context(), m, nil)
	if !errors.Is(err, model.ErrInterrupted) || len(parts) != 1 {
		t.Errorf("got %v, %v; want one part, then ErrInterrupted", parts, err)
	}
	if _, _, err := ask(t.Context(), m, refs("b")); errors.Is(err, model.ErrInterrupted) {
		t.Errorf("got %v for an answer that had not begun", err)
	}
}

func TestUsageOfFailedAttemptsIsRecordedNotPassedOn(t *testing.T) {
	t.Parallel()
	m := model.New(map[string]model.Model{
		"a": &driver{scripts: [][]act{{used(100, 0), fails(problem.ReasonAuth, 0)}}},
		"b": &driver{scripts: [][]act{{used(50, 0), text("x"), used(50, 7), stop(model.StopEnd)}}},
	}, model.Ref{}, nil)
	parts, run, err := ask(t.Context(), m, refs("a/1", "b/2"))
	if err != nil {
		t.Fatal(err)
	}
	want := []model.Part{{Usage: &model.Usage{Input: 50}}, {Text: "x"}, {Usage: &model.Usage{Input: 50, Output: 7}}, {Stop: model.StopEnd}}
	if d := cmp.Diff(want, parts); d != "" {
		t.Errorf("parts (-want +got):\n%s", d)
	}
	wantRun := []model.Attempt{
		{Model: refs("a/1")[0], Usage: model.Usage{Input: 100}, Reason: problem.ReasonAuth},
		{Model: refs("b/2")[0], Usage: model.Usage{Input: 50, Output: 7}, Stop: model.StopEnd, Emitted: true},
	}
	if d := cmp.Diff(wantRun, run.Attempts, cmpopts.IgnoreFields(model.Attempt{}, "Started", "FirstPart", "Took")); d != "" {
		t.Errorf("attempts (-want +got):\n%s", d)
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	opts := &model.Options{FirstPart: 10 * time.Second, Idle: 20 * time.Second}
	for name, tc := range map[string]struct {
		script []act
		story  string
		took   time.Duration
	}{
		"first part late":          {[]act{later(time.Hour)}, "a/1:timeout b/2!", 10 * time.Second},
		"usage is not a part":      {[]act{used(1, 0), later(9 * time.Second), stop(model.StopEnd)}, "a/1!", 9 * time.Second},
		"usage does not buy time":  {[]act{{after: 9 * time.Second, part: model.Part{Usage: &model.Usage{}}}, later(2 * time.Second)}, "a/1:timeout b/2!", 10 * time.Second},
		"idle":                     {[]act{text("x"), later(time.Hour)}, "a/1:timeout!", 20 * time.Second},
		"slow but never too slow":  {[]act{later(9 * time.Second), later(19 * time.Second), later(19 * time.Second), stop(model.StopEnd)}, "a/1!", 47 * time.Second},
		"idle after a second part": {[]act{text("x"), later(19 * time.Second), later(21 * time.Second)}, "a/1:timeout!", 39 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := model.New(map[string]model.Model{"a": &driver{scripts: [][]act{tc.script}}, "b": &driver{scripts: [][]act{good}}}, model.Ref{}, opts)
				start := time.Now()
				_, run, err := ask(t.Context(), m, refs("a/1", "b/2"))
				if got := story(run); got != tc.story {
					t.Errorf("attempts: %s, want %s (%v)", got, tc.story, err)
				}
				if took := time.Since(start); took != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
				if errors.Is(err, context.Canceled) && problem.From(err).Reason != problem.ReasonTimeout {
					t.Errorf("our own deadline shows as %v", err)
				}
			})
		})
	}
}

func TestSlowReaderIsNotASlowModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := model.New(map[string]model.Model{"a": &driver{scripts: [][]act{good}}}, refs("a")[0], nil)
		for _, err := range m.Stream(t.Context(), tenanttest.Scope("acme"), nil, model.Request{}, nil) {
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Hour)
		}
	})
}

// TestASlowReaderInAPauseIsNotASlowModel: a pause is where the reader sends what it
// gathered. The model has after it what was left to it before, no less and no more.
func TestASlowReaderInAPauseIsNotASlowModel(t *testing.T) {
	t.Parallel()
	pause := act{part: model.Part{Pause: true}}
	opts := &model.Options{Idle: 20 * time.Second}
	for name, tc := range map[string]struct {
		script []act
		slow   bool
	}{
		"in time":              {[]act{text("a"), pause, later(19 * time.Second), pause, stop(model.StopEnd)}, false},
		"too slow":             {[]act{text("a"), pause, later(21 * time.Second), stop(model.StopEnd)}, true},
		"between two pauses":   {[]act{text("a"), pause, {after: 12 * time.Second, part: pause.part}, later(7 * time.Second), stop(model.StopEnd)}, false},
		"too slow between two": {[]act{text("a"), pause, {after: 12 * time.Second, part: pause.part}, later(9 * time.Second), stop(model.StopEnd)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := model.New(map[string]model.Model{"a": &driver{scripts: [][]act{tc.script}}}, refs("a")[0], opts)
				var last error
				for p, err := range m.Stream(t.Context(), tenanttest.Scope("acme"), nil, model.Request{}, nil) {
					if last = err; p.Pause {
						time.Sleep(29 * time.Second)
					}
				}
				if slow := problem.From(last).Reason == problem.ReasonTimeout; (last != nil) != tc.slow || slow != tc.slow {
					t.Errorf("%v", last)
				}
			})
		})
	}
}

func TestCallersEnd(t *testing.T) {
	t.Parallel()
	slow := func() *model.Models {
		return model.New(map[string]model.Model{"a": &driver{scripts: [][]act{{later(time.Hour)}}}, "b": &driver{scripts: [][]act{good}}}, model.Ref{}, nil)
	}
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, run, err := ask(ctx, slow(), refs("a/1", "b/2"))
			if err != context.Canceled || story(run) != "a/1:canceled" {
				t.Errorf("got %v, %s; want the context's error and no second model", err, story(run))
			}
		})
	})
	t.Run("deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, run, err := ask(ctx, slow(), refs("a/1", "b/2"))
			if err != context.DeadlineExceeded || story(run) != "a/1:timeout" {
				t.Errorf("got %v, %s; want the context's error and no second model", err, story(run))
			}
		})
	})
	t.Run("while backing off", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			m := model.New(map[string]model.Model{"a": &driver{scripts: [][]act{{fails(problem.ReasonRateLimited, 2*time.Second)}}}}, refs("a")[0], nil)
			if _, run, err := ask(ctx, m, nil); err != context.DeadlineExceeded || len(run.Attempts) != 1 {
				t.Errorf("got %v after %s", err, story(run))
			}
		})
	})
	t.Run("break", func(t *testing.T) {
		t.Parallel()
		m := model.New(map[string]model.Model{"a": &driver{scripts: [][]act{good}}}, refs("a/1")[0], nil)
		var run model.Run
		for range m.Stream(t.Context(), tenanttest.Scope("acme"), nil, model.Request{}, &run) {
			break
		}
		if got := story(run); got != "a/1:canceled!" {
			t.Errorf("attempts: %s", got)
		}
	})
}

func TestZeroScopeIsRefused(t *testing.T) {
	t.Parallel()
	d := &driver{scripts: [][]act{good}}
	m := model.New(map[string]model.Model{"a": d}, refs("a")[0], nil)
	var run model.Run
	n := 0
	for _, err := range m.Stream(t.Context(), tenant.Scope{}, nil, model.Request{}, &run) {
		n++
		if !problem.Is(err, problem.Internal) {
			t.Errorf("got %v, want a refusal", err)
		}
	}
	if n != 1 || d.calls != 0 || len(run.Attempts) != 0 {
		t.Errorf("%d parts, %d calls, %d attempts; want one error and nothing else", n, d.calls, len(run.Attempts))
	}
}

func TestResolveAndHas(t *testing.T) {
	t.Parallel()
	d := &driver{scripts: [][]act{good}}
	m := model.New(map[string]model.Model{"a": d}, refs("a/default")[0], nil)
	if d := cmp.Diff(refs("a/default"), m.Resolve(nil)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(refs("a/default", "b"), m.Resolve([]model.Ref{{}, {Provider: "b"}})); d != "" {
		t.Error(d)
	}
	if !m.Has("a") || m.Has("b") || m.Has("") {
		t.Error("Has is wrong about what is there")
	}
	if _, _, err := ask(t.Context(), m, nil); err != nil || d.models[0] != "default" {
		t.Errorf("asked for %q (%v), want the default", d.models, err)
	}
}

// BenchmarkParts is what Models adds to each part.
func BenchmarkParts(b *testing.B) {
	m := model.New(map[string]model.Model{"a": flood(b.N)}, refs("a")[0], nil)
	b.ReportAllocs()
	for _, err := range m.Stream(b.Context(), tenanttest.Scope("acme"), nil, model.Request{}, nil) {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// flood is a driver that sends so many parts at once.
type flood int

func (n flood) Stream(context.Context, tenant.Scope, model.Request) iter.Seq2[model.Part, error] {
	return func(yield func(model.Part, error) bool) {
		for range n {
			if !yield(model.Part{Text: "x"}, nil) {
				return
			}
		}
		yield(model.Part{Stop: model.StopEnd}, nil)
	}
}
