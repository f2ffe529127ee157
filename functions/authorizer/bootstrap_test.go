package main_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/app/aws/awstest"
	"switchboard/shared/host/lambdahost/runtimetest"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

const (
	project = "lenhart-electric"
	master  = "5d0c8b3e9a7f41268c0e7b92d4f6a1530c9e8d7b6a5f4e3d2c1b0a9f8e7d6c5b"
	stage   = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/dev/*/*"
)

// rig is the function, and the account it runs in.
type rig struct {
	*runtimetest.Function
	aws       *awstest.Deployed
	dynamo    *dynamotest.Server
	directory *auth.Directory
	secrets   []string
}

func start(t *testing.T, bootstrap string, env ...string) *rig {
	t.Helper()
	endpoint, server := dynamotest.Start(t)
	client := awstest.Tables(t, endpoint, "data", "directory", "keys")
	keys := awstest.NewKeys(t, "keys")
	sealer := keys.Sealer(t, client)
	r := &rig{dynamo: server, secrets: []string{master},
		aws: awstest.Deploy(t, "../../template.yaml", server, map[string]string{"DataTable": "data", "DirectoryTable": "directory", "KeysTable": "keys"})}
	var err error
	if r.directory, err = auth.NewDirectory(awstest.Open(t, client, sealer, "directory", master), []byte(master)); err != nil {
		t.Fatal(err)
	}
	own := slices.DeleteFunc(r.aws.Env("AuthorizerRole"), func(v string) bool { return strings.HasPrefix(v, "SWITCHBOARD_DATA_ROLE") })
	r.Function = runtimetest.Start(t, bootstrap, &runtimetest.Options{Timeout: 10 * time.Second, Env: append(append(append(keys.Env(), own...),
		"SWITCHBOARD_DIRECTORY_TABLE=directory", "SWITCHBOARD_MASTER_KEY="+master, "GOMEMLIMIT=100MiB"), env...)})
	t.Cleanup(func() {
		if peak, err := r.PeakMemory(); err == nil {
			t.Logf("peak memory %d MB", peak>>20)
		}
		r.Kill()
		for line := range strings.Lines(r.Logs()) {
			if !jsontext.Value(line).IsValid() {
				t.Errorf("logged without slog: %s", line)
			}
		}
		for _, s := range append(r.aws.Secrets(), r.secrets...) {
			if strings.Contains(r.Logs(), s) {
				t.Errorf("a secret is in the log:\n%s", r.Logs())
			}
		}
	})
	took, err := r.Ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %v", took.Round(time.Millisecond))
	return r
}

func (r *rig) issue(t *testing.T, c auth.Credential) (auth.Credential, string) {
	t.Helper()
	c, secret, err := r.directory.Issue(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	text := secret.Reveal()
	if c.Kind != auth.Publishable {
		r.secrets = append(r.secrets, text)
	}
	return c, text
}

// ask sends events/authorizer.json with the credential, changed.
func (r *rig) ask(t *testing.T, credential string, change ...func(*events.APIGatewayCustomAuthorizerRequestTypeRequest)) (a events.APIGatewayCustomAuthorizerResponse, err error) {
	t.Helper()
	raw, err := os.ReadFile("../../events/authorizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var ev events.APIGatewayCustomAuthorizerRequestTypeRequest
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(raw), "sk_EXAMPLE", credential)), &ev, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(&ev)
	}
	if raw, err = json.Marshal(ev); err != nil {
		t.Fatal(err)
	}
	resp, err := r.Invoke(t.Context(), raw)
	if err != nil {
		return a, err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return a, nil
}

func headers(h http.Header) func(*events.APIGatewayCustomAuthorizerRequestTypeRequest) {
	return func(ev *events.APIGatewayCustomAuthorizerRequestTypeRequest) {
		ev.Headers, ev.MultiValueHeaders = nil, h
	}
}

// TestBootstrap runs the function as it is deployed, behind the template's policies.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	bootstrap := runtimetest.Build(t, ".")
	for name, test := range map[string]func(*testing.T, string){
		"WhatHoldsIsAllowedTheWholeStage": allowed, "WhatDoesNotIsUnauthorized": unauthorized,
		"ADirectoryThatIsAwayAllowsNobody": away, "WithoutADirectoryItAllowsNobody": unopened,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, bootstrap)
		})
	}
}

func allowed(t *testing.T, bootstrap string) {
	r := start(t, bootstrap)
	usage, err := auth.NewUsageKeys([]byte(master))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := tenant.ParseID(project)
	key, text := r.issue(t, auth.Credential{Kind: auth.SecretKey, Project: project})
	pk, public := r.issue(t, auth.Credential{Kind: auth.Publishable, Project: project})
	op, operator := r.issue(t, auth.Credential{Kind: auth.OperatorKey})
	if err := r.directory.SuspendProject(t.Context(), id, "unpaid"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		credential, id, usage string
		change                func(*events.APIGatewayCustomAuthorizerRequestTypeRequest)
	}{
		// All are suspended: the functions tell them so.
		"a secret key":      {text, key.ID, usage.Project(id), nil},
		"a publishable key": {public, pk.ID, usage.Project(id), nil},
		"an operator's key": {operator, op.ID, usage.Operators(), nil},
		"in x-api-key":      {"", key.ID, usage.Project(id), headers(http.Header{"x-api-key": {text}})},
		"in both":           {"", key.ID, usage.Project(id), headers(http.Header{"x-api-key": {text}, "authorization": {"bearer " + text}})},
		"on another path": {text, key.ID, usage.Project(id), func(ev *events.APIGatewayCustomAuthorizerRequestTypeRequest) {
			ev.MethodArn = strings.TrimSuffix(stage, "*/*") + "DELETE/v1/users/ada/x"
		}},
	} {
		if c.change == nil {
			c.change = func(*events.APIGatewayCustomAuthorizerRequestTypeRequest) {}
		}
		a, err := r.ask(t, c.credential, c.change)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := a.PolicyDocument.Statement
		if len(s) != 1 || s[0].Effect != "Allow" || !slices.Equal(s[0].Action, []string{"execute-api:Invoke"}) || !slices.Equal(s[0].Resource, []string{stage}) {
			t.Errorf("%s: %+v", name, a.PolicyDocument)
		}
		if token, _ := a.Context["principal"].(string); a.PrincipalID != c.id || a.UsageIdentifierKey != c.usage || len(c.usage) != 40 || token == "" || len(a.Context) != 1 {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for _, d := range r.aws.Denied() {
		t.Errorf("the policies refused: %s", d)
	}
	for what := range r.aws.Allowed() {
		if what != "GetItem" {
			t.Errorf("it did %q", what)
		}
	}
	if n := r.aws.Assumed("_directory") + r.aws.Assumed(project); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func unauthorized(t *testing.T, bootstrap string) {
	r := start(t, bootstrap)
	_, good := r.issue(t, auth.Credential{Kind: auth.SecretKey, Project: project})
	_, second := r.issue(t, auth.Credential{Kind: auth.SecretKey, Project: project})
	revoked, dead := r.issue(t, auth.Credential{Kind: auth.SecretKey, Project: project})
	_, expired := r.issue(t, auth.Credential{Kind: auth.SecretKey, Project: project, Expires: time.Now().Add(-time.Second)})
	_, identity := r.issue(t, auth.Credential{Kind: auth.IdentityKey, Project: project})
	if err := r.directory.Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]http.Header{
		"none":                   {},
		"wrong":                  {"Authorization": {"Bearer " + good[:len(good)-1] + "0"}},
		"revoked":                {"Authorization": {"Bearer " + dead}},
		"expired":                {"Authorization": {"Bearer " + expired}},
		"an identity key":        {"Authorization": {"Bearer " + identity}},
		"two that differ":        {"Authorization": {"Bearer " + good}, "X-Api-Key": {second}},
		"two in two spellings":   {"Authorization": {"Bearer " + good}, "authorization": {"Bearer " + good}},
		"beside a broken header": {"Authorization": {"Bearer " + good}, "X-A": {"1\r\nX-B: 2"}},
		"a token unsigned":       {"Authorization": {"Bearer eyJhbGciOiJub25lIn0.e30."}},
	} {
		_, err := r.ask(t, good, headers(h))
		if failed, ok := errors.AsType[*runtimetest.FunctionError](err); !ok || failed.Message != "Unauthorized" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.ask(t, good); err != nil {
		t.Errorf("control: %v", err)
	}
	for _, arn := range []string{"", "*", "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5", "arn:aws:execute-api:us-east-1:123456789012:*/*/GET/x", "arn:aws:s3:::a/b/c"} {
		_, err := r.ask(t, good, func(ev *events.APIGatewayCustomAuthorizerRequestTypeRequest) { ev.MethodArn = arn })
		if failed, ok := errors.AsType[*runtimetest.FunctionError](err); !ok || failed.Message == "Unauthorized" {
			t.Errorf("of the method %q: %v", arn, err)
		}
	}
}

// away takes the directory away: who is known is not refused for it, but not let in.
func away(t *testing.T, bootstrap string) {
	r := start(t, bootstrap)
	_, text := r.issue(t, auth.Credential{Kind: auth.SecretKey, Project: project})
	r.dynamo.OnCall(func(dynamotest.Call) dynamotest.Fault {
		return dynamotest.Fault{Status: 400, Code: "ProvisionedThroughputExceededException"}
	})
	_, err := r.ask(t, text)
	if failed, ok := errors.AsType[*runtimetest.FunctionError](err); !ok || failed.Message == "Unauthorized" || strings.Contains(failed.Message, "Throughput") {
		t.Errorf("%v", err)
	}
	r.dynamo.OnCall(nil)
	if _, err := r.ask(t, text); err != nil {
		t.Errorf("and when it is back: %v", err)
	}
}

func unopened(t *testing.T, bootstrap string) {
	r := start(t, bootstrap, "SWITCHBOARD_DIRECTORY_TABLE=")
	_, text := r.issue(t, auth.Credential{Kind: auth.SecretKey, Project: project})
	_, err := r.ask(t, text)
	if failed, ok := errors.AsType[*runtimetest.FunctionError](err); !ok || failed.Message == "Unauthorized" || strings.Contains(failed.Message, "SWITCHBOARD") {
		t.Errorf("%v", err)
	}
	r.Kill() // so that the log is whole
	if !strings.Contains(r.Logs(), "SWITCHBOARD_DIRECTORY_TABLE is not set") {
		t.Errorf("the log says\n%s", r.Logs())
	}
}
