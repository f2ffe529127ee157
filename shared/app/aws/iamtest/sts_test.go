package iamtest_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"switchboard/shared/app/aws/iamtest"
)

// TestSTS asks it with the SDK's own client: who may assume the data role, and how.
func TestSTS(t *testing.T) {
	t.Parallel()
	a := iamtest.New(t, "../../../../template.yaml", map[string]string{"DataTable": "data", "KeysTable": "keys"})
	server := httptest.NewServer(a.STS())
	t.Cleanup(server.Close)
	client := func(c aws.Credentials) *sts.Client {
		return sts.New(sts.Options{Region: iamtest.Region, BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{},
			Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)})
	}
	tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
	in := func(change func(*sts.AssumeRoleInput)) *sts.AssumeRoleInput {
		i := &sts.AssumeRoleInput{RoleArn: aws.String(iamtest.DataRole()), RoleSessionName: aws.String("acme"), DurationSeconds: aws.Int32(900), Tags: []types.Tag{tag("projectId", "acme")}}
		if change != nil {
			change(i)
		}
		return i
	}
	chat := a.Login("ChatRole")
	wrong := chat
	wrong.SecretAccessKey = "another"
	for _, role := range []string{"ChatRole", "TenantAdminRole", "RollupRole"} {
		out, err := client(a.Login(role)).AssumeRole(t.Context(), in(nil))
		if err != nil || time.Until(*out.Credentials.Expiration) > 15*time.Minute || *out.Credentials.SessionToken == "" {
			t.Errorf("control: %s: %+v, %v", role, out, err)
		}
	}
	session, err := client(chat).AssumeRole(t.Context(), in(nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		by   aws.Credentials
		in   *sts.AssumeRoleInput
		code string
	}{
		"without a tag":      {chat, in(func(i *sts.AssumeRoleInput) { i.Tags = nil }), "AccessDenied"},
		"with an empty tag":  {chat, in(func(i *sts.AssumeRoleInput) { i.Tags = []types.Tag{tag("projectId", "")} }), "AccessDenied"},
		"with another tag":   {chat, in(func(i *sts.AssumeRoleInput) { i.Tags = []types.Tag{tag("team", "acme")} }), "AccessDenied"},
		"with one more":      {chat, in(func(i *sts.AssumeRoleInput) { i.Tags = append(i.Tags, tag("team", "x")) }), "AccessDenied"},
		"with a wildcard":    {chat, in(func(i *sts.AssumeRoleInput) { i.Tags = []types.Tag{tag("projectId", "*")} }), "ValidationError"},
		"another role":       {chat, in(func(i *sts.AssumeRoleInput) { i.RoleArn = aws.String("arn:aws:iam::123456789012:role/RollupRole") }), "AccessDenied"},
		"by a session of it": {aws.Credentials{AccessKeyID: *session.Credentials.AccessKeyId, SecretAccessKey: *session.Credentials.SecretAccessKey, SessionToken: *session.Credentials.SessionToken}, in(nil), "AccessDenied"},
		"a wrong signature":  {wrong, in(nil), "InvalidSignature"},
		"by nobody":          {aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "x", SessionToken: "y"}, in(nil), "UnrecognizedClient"},
		"no policy":          {chat, in(func(i *sts.AssumeRoleInput) { i.Policy = aws.String("{}") }), "MalformedPolicyDocument"},
		"too short":          {chat, in(func(i *sts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(60) }), "ValidationError"},
	} {
		if _, err := client(c.by).AssumeRole(t.Context(), c.in); err == nil || !strings.Contains(err.Error(), c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
