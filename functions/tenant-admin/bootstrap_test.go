package main_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchboard/shared/app/apptest"
	"switchboard/shared/app/aws/awstest"
	"switchboard/shared/host/lambdahost/runtimetest"
	"switchboard/shared/table/dynamotable/dynamotest"
)

const (
	project = "lenhart-electric"
	master  = "5d0c8b3e9a7f41268c0e7b92d4f6a1530c9e8d7b6a5f4e3d2c1b0a9f8e7d6c5b"
)

// rig is the function, an operator's key, and the account it runs in.
type rig struct {
	*runtimetest.Function
	aws     *awstest.Deployed
	gateway awstest.Gateway
	key     string
}

func start(t *testing.T) *rig {
	t.Helper()
	endpoint, server := dynamotest.Start(t)
	client := awstest.Tables(t, endpoint, "data", "directory", "keys")
	keys := awstest.NewKeys(t, "keys")
	r := &rig{gateway: awstest.NewGateway(t), aws: awstest.Deploy(t, "../../template.yaml", server, map[string]string{"DataTable": "data", "DirectoryTable": "directory", "KeysTable": "keys"})}
	awstest.Bring(t, client, keys.Sealer(t, client), "data", "directory", master, project, "outside-client-a", "incharge-electric", "personal-example")
	r.Function = runtimetest.Start(t, runtimetest.Build(t, "."), &runtimetest.Options{Timeout: 30 * time.Second, Env: append(append(append(keys.Env(), r.gateway.Env()...), r.aws.Env("TenantAdminRole")...),
		"SWITCHBOARD_TABLE=data", "SWITCHBOARD_DIRECTORY_TABLE=directory", "SWITCHBOARD_MASTER_KEY="+master, "GOMEMLIMIT=100MiB")})
	t.Cleanup(func() {
		r.Kill()
		for _, s := range append(r.aws.Secrets(), r.key, master) {
			if strings.Contains(r.Logs(), s) {
				t.Errorf("a secret is in the log:\n%s", r.Logs())
			}
		}
	})
	answer, err := r.invoke(t, `{"operator_key":{"name":"the first"}}`)
	if r.key = apptest.Get([]byte(answer), "key"); err != nil || !strings.HasPrefix(r.key, "op_") {
		t.Fatalf("the first operator key: %s, %v", answer, err)
	}
	return r
}

// invoke is what who may invoke the function does, with no gateway.
func (r *rig) invoke(t *testing.T, event string) (string, error) {
	t.Helper()
	resp, err := r.Invoke(t.Context(), []byte(event))
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// TestInvoked: whoever may invoke the function makes operator keys, and nothing else.
func TestInvoked(t *testing.T) {
	t.Parallel()
	r := start(t)
	if plan := r.gateway.PlanOf("_operators"); plan != "test-enterprise" {
		t.Errorf("operators are metered by %q", plan)
	}
	if a := r.do(t, "admin_projects"); a.Status != 200 {
		t.Errorf("with the key: %d %s", a.Status, a.Body)
	}
	for _, event := range []string{
		`{}`, `{"operator_key":null}`, `{"operator_key":"x"}`, `{"operator_key":{"nmae":"x"}}`, `[]`, `null`, `7`,
		`{"operator_key":{"name":"` + strings.Repeat("x", 101) + `"}}`,
		`{"operator_key":{"name":"x"},"path":"/"}`, `{"operator_key":{"name":"x"},"requestContext":{"apiId":"a"}}`, `{"operator_key":{"name":"x"},"resource":"/v1"}`,
	} {
		if answer, err := r.invoke(t, event); err == nil {
			t.Errorf("%s: %s", event, answer)
		}
	}
	if a := r.do(t, "admin_projects"); a.Status != 200 {
		t.Errorf("afterwards: %d %s", a.Status, a.Body)
	}
}

// do sends an event of events/.
func (r *rig) do(t *testing.T, name string, replace ...string) apptest.Answer {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.Invoke(t.Context(), []byte(strings.NewReplacer(append(replace, "op_EXAMPLE", r.key)...).Replace(string(raw))))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return apptest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
}

// TestBootstrap runs the function as it is deployed, behind the template's policies. It
// does all that the operator's API does, in the company's own session, whose policy
// lets it at the company's definition, audit log and standing alone.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	r := start(t)
	created := r.do(t, "admin_key_create")
	for _, name := range []string{
		"admin_projects", "admin_project_create", "admin_project", "admin_project_patch", "admin_project_versions", "admin_project_rollback",
		"admin_files", "admin_assistant_create", "admin_assistants", "admin_assistant", "admin_assistant_patch", "admin_assistant_versions",
		"admin_assistant_rollback", "admin_assistant_delete",
		"admin_keys", "admin_suspend", "admin_resume", "admin_suspend_user", "admin_resume_user",
	} {
		if a := r.do(t, name); a.Status != 200 {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := r.do(t, "admin_key_revoke", "KEY_ID", created.Get("id")); created.Status != 200 || a.Status != 200 && a.Status != 404 {
		t.Errorf("a key: %d %s, revoked: %d %s", created.Status, created.Body, a.Status, a.Body)
	}
	if plan := r.gateway.PlanOf("volt-garage"); plan != "test-pro" {
		t.Errorf("a company that was made is metered by %q", plan)
	}
	for _, d := range r.aws.Denied() {
		t.Errorf("the policies refused: %s", d)
	}
	done := r.aws.Allowed()
	if done[project+" PutItem"] < 3 || r.aws.Assumed(project) != 1 {
		t.Errorf("control: %v, %d sessions", done, r.aws.Assumed(project))
	}
}
