package main_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	integrations "switchboard/company-integrations"
	"switchboard/shared/app/aws/awstest"
	"switchboard/shared/chat"
	"switchboard/shared/company/companytest"
	"switchboard/shared/host/lambdahost/runtimetest"
	"switchboard/shared/model"
	"switchboard/shared/model/extractmodel"
	"switchboard/shared/search/memsearch"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
	"switchboard/shared/usage"
)

// TestBootstrap runs the function as it is deployed, under a fake Runtime API, with
// DynamoDB on loopback. It is built once.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	bootstrap := runtimetest.Build(t, ".")
	for name, test := range map[string]func(*testing.T, string){
		"ADeadTurnIsClosedOnce":             closedOnce,
		"TheEndsComeBeforeTheBeginnings":    outOfOrder,
		"ARetryThatDiedLeavesWhatWasStored": deadRetry,
		"ATurnWithinABatchCostsNothing":     withinABatch,
		"ATurnInTwoShardsCostsARead":        twoShards,
		"CompaniesAreClosedEachForItself":   companies,
		"AStoreThatFails":                   storeFails,
		"ARecordThatCannotBeRead":           unreadable,
		"ABatchAsLargeAsTheyCome":           largest,
		"TheSampleEvents":                   samples,
		"WhatIsNoEventOfOurs":               foreign,
		"WithoutATableNothingIsTaken":       unopened,
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
	// asked is in no log.
	asked = "Do you do panel upgrades at all?"
)

// rig is the table, what was written to it, and the function behind it.
type rig struct {
	*runtimetest.Function
	endpoint string
	server   *dynamotest.Server // nil where the real thing is used
	name     string
	keys     *awstest.Keys
	aws      *awstest.Deployed
	data     *table.Table
}

// newRig starts all on DynamoDB Local where there is one, else on dynamotest.
func newRig(t *testing.T, bootstrap string) *rig {
	t.Helper()
	if endpoint := os.Getenv("SWITCHBOARD_DYNAMODB_ENDPOINT"); endpoint != "" {
		return startRig(t, bootstrap, &rig{endpoint: endpoint})
	}
	return newFakeRig(t, bootstrap)
}

// newFakeRig is for tests that count units or have requests fail.
func newFakeRig(t *testing.T, bootstrap string, env ...string) *rig {
	t.Helper()
	r := new(rig)
	r.endpoint, r.server = dynamotest.Start(t)
	return startRig(t, bootstrap, r, env...)
}

func startRig(t *testing.T, bootstrap string, r *rig, env ...string) *rig {
	t.Helper()
	r.name = "data-" + rand.Text() // others use the real one too
	client := r.client(t.Cleanup)
	r.keys = awstest.NewKeys(t, "keys-"+rand.Text())
	directory, definitions := "directory-"+rand.Text(), "definitions-"+rand.Text()
	for _, name := range []string{r.name, r.keys.Table, directory, definitions} {
		if err := dynamotable.CreateTable(t.Context(), client, name); err != nil {
			t.Fatal(err)
		}
	}
	// The companies' own items would be in the stream that the tests feed.
	awstest.Bring(t, client, r.keys.Sealer(t, client), definitions, directory, strings.Repeat("m", 32), project, other)
	r.data = r.open(t, client)
	var store http.Handler = r.server
	if r.server == nil {
		store = awstest.To(t, r.endpoint)
	}
	r.aws = awstest.Deploy(t, "../../template.yaml", store, map[string]string{"DataTable": r.name, "KeysTable": r.keys.Table, "DirectoryTable": directory})
	r.Function = runtimetest.Start(t, bootstrap, &runtimetest.Options{Env: append(append(append(r.keys.Env(), r.aws.Env("RollupRole")...),
		"SWITCHBOARD_TABLE="+r.name, "SWITCHBOARD_DIRECTORY_TABLE="+directory, "GOMEMLIMIT=100MiB"), env...)})
	t.Cleanup(func() {
		took, _ := r.Ready(context.Background())
		if peak, err := r.PeakMemory(); err == nil { // where there is /proc
			t.Logf("ready after %v, peak memory %d MB", took.Round(time.Millisecond), peak>>20)
			if peak >= 128<<20 {
				t.Errorf("peak memory is %d MB", peak>>20)
			}
		}
		r.Kill()
		for _, d := range r.aws.Denied() {
			t.Errorf("the policies refused: %s", d)
		}
		for line := range strings.Lines(r.Logs()) {
			if !json.Valid([]byte(line)) || strings.Contains(line, asked) {
				t.Errorf("logged: %s", line)
			}
		}
	})
	return r
}

// client returns a client with connections of its own; cleanup is told what ends
// them.
func (r *rig) client(cleanup func(func())) *dynamodb.Client {
	h := &http.Client{Transport: &http.Transport{}}
	cleanup(h.CloseIdleConnections)
	return dynamodb.NewFromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: &r.endpoint, HTTPClient: h,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
}

func (r *rig) open(t *testing.T, client *dynamodb.Client) *table.Table {
	t.Helper()
	data, err := dynamotable.Open(dynamotable.Config{Client: client, Table: r.name, CursorKey: make([]byte, 32), Sealer: r.keys.Sealer(t, client)})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// process is one that takes turns over the table.
func process(t *testing.T, data *table.Table) *chat.Service {
	t.Helper()
	prices, err := usage.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return &chat.Service{
		Companies: companytest.Load(t, integrations.FS), Table: data, Search: memsearch.New(), Prices: prices, Process: chat.NewProcess(),
		Models: model.New(map[string]model.Model{"extract": extractmodel.New()}, model.Ref{Provider: "extract"}, nil),
	}
}

// whole takes a turn to its end, and returns it.
func whole(t *testing.T, s *chat.Service, sc tenant.Scope, key string) (done *chat.Turn) {
	t.Helper()
	for p, err := range s.Say(t.Context(), sc, chat.Question{Assistant: "website", Message: asked, Key: key}) {
		if err != nil {
			t.Fatal(err)
		}
		done = p.Done
	}
	return done
}

// begun begins a turn and ends there, as a process does that is killed.
func begun(t *testing.T, s *chat.Service, sc tenant.Scope, key string) (start chat.Start) {
	t.Helper()
	died := make(chan struct{})
	go func() {
		defer close(died)
		for p, err := range s.Say(t.Context(), sc, chat.Question{Assistant: "website", Message: asked, Key: key}) {
			if err != nil {
				t.Error(err)
			}
			start = *p.Start
			runtime.Goexit()
		}
	}()
	<-died
	if start.Turn == "" {
		t.Fatal("no turn began")
	}
	return start
}

// longAgo is the time in a bubble of synctest: a process that lives there has ended
// its turns long before the function looks.
func (r *rig) longAgo(t *testing.T, do func(*testing.T, *chat.Service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var end func()
		client := r.client(func(f func()) { end = f })
		defer func() { end() }()
		do(t, process(t, r.open(t, client)))
	})
}

// records returns what the table's stream holds, at least so many.
func (r *rig) records(t *testing.T, least int) []json.RawMessage {
	t.Helper()
	return dynamotest.Records(t, r.endpoint, r.name, least)
}

// deliver hands the function a batch, and returns the sequence numbers of those that
// are to come again.
func (r *rig) deliver(t *testing.T, batch []json.RawMessage) (again []string) {
	t.Helper()
	event, err := json.Marshal(map[string]any{"Records": batch})
	if err != nil {
		t.Fatal(err)
	}
	var answer events.DynamoDBEventResponse
	body := r.invoke(t, event)
	if err := json.Unmarshal(body, &answer); err != nil || answer.BatchItemFailures == nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, f := range answer.BatchItemFailures {
		again = append(again, f.ItemIdentifier)
	}
	return again
}

// taken delivers a batch of which nothing is to come again.
func (r *rig) taken(t *testing.T, batch []json.RawMessage) {
	t.Helper()
	if again := r.deliver(t, batch); again != nil {
		t.Errorf("to come again: %v", again)
	}
}

// tick sends the schedule's event.
func (r *rig) tick(t *testing.T) {
	t.Helper()
	if body := r.invoke(t, sample(t, "rollup-schedule")); string(body) != "null" {
		t.Errorf("a tick answers %s", body)
	}
}

func (r *rig) invoke(t *testing.T, event []byte) []byte {
	t.Helper()
	resp, err := r.Invoke(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("../../events/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// stored returns the turns of a conversation, and the version of each one's item.
func (r *rig) stored(t *testing.T, sc tenant.Scope, conversation string) (turns []chat.Turn, versions []int64) {
	t.Helper()
	page, err := r.data.List(t.Context(), sc, table.Query{Kind: "turn", Parent: conversation})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range page.Items {
		var turn chat.Turn
		if err := json.Unmarshal(it.Body, &turn); err != nil {
			t.Fatal(err)
		}
		turns, versions = append(turns, turn), append(versions, it.Version)
	}
	return turns, versions
}

// noted returns the turns in the tenant's note.
func (r *rig) noted(t *testing.T, sc tenant.Scope) map[string]time.Time {
	t.Helper()
	it, err := r.data.Get(t.Context(), sc, table.Key{Kind: "sweep", ID: chat.NoteID})
	if err != nil {
		t.Fatal(err)
	}
	var note struct{ Open map[string]time.Time }
	if it.Version > 0 {
		if err := json.Unmarshal(it.Body, &note); err != nil {
			t.Fatal(err)
		}
	}
	return note.Open
}

var sc = tenanttest.Scope(project)
