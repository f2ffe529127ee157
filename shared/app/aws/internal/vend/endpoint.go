package vend

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"switchboard/shared/problem"
)

// endpoints and validated are what a configuration's sources can say of endpoints; account.Config
// has one.
type endpoints interface {
	GetServiceBaseEndpoint(ctx context.Context, service string) (string, bool, error)
}

type validated interface {
	GetUseFIPSEndpoint(ctx context.Context) (aws.FIPSEndpointState, bool, error)
}

// endpoint is where the region's STS is, or what the configuration says instead. The
// region's own is asked, not the global one: it is near, and fails for itself.
func endpoint(ctx context.Context, cfg aws.Config, partition string) (string, error) {
	host := "sts"
	for _, source := range cfg.ConfigSources {
		if s, ok := source.(endpoints); ok {
			if url, found, err := s.GetServiceBaseEndpoint(ctx, "STS"); found || err != nil {
				return url, err
			}
		}
		if s, ok := source.(validated); ok && partition != "aws-us-gov" { // whose every endpoint is
			state, _, err := s.GetUseFIPSEndpoint(ctx)
			if err != nil {
				return "", err
			}
			if state == aws.FIPSEndpointStateEnabled {
				host = "sts-fips"
			}
		}
	}
	switch partition {
	case "aws", "aws-us-gov":
		return "https://" + host + "." + cfg.Region + ".amazonaws.com", nil
	case "aws-cn":
		return "https://" + host + "." + cfg.Region + ".amazonaws.com.cn", nil
	}
	return "", problem.New(problem.Internal, "vend.New", "where STS is in the partition %q is not known; set AWS_ENDPOINT_URL_STS", partition)
}
