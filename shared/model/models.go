package model

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

const op = "model.Stream"

// ErrInterrupted is in the chain of every error that came after the answer had
// begun: no other model was tried, because the client has read half a sentence.
var ErrInterrupted = errors.New("the answer was interrupted")

// Options tune Models. A nil *Options is ready for use.
type Options struct {
	FirstPart time.Duration // longest wait for an attempt's first Text or ToolCall; 0 = 30 s
	Idle      time.Duration // longest wait for a later part; 0 = 60 s
	Whole     time.Duration // longest wait for an answer in one piece; 0 = 3 min
}

// Models is all the models there are, by provider. It is safe for concurrent use.
type Models struct {
	providers map[string]Model
	fallback  Ref
	firstPart time.Duration
	idle      time.Duration
	whole     time.Duration
}

// New returns Models over the providers; fallback is the model of whoever names none.
func New(providers map[string]Model, fallback Ref, opts *Options) *Models {
	m := &Models{providers: maps.Clone(providers), fallback: fallback, firstPart: 30 * time.Second, idle: time.Minute, whole: 3 * time.Minute}
	if opts != nil && opts.FirstPart > 0 {
		m.firstPart = opts.FirstPart
	}
	if opts != nil && opts.Idle > 0 {
		m.idle = opts.Idle
	}
	if opts != nil && opts.Whole > 0 {
		m.whole = opts.Whole
	}
	return m
}

// Has reports whether the provider is there.
func (m *Models) Has(provider string) bool { return m.providers[provider] != nil }

// Resolve returns the models that Stream would try for the chain: the default for
// an empty chain and for each zero Ref in it.
func (m *Models) Resolve(chain []Ref) []Ref {
	if len(chain) == 0 {
		return []Ref{m.fallback}
	}
	out := make([]Ref, len(chain))
	for i, ref := range chain {
		if ref == (Ref{}) {
			ref = m.fallback
		}
		out[i] = ref
	}
	return out
}

// Run is what became of a request. Stream fills it as it goes, also where the
// request fails or is abandoned, because failed attempts cost money too.
type Run struct {
	Attempts []Attempt // in order; the last one gave the answer, if any did
}

// Attempt is one call of one model.
type Attempt struct {
	Model     Ref
	Usage     Usage  // as counted by the provider so far; zero where it sent none
	Stop      Stop   // "" where the answer did not end
	Reason    string // of the failure, a problem's Reason or Kind; "" on success
	Started   time.Time
	FirstPart time.Duration // from Started to the first Text or ToolCall; 0 if there was none
	Took      time.Duration
	Emitted   bool // a Text or ToolCall of it reached the caller
}

// Stream asks the first model of the chain, and the next one where a model fails
// before its first Text or ToolCall. A failure that may pass is given a second try
// on the same model. Once the caller has seen a part, no other model is asked: the
// failure is returned, with its Reason, and is [ErrInterrupted]. If no model
// answers, the error is the last one's. Usage of attempts that came to nothing is
// not passed on; it is in run, which may be nil.
func (m *Models) Stream(ctx context.Context, sc tenant.Scope, chain []Ref, req Request, run *Run) iter.Seq2[Part, error] {
	return func(yield func(Part, error) bool) {
		if err := sc.Check(op); err != nil {
			yield(Part{}, err)
			return
		}
		if run == nil {
			run = new(Run)
		}
		err := m.first(ctx, sc, m.Resolve(chain), req, run, yield)
		if err != nil {
			yield(Part{}, err)
		}
	}
}

// first runs the chain until one model answers. It returns nil where the caller
// has what it wants or has left, else the error to hand out.
func (m *Models) first(ctx context.Context, sc tenant.Scope, chain []Ref, req Request, run *Run, yield func(Part, error) bool) error {
	var last *problem.Error
	var longest time.Duration
	for _, ref := range chain {
		for try := range 2 {
			a := &attempt{Attempt: Attempt{Model: ref, Started: time.Now()}, models: m, yield: yield}
			err := a.run(ctx, sc, req)
			run.Attempts = append(run.Attempts, a.record(err))
			switch {
			case err == nil || a.left:
				return nil
			case ctx.Err() != nil:
				return ctx.Err()
			case a.Emitted:
				return fmt.Errorf("%w: %w", ErrInterrupted, err)
			}
			last = problem.From(err)
			longest = max(longest, last.RetryAfter)
			if try > 0 || !passing(last) {
				break
			}
			if err := sleep(ctx, backoff(last)); err != nil {
				return err
			}
		}
	}
	final := *last
	final.RetryAfter = longest
	return &final
}

// maxBackoff is the longest a client is kept waiting for a second try.
const maxBackoff = 2 * time.Second

// passing reports whether the same model may well answer if asked again at once.
// A timeout is not one of these: the client has waited long enough for that model.
func passing(p *problem.Error) bool {
	if p.Kind != problem.Upstream || p.RetryAfter > maxBackoff {
		return false
	}
	switch p.Reason {
	case problem.ReasonRateLimited, problem.ReasonOverloaded, problem.ReasonServerError, problem.ReasonNetwork:
		return true
	}
	return false
}

// backoff is what the provider asked for, else a moment that differs from caller to
// caller, so that those who failed together do not come back together.
func backoff(p *problem.Error) time.Duration {
	if p.RetryAfter > 0 {
		return p.RetryAfter
	}
	return 50*time.Millisecond + rand.N(150*time.Millisecond)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
