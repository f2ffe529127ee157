package usage_test

import (
	"testing"

	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/usage"
)

func TestCost(t *testing.T) {
	t.Parallel()
	b, err := usage.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ref    string
		u      model.Usage
		want   int64
		priced bool
	}{
		{"openai/gpt-5-mini", model.Usage{Input: 1_000_000, Output: 1_000_000}, 2_250_000, true},
		{"openai/gpt-5-mini", model.Usage{Input: 1_000_000, CachedInput: 1_000_000}, 25_000, true},
		{"openai/gpt-5-mini", model.Usage{Input: 1}, 1, true}, // a part of a micro-dollar rounds up
		{"openai/gpt-5-mini", model.Usage{}, 0, true},
		{"openai/gpt-5-mini", model.Usage{Input: 5, CachedInput: 9}, 1, true}, // more cached than there was: never negative
		{"extract", model.Usage{Input: 10, Output: 10}, 0, true},
		{"openai/unheard-of", model.Usage{Input: 10}, 0, false},
		{"openai/gpt-5", model.Usage{Input: 1<<63 - 1}, 1<<63 - 1, true},
	} {
		if got, priced := b.Cost(c.ref, c.u); got != c.want || priced != c.priced {
			t.Errorf("%s %+v costs %d, %v; want %d, %v", c.ref, c.u, got, priced, c.want, c.priced)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{``, `{}`, `{"version":"1","models":{"a":{"input":-1}}}`, `{"version":"1","Models":{}}`} {
		if _, err := usage.Parse([]byte(in)); !problem.Is(err, problem.Invalid) {
			t.Errorf("%q: %v", in, err)
		}
	}
	if _, err := usage.Parse([]byte(`{"version":"1"}`)); err != nil {
		t.Error(err) // the control
	}
}
