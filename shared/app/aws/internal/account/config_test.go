package account_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"switchboard/shared/app/aws/internal/account"
)

// on is an environment as Lambda makes it, with more in it.
func on(more map[string]string) func(string) string {
	return func(name string) string {
		if v, ok := more[name]; ok {
			return v
		}
		return map[string]string{"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}[name]
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	cfg, err := account.Config(on(nil))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || cfg.Region != "eu-central-1" || c.AccessKeyID != "key" || c.SecretAccessKey != "secret" || c.SessionToken != "token" || c.CanExpire {
		t.Errorf("%+v, %+v, %v", cfg, c, err)
	}
	for _, missing := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if _, err := account.Config(on(map[string]string{missing: ""})); err == nil {
			t.Errorf("it does without %s", missing)
		}
	}
	if _, err := account.Config(on(map[string]string{"AWS_USE_FIPS_ENDPOINT": "yes"})); err == nil {
		t.Error("a setting that means nothing is passed over")
	}
}

// TestTheClientsReadTheEnvironment asks the SDK's own clients what they made of it.
func TestTheClientsReadTheEnvironment(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env             map[string]string
		dynamo, bedrock string
		fips            aws.FIPSEndpointState
	}{
		"nothing set": {},
		"one service": {env: map[string]string{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://b"}, bedrock: "http://b"},
		"all services but one": {env: map[string]string{"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_DYNAMODB": "http://d"},
			dynamo: "http://d", bedrock: "http://a"},
		"validated cryptography": {env: map[string]string{"AWS_USE_FIPS_ENDPOINT": "True"}, fips: aws.FIPSEndpointStateEnabled},
		"without it":             {env: map[string]string{"AWS_USE_FIPS_ENDPOINT": "false"}, fips: aws.FIPSEndpointStateDisabled},
	} {
		cfg, err := account.Config(on(c.env))
		if err != nil {
			t.Fatal(err)
		}
		d, b := dynamodb.NewFromConfig(cfg).Options(), bedrockruntime.NewFromConfig(cfg).Options()
		if aws.ToString(d.BaseEndpoint) != c.dynamo || aws.ToString(b.BaseEndpoint) != c.bedrock {
			t.Errorf("%s: endpoints %q and %q", name, aws.ToString(d.BaseEndpoint), aws.ToString(b.BaseEndpoint))
		}
		if d.EndpointOptions.UseFIPSEndpoint != c.fips || b.EndpointOptions.UseFIPSEndpoint != c.fips {
			t.Errorf("%s: FIPS %v and %v", name, d.EndpointOptions.UseFIPSEndpoint, b.EndpointOptions.UseFIPSEndpoint)
		}
	}
}
