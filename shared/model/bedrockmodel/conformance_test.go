package bedrockmodel_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"switchboard/shared/model"
	"switchboard/shared/model/bedrockmodel"
	"switchboard/shared/model/modeltest"
)

// account is an AWS account that does not exist.
func account() aws.Config {
	return aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", "")}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, func(_ *testing.T, baseURL string) model.Model {
		return bedrockmodel.New(bedrockmodel.Config{AWS: account(), BaseEndpoint: baseURL})
	}, "bedrock")
}
