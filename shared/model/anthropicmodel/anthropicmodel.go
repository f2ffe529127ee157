// Package anthropicmodel is the driver for Anthropic's Messages API.
//
// Only shared/app imports it. The official SDK makes the client: base URL, auth,
// headers, error type, and the decoder of server-sent events. The bodies are our
// own on both sides, because the SDK's reflective unions cost several times what
// it takes to find the one string that matters; see BenchmarkTurn. Its one promise
// is the one of [model.Model]: an answer that ends was ended by a message_stop.
package anthropicmodel

import (
	"context"
	"iter"
	"net/http"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
	"switchboard/shared/tenant"
)

// DefaultBaseURL is where Config.BaseURL points when it is empty.
const DefaultBaseURL = "https://api.anthropic.com/"

const op = "anthropicmodel.Stream"

// Config says whose model to talk to.
type Config struct {
	APIKey     string       // of the workspace that is billed
	BaseURL    string       // "" = DefaultBaseURL
	HTTPClient *http.Client // nil = one of its own, which keeps connections alive; redirects are never followed
}

// Model talks to one provider with one key. It is safe for concurrent use.
type Model struct {
	client anthropic.Client
}

var _ model.Model = (*Model)(nil)

// New returns a Model. It connects to nothing yet.
func New(cfg Config) *Model {
	base := cfg.BaseURL
	if base == "" {
		base = DefaultBaseURL
	}
	// Not anthropic.NewClient: that one reads ANTHROPIC_* and credential files from
	// the environment, and the platform's key would travel to the server of a tenant
	// that brings its own.
	return &Model{client: anthropic.Client{Options: []option.RequestOption{
		option.WithBaseURL(base),
		option.WithHTTPClient(provider.Client(cfg.HTTPClient)),
		option.WithMaxRetries(0), // model.Models retries, and records each attempt
		option.WithAPIKey(cfg.APIKey),
		option.WithMiddleware(provider.BoundErrorBody),
	}}}
}

// Stream implements [model.Model].
func (m *Model) Stream(ctx context.Context, sc tenant.Scope, req model.Request) iter.Seq2[model.Part, error] {
	return func(yield func(model.Part, error) bool) {
		if err := sc.Check(op); err != nil {
			yield(model.Part{}, err)
			return
		}
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		res, err := m.send(inner, req)
		if err != nil {
			yield(model.Part{}, failure(ctx, err))
			return
		}
		defer res.Body.Close()
		a := &answer{Answer: provider.NewAnswer(yield)}
		if err := a.read(res); err != nil {
			if !a.Over() {
				yield(model.Part{}, failure(ctx, err))
			}
			return
		}
		if a.Ended() {
			provider.Drain(res.Body, cancel)
		}
	}
}

// send posts the request and returns the beginning of a stream.
func (m *Model) send(ctx context.Context, req model.Request) (*http.Response, error) {
	body, err := encode(req)
	if err != nil {
		return nil, err
	}
	var res *http.Response
	if err := m.client.Post(ctx, "v1/messages", body, &res); err != nil {
		return nil, err
	}
	if err := isStream(res); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res, nil
}
