// Package providers sets up the models that a process's environment names.
//
// app/local and app/aws import it. Its one promise: nothing is called and nothing
// is paid for until an assistant asks, and which model answers an assistant that
// names none can be told from the environment alone.
package providers

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"switchboard/shared/model"
	"switchboard/shared/model/anthropicmodel"
	"switchboard/shared/model/bedrockmodel"
	"switchboard/shared/model/extractmodel"
	"switchboard/shared/model/openaimodel"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// Open returns the models. getenv reads the environment; awsConfig is called when
// Bedrock is first used.
//
// The model of an assistant that names none is SWITCHBOARD_MODEL, else the one of
// the first provider whose key is set (ANTHROPIC_API_KEY, then OPENAI_API_KEY or
// OPENAI_BASE_URL), else extract. Bedrock needs no key, so it is used by name only.
func Open(getenv func(string) string, awsConfig func(context.Context) (aws.Config, error)) (*model.Models, error) {
	all := map[string]model.Model{"extract": extractmodel.New()}
	first := model.Ref{Provider: "extract"}
	if key, base := getenv("OPENAI_API_KEY"), getenv("OPENAI_BASE_URL"); key != "" || base != "" {
		if u, err := url.Parse(base); base != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return nil, errors.New("OPENAI_BASE_URL is no URL; expected one such as http://127.0.0.1:11434/v1")
		}
		all["openai"] = openaimodel.New(openaimodel.Config{APIKey: key, BaseURL: base})
		first = model.Ref{Provider: "openai", Name: "gpt-5-mini"}
	}
	if key := getenv("ANTHROPIC_API_KEY"); key != "" {
		all["anthropic"] = anthropicmodel.New(anthropicmodel.Config{APIKey: key, BaseURL: getenv("ANTHROPIC_BASE_URL")})
		first = model.Ref{Provider: "anthropic", Name: "claude-haiku-4-5"}
	}
	all["bedrock"] = &onDemand{open: sync.OnceValues(func() (model.Model, error) {
		cfg, err := awsConfig(context.Background())
		if err != nil {
			return nil, err
		}
		return bedrockmodel.New(bedrockmodel.Config{AWS: cfg}), nil
	})}
	if name := getenv("SWITCHBOARD_MODEL"); name != "" {
		ref, err := model.ParseRef(name)
		if err != nil {
			return nil, fmt.Errorf("SWITCHBOARD_MODEL is %q: %s", name, problem.From(err).Message())
		}
		if all[ref.Provider] == nil {
			return nil, fmt.Errorf("SWITCHBOARD_MODEL is %q: expected extract, bedrock/<model>, openai/<model> with OPENAI_API_KEY or OPENAI_BASE_URL set, or anthropic/<model> with ANTHROPIC_API_KEY set", name)
		}
		first = ref
	}
	return model.New(all, first, nil), nil
}

// onDemand is a model whose client is made when it is first asked.
type onDemand struct{ open func() (model.Model, error) }

// Stream implements [model.Model].
func (d *onDemand) Stream(ctx context.Context, sc tenant.Scope, req model.Request) iter.Seq2[model.Part, error] {
	m, err := d.open()
	if err != nil {
		return func(yield func(model.Part, error) bool) {
			yield(model.Part{}, &problem.Error{Kind: problem.Upstream, Reason: problem.ReasonAuth, Op: "providers.onDemand", Err: err})
		}
	}
	return m.Stream(ctx, sc, req)
}
