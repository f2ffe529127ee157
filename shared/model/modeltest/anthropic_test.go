package modeltest_test

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"switchboard/shared/model"
	"switchboard/shared/model/modeltest"
)

// lead is an answer with all that a script can say.
var lead = modeltest.Script{
	{Text: "One"}, {Text: " moment."},
	{ToolCall: &model.ToolCall{ID: "toolu_1", Name: "take_lead", Arguments: `{"name":"Jørgen"}`}},
	{ToolCall: &model.ToolCall{ID: "toolu_2", Name: "now"}},
	{Usage: &model.Usage{Input: 120, Output: 45, CachedInput: 100}},
	{Stop: model.StopTools},
}

// TestAnthropicsOwnClient: the SDK of the provider itself must understand us.
func TestAnthropicsOwnClient(t *testing.T) {
	t.Parallel()
	server := modeltest.NewServer(func(modeltest.Call) modeltest.Script { return lead })
	srv := httptest.NewServer(server)
	t.Cleanup(srv.Close)
	messages := anthropic.NewMessageService(option.WithBaseURL(srv.URL), option.WithAPIKey("key"))
	params := anthropic.MessageNewParams{
		Model: "claude", MaxTokens: 100, System: []anthropic.TextBlockParam{{Text: "Be brief."}},
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))},
	}

	var streamed anthropic.Message
	stream := messages.NewStreaming(t.Context(), params)
	for stream.Next() {
		if err := streamed.Accumulate(stream.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	whole, err := messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*anthropic.Message{"streamed": &streamed, "whole": whole} {
		if len(m.Content) != 3 || m.Content[0].Text != "One moment." || m.Content[1].Name != "take_lead" || string(m.Content[1].Input) != `{"name":"Jørgen"}` || string(m.Content[2].Input) != "{}" {
			t.Errorf("%s: %+v", name, m.Content)
		}
		if m.StopReason != "tool_use" || m.Usage.InputTokens != 20 || m.Usage.CacheReadInputTokens != 100 || m.Usage.OutputTokens != 45 {
			t.Errorf("%s: stop %q, usage %+v", name, m.StopReason, m.Usage)
		}
	}
	for i, c := range server.Calls() {
		if c.Provider != "anthropic" || c.Model != "claude" || c.System != "Be brief." || c.User != "hi" || c.Streamed != (i == 0) || c.Header.Get("X-Api-Key") != "key" || len(c.Body) == 0 {
			t.Errorf("call %d: %+v", i, c)
		}
	}
}

func TestAnthropicRefuses(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(modeltest.NewServer(func(modeltest.Call) modeltest.Script {
		return modeltest.Script{{Fail: &modeltest.Failure{Status: 529, RetryAfter: "3", Message: "Overloaded"}}}
	}))
	t.Cleanup(srv.Close)
	messages := anthropic.NewMessageService(option.WithBaseURL(srv.URL), option.WithAPIKey("key"), option.WithMaxRetries(0))
	user := anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))
	for _, tc := range []struct {
		params anthropic.MessageNewParams
		status int
		typ    anthropic.ErrorType
	}{
		{anthropic.MessageNewParams{Model: "claude", MaxTokens: 1, Messages: []anthropic.MessageParam{user}}, 529, "overloaded_error"},
		{anthropic.MessageNewParams{Model: "claude", Messages: []anthropic.MessageParam{user}}, 400, "invalid_request_error"},
		{anthropic.MessageNewParams{Model: "claude", MaxTokens: 1}, 400, "invalid_request_error"},
		{anthropic.MessageNewParams{Model: "claude", MaxTokens: 1, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(" "))}}, 400, "invalid_request_error"},
		{anthropic.MessageNewParams{Model: "claude", MaxTokens: 1, Messages: []anthropic.MessageParam{anthropic.NewAssistantMessage(anthropic.NewTextBlock("hi"))}}, 400, "invalid_request_error"},
	} {
		_, err := messages.New(t.Context(), tc.params)
		e, ok := errors.AsType[*anthropic.Error](err)
		if !ok || e.StatusCode != tc.status || e.Type() != tc.typ || e.RequestID == "" {
			t.Errorf("error = %v, want %d %s", err, tc.status, tc.typ)
		}
	}
}
