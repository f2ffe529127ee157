package provider_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
)

func user(s string) model.Message { return model.Message{Role: model.User, Text: s} }
func says(s string) model.Message { return model.Message{Role: model.Assistant, Text: s} }
func calls(ids ...string) (m model.Message) {
	m.Role = model.Assistant
	for _, id := range ids {
		m.ToolCalls = append(m.ToolCalls, model.ToolCall{ID: id, Name: "t"})
	}
	return m
}
func result(id, s string) model.Message {
	return model.Message{Role: model.ToolRole, ToolCallID: id, Text: s}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	call := func(id string) []model.ToolCall { return []model.ToolCall{{ID: id, Name: "t"}} }
	for _, tc := range []struct {
		name string
		in   []model.Message
		want []provider.Turn
	}{
		{"nothing", nil, nil},
		{"same role is one turn", []model.Message{user("a"), user("b"), says("c")},
			[]provider.Turn{{Texts: []string{"a", "b"}}, {Assistant: true, Texts: []string{"c"}}}},
		{"blank texts are left out", []model.Message{user("a"), says(" \n"), user("b")},
			[]provider.Turn{{Texts: []string{"a", "b"}}}},
		{"a greeting before the first question", []model.Message{says("hello"), user("a")},
			[]provider.Turn{{Texts: []string{"a"}}}},
		{"a history cut between call and result", []model.Message{result("1", "r"), says("so"), user("a")},
			[]provider.Turn{{Texts: []string{"a"}}}},
		{"a history cut before the call", []model.Message{calls("1"), result("1", "r"), says("so"), user("a")},
			[]provider.Turn{{Texts: []string{"a"}}}},
		{"results come first", []model.Message{user("a"), calls("1"), user("b"), result("1", "")},
			[]provider.Turn{{Texts: []string{"a"}}, {Assistant: true, Calls: call("1")}, {Results: []provider.Result{{ID: "1"}}, Texts: []string{"b"}}}},
		{"a call nobody answered", []model.Message{user("a"), calls("1"), user("b")},
			[]provider.Turn{{Texts: []string{"a", "b"}}}},
		{"one of two calls answered", []model.Message{user("a"), calls("1", "2"), result("2", "r")},
			[]provider.Turn{{Texts: []string{"a"}}, {Assistant: true, Calls: call("2")}, {Results: []provider.Result{{ID: "2", Text: "r"}}}}},
		{"ids of another provider", []model.Message{user("a"), calls("functions.x:0"), result("functions.x:0", "r")},
			[]provider.Turn{{Texts: []string{"a"}}, {Assistant: true, Calls: call("functions_x_0")}, {Results: []provider.Result{{ID: "functions_x_0", Text: "r"}}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, provider.Turns(tc.in), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestTurnsAlwaysFit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom([]string{"", "1", "2", "3"})
		in := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) model.Message {
			return rapid.OneOf(
				rapid.Just(user("u")), rapid.Just(says("a")), rapid.Just(user("")),
				rapid.Map(id, func(i string) model.Message { return calls(i) }),
				rapid.Map(id, func(i string) model.Message { return calls(i, i+"b") }),
				rapid.Map(id, func(i string) model.Message { return result(i, "r") }),
			).Draw(t, "message")
		}), 0, 12).Draw(t, "in")
		var before provider.Turn
		for i, turn := range provider.Turns(in) {
			if turn.Assistant != (i%2 == 1) {
				t.Fatalf("turn %d is out of order", i)
			}
			if len(turn.Results)+len(turn.Texts)+len(turn.Calls) == 0 {
				t.Fatalf("turn %d is empty", i)
			}
			if (len(before.Calls) > 0) != (len(turn.Results) > 0) {
				t.Fatalf("turn %d: %d calls, %d results", i, len(before.Calls), len(turn.Results))
			}
			before = turn
		}
		if len(before.Calls) > 0 {
			t.Fatal("the last turn's calls are not answered")
		}
	})
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"prompt is too long: 210000 tokens > 200000 maximum",
		"input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000",
		"Input is too long for requested model.",
		"The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length. Maximum tokens allowed: 128000",
	} {
		if !provider.TooLong(s) {
			t.Errorf("not recognised: %s", s)
		}
	}
	for _, s := range []string{"", "messages: text content blocks must be non-empty", "max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens"} {
		if provider.TooLong(s) {
			t.Errorf("wrongly recognised: %s", s)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tc := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "", 0},
		{"Retry-After", "7", 7 * time.Second},
		{"Retry-After", "1.5", 1500 * time.Millisecond},
		{"Retry-After", "-3", 0},
		{"Retry-After", "NaN", 0},
		{"Retry-After", "+Inf", 24 * time.Hour},
		{"Retry-After", "soon", 0},
		{"Retry-After", "Fri, 02 Jan 2026 03:04:35 GMT", 30 * time.Second},
		{"Retry-After", "Fri, 02 Jan 2026 03:04:00 GMT", 0},
		{"Retry-After-Ms", "250", 250 * time.Millisecond},
	} {
		if got := provider.RetryAfter(http.Header{tc.name: {tc.value}}, now); got != tc.want {
			t.Errorf("%s: %q = %v, want %v", tc.name, tc.value, got, tc.want)
		}
	}
}
