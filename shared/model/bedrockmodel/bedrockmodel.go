// Package bedrockmodel is the driver for Amazon Bedrock's ConverseStream.
//
// Only shared/app imports it. The official SDK makes the request: credentials,
// signature, endpoint, serialization, error types, and the decoder of frames. The
// stream itself we read here: the SDK's reader takes three goroutines and a channel
// per turn, closes itself over events nobody has read yet when an exception
// follows, and takes a cut between two frames for an end. Its one promise is the
// one of [model.Model]: an answer that ends was ended by a messageStop.
package bedrockmodel

import (
	"context"
	"fmt"
	"io"
	"iter"
	"mime"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"switchboard/shared/model"
	"switchboard/shared/model/internal/provider"
	"switchboard/shared/tenant"
)

const op = "bedrockmodel.Stream"

// Config says whose models to talk to.
type Config struct {
	AWS          aws.Config // region and credentials; AWS_BEARER_TOKEN_BEDROCK is not read
	BaseEndpoint string     // "" = the region's own
}

// Model talks to one account's models. It is safe for concurrent use.
type Model struct {
	client *bedrockruntime.Client
}

var _ model.Model = (*Model)(nil)

// New returns a Model. It connects to nothing yet.
func New(cfg Config) *Model {
	if cfg.AWS.HTTPClient == nil {
		cfg.AWS.HTTPClient = httpClient()
	}
	return &Model{client: bedrockruntime.NewFromConfig(cfg.AWS, func(o *bedrockruntime.Options) {
		o.Retryer = aws.NopRetryer{} // model.Models retries, and records each attempt
		// The SDK has read a token from the environment by now. It is the platform's,
		// and would be used in the place of the credentials of a tenant's own account.
		o.BearerAuthTokenProvider = cfg.AWS.BearerAuthTokenProvider
		o.AuthSchemePreference = cfg.AWS.AuthSchemePreference
		o.APIOptions = append(o.APIOptions, readItOurselves)
		if cfg.BaseEndpoint != "" {
			o.BaseEndpoint = aws.String(cfg.BaseEndpoint)
		}
	})}
}

// httpClient is the SDK's, fit for many streams to one host.
func httpClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(provider.Tune)
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
		body, err := m.send(inner, req)
		if err != nil {
			yield(model.Part{}, failure(ctx, err))
			return
		}
		defer body.Close()
		a := &answer{Answer: provider.NewAnswer(yield)}
		body = provider.Pausing(body, a.Pause)
		if err := a.read(body, cancel); err != nil {
			if !a.Over() {
				yield(model.Part{}, failure(ctx, err))
			}
			return
		}
		if a.Ended() {
			provider.Drain(body, cancel)
		}
	}
}

// send posts the request and returns the beginning of a stream.
func (m *Model) send(ctx context.Context, req model.Request) (io.ReadCloser, error) {
	in, err := input(req)
	if err != nil {
		return nil, err
	}
	out, err := m.client.ConverseStream(ctx, in)
	if err != nil {
		return nil, err
	}
	res, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response)
	if !ok {
		return nil, unreadable{fmt.Errorf("no response in the SDK's metadata")}
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if media != "application/vnd.amazon.eventstream" { // a proxy's page
		res.Body.Close()
		return nil, unreadable{fmt.Errorf("content type %q", media)}
	}
	return res.Body, nil
}
