// Package openaimodel is the driver for OpenAI's Chat Completions, and for every
// server that speaks it.
//
// Only shared/app imports it. The official SDK makes the client: base URL, auth,
// origin checks and error type. The bodies are our own on both sides, because with
// the SDK's reflective decoding of every chunk a turn costs some fourteen times as
// much; see BenchmarkTurn. Its one promise is the one of [model.Model]: an answer that ends has been finished by the provider,
// whatever dialect of the format it speaks.
package openaimodel

import (
	"context"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
	"switchboard/shared/tenant"
)

// DefaultBaseURL is where Config.BaseURL points when it is empty.
const DefaultBaseURL = "https://api.openai.com/v1/"

const op = "openaimodel.Stream"

// Config says whose model to talk to.
type Config struct {
	APIKey     string       // "" sends no Authorization header, for servers that want none
	BaseURL    string       // "" = DefaultBaseURL; anything else is taken for a compatible server
	HTTPClient *http.Client // nil = one of its own, which keeps connections alive
}

// Model talks to one provider with one key. It is safe for concurrent use.
type Model struct {
	client openai.Client
	limit  string // what the provider calls the bound on the answer
}

var _ model.Model = (*Model)(nil)

// New returns a Model. It connects to nothing yet.
func New(cfg Config) *Model {
	base := cfg.BaseURL
	if base == "" {
		base = DefaultBaseURL
	}
	opts := []option.RequestOption{
		option.WithBaseURL(base),
		option.WithHTTPClient(provider.Client(cfg.HTTPClient)),
		option.WithMaxRetries(0), // model.Models retries, and records each attempt
		option.WithMiddleware(provider.BoundErrorBody),
	}
	if cfg.APIKey != "" {
		opts = append(opts, option.WithAPIKey(cfg.APIKey))
	}
	return &Model{
		// Not openai.NewClient: that one reads OPENAI_* from the environment, and an
		// OPENAI_ADMIN_KEY or a custom header of the platform's would travel to the
		// server of a tenant that brings its own.
		client: openai.Client{Options: opts},
		limit:  limitName(base),
	}
}

// limitName returns the member that bounds an answer's tokens. OpenAI refuses
// max_tokens for its newer models; many compatible servers know nothing else.
func limitName(base string) string {
	if u, err := url.Parse(base); err == nil && u.Hostname() == "api.openai.com" {
		return "max_completion_tokens"
	}
	return "max_tokens"
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
			yield(model.Part{}, failure(ctx, res, err))
			return
		}
		defer res.Body.Close()
		a := &answer{yield: yield}
		if isJSON(res) {
			err = readWhole(res, a)
		} else {
			err = readEvents(res, a, cancel)
		}
		if err != nil && !a.left {
			yield(model.Part{}, failure(ctx, nil, err))
		}
	}
}

// send posts the request. The response is returned beside an error too, where
// there is one.
func (m *Model) send(ctx context.Context, req model.Request) (*http.Response, error) {
	body, err := m.body(req)
	if err != nil {
		return nil, err
	}
	var res *http.Response
	err = m.client.Post(ctx, "chat/completions", body, nil, option.WithResponseInto(&res))
	return res, err
}

// isJSON reports whether the server sent one JSON document where a stream was
// asked for, as some do whose model cannot stream.
func isJSON(res *http.Response) bool {
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// tail bounds the wait for usage and the end mark once the answer has finished.
const tail = 5 * time.Second
