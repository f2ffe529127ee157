package account

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"switchboard/shared/problem"
)

// Config is what Lambda puts into the environment: AWS_REGION and the role's
// credentials, which last as long as the process. Beside them AWS_ENDPOINT_URL,
// AWS_ENDPOINT_URL_<SERVICE> and AWS_USE_FIPS_ENDPOINT are read.
//
// The SDK's own loader would read files and ask services that a Lambda does not
// have, and brings the clients of four more services into the binary, which is
// downloaded and started by every cold start.
func Config(getenv func(string) string) (aws.Config, error) {
	key, secret := getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY")
	region := getenv("AWS_REGION")
	if region == "" || key == "" || secret == "" {
		return aws.Config{}, problem.New(problem.Internal, "account.Config", "AWS_REGION, AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set")
	}
	fips, err := fipsState(getenv("AWS_USE_FIPS_ENDPOINT"))
	if err != nil {
		return aws.Config{}, err
	}
	return aws.Config{
		Region:        region,
		Credentials:   credentials.NewStaticCredentialsProvider(key, secret, getenv("AWS_SESSION_TOKEN")),
		Logger:        sdkLog{},
		ConfigSources: []any{environment{getenv, fips}},
	}, nil
}

func fipsState(set string) (aws.FIPSEndpointState, error) {
	switch strings.ToLower(set) {
	case "":
		return aws.FIPSEndpointStateUnset, nil
	case "true":
		return aws.FIPSEndpointStateEnabled, nil
	case "false":
		return aws.FIPSEndpointStateDisabled, nil
	}
	return aws.FIPSEndpointStateUnset, problem.New(problem.Internal, "account.Config", "AWS_USE_FIPS_ENDPOINT is %q; expected true or false", set)
}

// environment answers what the SDK's clients look for in a configuration's sources.
type environment struct {
	getenv func(string) string
	fips   aws.FIPSEndpointState
}

// GetServiceBaseEndpoint returns the endpoint that is set for a service, else the one
// for all.
func (e environment) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	name := "AWS_ENDPOINT_URL_" + strings.ReplaceAll(strings.ToUpper(service), " ", "_")
	for _, variable := range []string{name, "AWS_ENDPOINT_URL"} {
		if url := e.getenv(variable); url != "" {
			return url, true, nil
		}
	}
	return "", false, nil
}

// GetUseFIPSEndpoint tells whether endpoints with validated cryptography are asked for.
func (e environment) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return e.fips, e.fips != aws.FIPSEndpointStateUnset, nil
}
