package problem_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"switchboard/shared/problem"
)

var kinds = []problem.Kind{
	problem.Internal, problem.Invalid, problem.Unauthenticated, problem.Forbidden, problem.NotFound, problem.Conflict,
	problem.RateLimited, problem.Unavailable, problem.Upstream, problem.Canceled,
}

// A client learns nothing but sentences that were written for it.
func TestMessage(t *testing.T) {
	t.Parallel()
	const cause, op = "cause-canary", "op-canary"
	seen := map[string]bool{}
	for _, k := range append(kinds, 200) {
		p := problem.Wrap(k, op, errors.New(cause))
		if m := p.Message(); m == "" || strings.Contains(m, cause) || strings.Contains(m, op) {
			t.Errorf("%v: %q", k, m)
		}
		if full := p.Error(); !strings.Contains(full, cause) || !strings.Contains(full, op) {
			t.Errorf("%v: the operator misses something: %q", k, full)
		}
		p = problem.New(k, op, "detail %d", 7)
		hidden := k == problem.Internal || k == 200
		if k == 200 {
			continue // no such kind can be declared; its name alone has to be safe
		}
		if got := p.Message() == "detail 7"; got == hidden {
			t.Errorf("%v: %q", k, p.Message())
		}
		if name := k.String(); seen[name] || !regexp.MustCompile(`^[a-z_]+$`).MatchString(name) {
			t.Errorf("%v is not a name of its own", k)
		}
		seen[k.String()] = true
	}
	if got := problem.Kind(200).String(); got != "internal" {
		t.Errorf("an unknown kind is called %q", got)
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	inner := problem.Bad("op", "field", "wrong")
	for _, c := range []struct {
		err  error
		kind problem.Kind
	}{
		{errors.New("x"), problem.Internal},
		{nil, problem.Internal},
		{inner, problem.Invalid},
		{fmt.Errorf("a: %w", inner), problem.Invalid},
		{errors.Join(errors.New("x"), inner), problem.Invalid},
		{problem.Wrap(problem.Unavailable, "op", inner), problem.Unavailable},
		{context.Canceled, problem.Canceled},
		{fmt.Errorf("a: %w", context.Canceled), problem.Canceled},
		{context.DeadlineExceeded, problem.Unavailable},
		{problem.Wrap(problem.Conflict, "op", context.Canceled), problem.Conflict},
	} {
		if got := problem.From(c.err); got.Kind != c.kind {
			t.Errorf("From(%v) is %v, want %v", c.err, got.Kind, c.kind)
		}
		if got := problem.Is(c.err, c.kind); got != (c.err != nil) {
			t.Errorf("Is(%v, %v) = %v", c.err, c.kind, got)
		}
	}
	if !errors.Is(problem.Wrap(problem.Internal, "op", context.Canceled), context.Canceled) {
		t.Error("the cause is lost")
	}
}

func TestZeroErrorTellsNothing(t *testing.T) {
	t.Parallel()
	p := &problem.Error{}
	if p.Kind != problem.Internal || p.Message() != "Internal error" || p.Error() != "internal" {
		t.Errorf("%v %q %q", p.Kind, p.Message(), p.Error())
	}
}
