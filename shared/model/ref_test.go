package model_test

import (
	"strings"
	"testing"

	"switchboard/shared/model"
	"switchboard/shared/problem"
)

func TestParseRef(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]model.Ref{
		"extract":            {Provider: "extract"},
		"openai/gpt-5-mini":  {Provider: "openai", Name: "gpt-5-mini"},
		"openai/ft:gpt:a::x": {Provider: "openai", Name: "ft:gpt:a::x"},
		"bedrock/anthropic.claude-haiku-4-5-v1:0": {Provider: "bedrock", Name: "anthropic.claude-haiku-4-5-v1:0"},
		"bedrock/arn:aws:bedrock:us-east-1:123:inference-profile/us.anthropic.claude": {
			Provider: "bedrock", Name: "arn:aws:bedrock:us-east-1:123:inference-profile/us.anthropic.claude"},
		"openai/accounts/fireworks/models/llama-v3p1_8b@2": {
			Provider: "openai", Name: "accounts/fireworks/models/llama-v3p1_8b@2"},
	} {
		got, err := model.ParseRef(in)
		if err != nil || got != want {
			t.Errorf("ParseRef(%q) = %+v, %v; want %+v", in, got, err, want)
		}
		if got.String() != in {
			t.Errorf("ParseRef(%q).String() = %q", in, got)
		}
	}
}

func TestParseRefRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "/", "/gpt", "openai/", "openai//gpt", "openai/gpt/", "OpenAI/gpt", "5ai/gpt", "open ai/gpt", "openai/gpt 5",
		" openai/gpt", "openai/gpt\n", "openai/gpté", "openai/gpt?x=1", "openai/..\\x", "openai:gpt",
		strings.Repeat("p", 33) + "/x", "openai/" + strings.Repeat("x", 257),
	} {
		if got, err := model.ParseRef(in); !problem.Is(err, problem.Invalid) || got != (model.Ref{}) {
			t.Errorf("ParseRef(%q) = %+v, %v; want an Invalid problem", in, got, err)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	f.Add("openai/gpt-5-mini")
	f.Add("extract")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := model.ParseRef(s)
		if err == nil && r.String() != s {
			t.Errorf("ParseRef(%q) does not round-trip: %q", s, r)
		}
	})
}
