package main_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/app/apptest"
	"switchboard/shared/app/aws/awstest"
	"switchboard/shared/host/lambdahost/runtimetest"
	"switchboard/shared/model/modeltest"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/tenant/auth"
)

// TestBootstrap runs the function as it is deployed, under a fake Runtime API, with
// DynamoDB, Redis and the model's provider on loopback. It is built once.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	bootstrap := runtimetest.Build(t, ".")
	for name, test := range map[string]func(*testing.T, string){
		"TokensArriveWhileTheModelIsHeld":            tokensArrive,
		"ABufferedAnswer":                            buffered,
		"CompletionsAndModels":                       completions,
		"TheTableRemembersAConversation":             rememberedByTable,
		"RedisRemembersAConversation":                rememberedByRedis,
		"ItAnswersAsTheOneProcessServerDoes":         sameAsOneProcess,
		"Refusals":                                   refusals,
		"AModelThatBreaksOffEndsInAnErrorEvent":      brokenOff,
		"TheDeadlineInterruptsAndANewProcessAnswers": deadline,
		"TheDeadlineBeforeTheFirstTokenIsA503":       deadlineBuffered,
		"ATurnOfAKilledProcessIsTakenUp":             killed,
		"AKeyThatIsAwayIsOneTenants":                 keysAway,
		"EachCallIsOnItsTenantsCredentials":          vended,
		"TheAuthorizersWordAlone":                    vouched,
		"AnOpenStreamEndsByItsStanding":              untilRevoked,
		"WithoutSessionsATenantIsA503":               unassumed,
		"WithoutADataRoleItDoesNotStart":             roleless,
		"ItStaysSmall":                               staysSmall,
		"AnEnvironmentWithoutATableIsA503":           unopened,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, bootstrap)
		})
	}
}

const (
	project = "lenhart-electric"
	other   = "incharge-electric"

	// master is no word that could stand in a log by chance.
	master = "5d0c8b3e9a7f41268c0e7b92d4f6a1530c9e8d7b6a5f4e3d2c1b0a9f8e7d6c5b"
	// asked is what the events ask.
	asked = "Do you do panel upgrades?"
	// longest is a function's time in tests that do not look at it.
	longest = 30 * time.Second
)

// rig is all that the function talks to.
type rig struct {
	bootstrap string
	endpoint  string // of DynamoDB, around the guard
	model     *modeltest.Server
	dynamo    *dynamotest.Server // nil where the real thing is used
	keys      *awstest.Keys
	aws       *awstest.Deployed
	env       []string
	data      *table.Table // what the function has, opened beside it
	directory *auth.Directory
	// authorizer stands before the function, as the gateway's does. That it may read
	// what it reads is for functions/authorizer to show.
	authorizer *auth.Authorizer
	secrets    []string // what must be in no log
}

// newRig starts the stores and a provider that answers by the script.
func newRig(t *testing.T, bootstrap string, script func(modeltest.Call) modeltest.Script) *rig {
	t.Helper()
	r := &rig{bootstrap: bootstrap, model: modeltest.NewServer(script), secrets: []string{master, asked}}
	upstream := httptest.NewServer(r.model)
	t.Cleanup(func() {
		upstream.CloseClientConnections()
		upstream.Close()
	})
	endpoint := os.Getenv("SWITCHBOARD_DYNAMODB_ENDPOINT")
	var store http.Handler
	if endpoint == "" {
		endpoint, r.dynamo = dynamotest.Start(t)
		store = r.dynamo
	} else {
		store = awstest.To(t, endpoint)
	}
	r.endpoint = endpoint
	run := rand.Text() // others use the real one too
	data, directory := "data-"+run, "directory-"+run
	r.keys = awstest.NewKeys(t, "keys-"+run)
	client := awstest.Tables(t, endpoint, data, directory, r.keys.Table)
	sealer := r.keys.Sealer(t, client)
	r.data = awstest.Open(t, client, sealer, data, master)
	r.directory = awstest.Bring(t, client, sealer, data, directory, master, project, other, "outside-client-a", "personal-example")
	var err error
	if r.authorizer, err = auth.NewAuthorizer(r.directory, []byte(master)); err != nil {
		t.Fatal(err)
	}
	r.aws = awstest.Deploy(t, "../../template.yaml", store, map[string]string{"DataTable": data, "DirectoryTable": directory, "KeysTable": r.keys.Table})
	r.env = append(append(r.keys.Env(), r.aws.Env("ChatRole")...),
		"SWITCHBOARD_TABLE="+data, "SWITCHBOARD_MASTER_KEY="+master,
		"OPENAI_BASE_URL="+upstream.URL+"/v1", "SWITCHBOARD_MODEL=openai/scripted", "GOMEMLIMIT=100MiB",
	)
	return r
}

// key issues a secret key of the project.
func (r *rig) key(t *testing.T, project string) string {
	t.Helper()
	_, secret, err := r.directory.Issue(t.Context(), auth.Credential{Kind: auth.SecretKey, Project: project})
	if err != nil {
		t.Fatal(err)
	}
	text := secret.Reveal()
	r.secrets = append(r.secrets, text, text[strings.LastIndexByte(text, '_')+1:])
	return text
}

// function is a running bootstrap.
type function struct {
	*runtimetest.Function
	rig *rig
}

// start runs the function. When the test ends it must have stayed small, its log
// must be JSON alone, and nobody's secret or message may be in it.
func (r *rig) start(t *testing.T, timeout time.Duration, env ...string) function {
	t.Helper()
	f := runtimetest.Start(t, r.bootstrap, &runtimetest.Options{Env: append(r.env[:len(r.env):len(r.env)], env...), Timeout: timeout})
	t.Cleanup(func() {
		if peak, err := f.PeakMemory(); err == nil { // where there is /proc
			t.Logf("peak memory %d MB", peak>>20)
			if peak >= 128<<20 {
				t.Errorf("peak memory is %d MB", peak>>20)
			}
		}
		f.Kill()
		for _, d := range r.aws.Denied() {
			t.Errorf("the policies refused: %s", d)
		}
		for line := range strings.Lines(f.Logs()) {
			if !jsontext.Value(line).IsValid() {
				t.Errorf("logged without slog: %s", line)
			}
		}
		for _, s := range append(r.aws.Secrets(), r.secrets...) {
			if strings.Contains(f.Logs(), s) {
				t.Errorf("%q is in the log:\n%s", s, f.Logs())
			}
		}
	})
	took, err := f.Ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %v", took.Round(time.Millisecond))
	return function{f, r}
}

// event reads an event of events/ with the key in its place, and changes it.
func event(t *testing.T, name, key string, change ...func(*events.APIGatewayProxyRequest)) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	raw = []byte(strings.ReplaceAll(string(raw), "sk_EXAMPLE", key))
	if len(change) == 0 {
		return raw
	}
	var ev events.APIGatewayProxyRequest
	if err := json.Unmarshal(raw, &ev); err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(&ev)
	}
	if raw, err = json.Marshal(ev); err != nil {
		t.Fatal(err)
	}
	return raw
}

// says changes the body, and is another turn than the event's.
func says(body string) func(*events.APIGatewayProxyRequest) {
	return func(ev *events.APIGatewayProxyRequest) {
		ev.Body = body
		delete(ev.Headers, "Idempotency-Key")
		delete(ev.MultiValueHeaders, "Idempotency-Key")
	}
}

// of changes the conversation that is asked for.
func of(id string) func(*events.APIGatewayProxyRequest) {
	return func(ev *events.APIGatewayProxyRequest) { ev.Path = "/v1/conversations/" + id }
}

// begin sends an event by way of the authorizer and returns the answer as it begins.
func (f function) begin(t *testing.T, event []byte) *runtimetest.Response {
	t.Helper()
	resp, err := f.Invoke(t.Context(), runtimetest.Authorize(t, f.rig.authorizer, event))
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// ask sends an event and reads the answer, which must end cleanly.
func (f function) ask(t *testing.T, event []byte) apptest.Answer {
	t.Helper()
	resp := f.begin(t, event)
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("after %q: %v", body, err)
	}
	return apptest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
}

// stream reads all events of an answer.
func stream(t *testing.T, a apptest.Answer) []apptest.Event {
	t.Helper()
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Fatalf("no stream: %d %v %s", a.Status, a.Header, a.Body)
	}
	var out []apptest.Event
	next := apptest.Events(strings.NewReader(a.Body))
	for e, ok := next(); ok; e, ok = next() {
		out = append(out, e)
	}
	return out
}

// want checks the status and pairs of a path in the body and its text.
func want(t *testing.T, a apptest.Answer, status int, pairs ...string) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if got := a.Get(pairs[i]); got != pairs[i+1] {
			t.Errorf("%s is %q, want %q, in %s", pairs[i], got, pairs[i+1], a.Body)
		}
	}
}
