package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

var (
	errSlow     = errors.New("no part in time")
	errUnending = errors.New("the stream ended without a stop")
)

// attempt is an Attempt under way.
type attempt struct {
	Attempt
	models *Models
	yield  func(Part, error) bool

	left    bool   // the caller broke out of the loop
	pending *Usage // counted before the first part; held until there is one
}

// run asks the model once. It returns nil when the answer ended or the caller left.
func (a *attempt) run(ctx context.Context, sc tenant.Scope, req Request) error {
	driver := a.models.providers[a.Model.Provider]
	if driver == nil {
		return &problem.Error{Kind: problem.Upstream, Op: op, Reason: problem.ReasonAuth,
			Err: fmt.Errorf("no provider %q is set up (model %q)", a.Model.Provider, a.Model)}
	}
	req.Model = a.Model.Name
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// One timer for the whole attempt, stopped while the caller holds a part: a slow
	// reader is not a slow model.
	first := a.models.firstPart
	if req.Whole { // its first part is all of it
		first = a.models.whole
	}
	watch := newStopwatch(first, func() { cancel(errSlow) })
	defer watch.Stop()
	for part, err := range driver.Stream(ctx, sc, req) {
		if a.Stop != "" { // the answer is whole; the driver may still tidy its connection
			continue
		}
		if err != nil {
			return a.failed(ctx, err)
		}
		if part.Pause {
			if !a.pause(part, watch) {
				return nil
			}
			continue
		}
		if part.Usage != nil && !a.Emitted { // not the answer yet: the clock goes on
			a.Usage, a.pending = *part.Usage, part.Usage
			continue
		}
		watch.Stop()
		if !a.pass(part) {
			return nil
		}
		watch.reset(a.models.idle)
	}
	if a.Stop != "" {
		return nil
	}
	return &problem.Error{Kind: problem.Upstream, Op: op, Reason: problem.ReasonProtocol, Err: errUnending}
}

// stopwatch is a timer that knows when it goes off.
type stopwatch struct {
	*time.Timer
	end time.Time
}

func newStopwatch(d time.Duration, then func()) *stopwatch {
	return &stopwatch{time.AfterFunc(d, then), time.Now().Add(d)}
}

func (w *stopwatch) reset(d time.Duration) {
	w.end = time.Now().Add(d)
	w.Reset(d)
}

// pause hands on a Pause, which is where the caller sends what it gathered and may
// wait for its client. That is not the model's time: it has after it what was left
// before. Before the first part there is nothing to send.
func (a *attempt) pause(p Part, watch *stopwatch) bool {
	if !a.Emitted {
		return true
	}
	watch.Stop()
	left := time.Until(watch.end)
	if !a.give(p) {
		return false
	}
	watch.reset(left)
	return true
}

// pass hands a part to the caller. It reports whether the caller wants more.
func (a *attempt) pass(p Part) bool {
	switch {
	case p.Usage != nil:
		a.Usage = *p.Usage
	case p.Stop != "":
		a.Stop = p.Stop
	case !a.Emitted:
		a.Emitted, a.FirstPart = true, time.Since(a.Started)
	}
	if u := a.pending; u != nil {
		if a.pending = nil; !a.give(Part{Usage: u}) {
			return false
		}
	}
	return a.give(p)
}

func (a *attempt) give(p Part) bool {
	a.left = !a.yield(p, nil)
	return !a.left
}

// failed tells our own deadline from the caller's end and from the driver's error.
func (a *attempt) failed(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case context.Cause(ctx) == errSlow:
		return &problem.Error{Kind: problem.Upstream, Op: op, Reason: problem.ReasonTimeout, Err: fmt.Errorf("%w: %w", errSlow, err)}
	}
	return ctx.Err()
}

// record closes the books on the attempt.
func (a *attempt) record(err error) Attempt {
	a.Took = time.Since(a.Started)
	switch {
	case err != nil:
		p := problem.From(err)
		a.Reason = cmp.Or(p.Reason, p.Kind.String())
	case a.Stop == "": // the caller left
		a.Reason = problem.Canceled.String()
	}
	return a.Attempt
}
