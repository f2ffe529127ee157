package chat_test

import (
	"context"
	"fmt"
	"iter"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/redis/go-redis/v9"

	"switchboard/shared/chat"
	"switchboard/shared/company/companytest"
	"switchboard/shared/knowledge"
	"switchboard/shared/model"
	"switchboard/shared/seal"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/search"
	"switchboard/shared/search/memsearch"
	"switchboard/shared/search/searchtest"
	"switchboard/shared/session/redissession"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/table/tabletest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
	"switchboard/shared/usage"
)

// latency is what every store call takes in these tests, of the bubble's own time:
// what a step takes is its number of sequential round trips times this, exactly.
const latency = 10 * time.Millisecond

// meter delays and counts store calls.
type meter struct {
	delay time.Duration
	calls atomic.Int64
}

func (m *meter) before(context.Context, string) error {
	m.calls.Add(1)
	time.Sleep(m.delay)
	return nil
}

// DialHook, ProcessHook and ProcessPipelineHook make meter a hook of go-redis.
func (m *meter) DialHook(next redis.DialHook) redis.DialHook { return next }
func (m *meter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "hello" && cmd.Name() != "client" {
			m.before(ctx, cmd.Name())
		}
		return next(ctx, cmd)
	}
}
func (m *meter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() != "hello" && cmds[0].Name() != "client" {
			m.before(ctx, "pipeline")
		}
		return next(ctx, cmds)
	}
}

// clocked is a model that notes when it was asked and when it had finished.
type clocked struct{ asked, ended time.Time }

func (c *clocked) Stream(context.Context, tenant.Scope, model.Request) iter.Seq2[model.Part, error] {
	return func(yield func(model.Part, error) bool) {
		c.asked = time.Now()
		for range 50 {
			if !yield(model.Part{Text: "six words in every one chunk "}, nil) {
				return
			}
		}
		yield(model.Part{Usage: &model.Usage{Input: 900, Output: 350}}, nil)
		c.ended = time.Now()
		yield(model.Part{Stop: model.StopEnd}, nil)
	}
}

type house struct {
	*chat.Service
	model                  *clocked
	table, session, search *meter
}

// build makes a house of which everything is sealed that leaves the process.
func build(t *testing.T, data *table.Table, rdb *redis.Client, sealer *seal.Sealer) *house {
	t.Helper()
	h := &house{model: &clocked{}, table: &meter{delay: latency}, session: &meter{delay: latency}, search: &meter{delay: latency}}
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	companies := companytest.Load(t, fstest.MapFS{
		"alpha/company.yaml":          file("name: Alpha"),
		"alpha/assistants/website.md": file("You answer for Alpha."),
		"alpha/knowledge/fees.md":     file("---\ntitle: Fees\n---\nA visit costs $149."),
	})
	prices, err := usage.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	index := memsearch.Filled(func(context.Context, tenant.Scope) (string, error) { return "1", nil }, func(ctx context.Context, sc tenant.Scope) ([]search.Document, error) {
		c, err := companies.Company(ctx, sc)
		if err != nil {
			return nil, err
		}
		return []search.Document{knowledge.Document(c.Knowledge[0])}, nil
	})
	rdb.AddHook(h.session)
	h.Service = &chat.Service{
		Companies: companies, Prices: prices, Process: chat.NewProcess(), Alone: true,
		Table: tabletest.Observe(data, h.table.before), Session: redissession.Open(rdb, sealer),
		Search: searchtest.Observe(index, h.search.before),
		Models: model.New(map[string]model.Model{"openai": h.model}, model.Ref{Provider: "openai", Name: "gpt-5-mini"}, nil),
	}
	return h
}

// turn takes a turn and returns its conversation.
func (h *house) turn(t *testing.T, conversation, key string) string {
	t.Helper()
	var done *chat.Turn
	for p, err := range h.Say(t.Context(), tenanttest.Scope("alpha"), chat.Question{
		Assistant: "website", Conversation: conversation, Message: "What does a visit cost?", Key: key, Request: "3f1c9be2a4d04a5b9c0d1e2f",
		User: &chat.Person{ID: "visitor-8c1f2d"},
	}) {
		if err != nil {
			t.Fatal(err)
		}
		done = p.Done
	}
	return done.Conversation
}

func pipedRedis() (*redis.Client, func()) {
	m := miniredis.NewMiniRedis()
	o, _ := redissession.Options("redis://127.0.0.1:0")
	o.Dialer = func(context.Context, string, string) (net.Conn, error) { return m.Dial() }
	return redis.NewClient(o), m.Close
}

// TestRoundTrips holds the budget of a turn: one sequential storage round trip
// before the model, one after its last token, and the same however long the
// conversation is.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		data, err := sqlitetable.Open(dir, make([]byte, 32), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer data.Close()
		rdb, stop := pipedRedis()
		defer stop()
		sealer := sealtest.New(t)
		h := build(t, data.SealedBy(sealer), rdb, sealer)
		defer h.Session.Close()
		conv := ""
		for i := range 40 {
			began := time.Now()
			h.table.calls.Store(0)
			h.session.calls.Store(0)
			h.search.calls.Store(0)
			conv = h.turn(t, conv, fmt.Sprint("key-", i))
			if before := h.model.asked.Sub(began); before != latency {
				t.Errorf("turn %d: %d round trips before the model", i, before/latency)
			}
			if after := time.Since(h.model.ended); after != latency {
				t.Errorf("turn %d: %d round trips after the last token", i, after/latency)
			}
			sessions := int64(2) // a read and a write
			if i == 0 {
				sessions = 1 // a new conversation has no window to read
			}
			if tb, se, sr := h.table.calls.Load(), h.session.calls.Load(), h.search.calls.Load(); tb != 2 || se != sessions || sr != 1 {
				t.Errorf("turn %d: %d table, %d session and %d search calls", i, tb, se, sr)
			}
		}
		// In a process that has just begun, the window is not there yet.
		rdb.FlushAll(t.Context())
		began := time.Now()
		h.turn(t, conv, "cold")
		if before := h.model.asked.Sub(began); before != 2*latency {
			t.Errorf("cold: %d round trips before the model", before/latency)
		}
		synctest.Wait()
	})
}

// TestDynamoDBUnits holds what an ordinary warm turn writes and reads on DynamoDB:
// at most 4 write units in two requests, and no read.
func TestDynamoDBUnits(t *testing.T) {
	t.Parallel()
	client, name := dynamo(t)
	var units, reads, requests float64
	sealer := sealtest.New(t)
	data, err := dynamotable.Open(dynamotable.Config{Client: client, Table: name, CursorKey: make([]byte, 32), Sealer: sealer,
		Capacity: func(op string, u float64, write bool) {
			requests++
			if write {
				units += u
			} else {
				reads += u
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	rdb, stop := pipedRedis()
	defer stop()
	h := build(t, data, rdb, sealer)
	defer h.Session.Close()
	h.table.delay, h.session.delay, h.search.delay = 0, 0, 0
	conv := h.turn(t, "", "key-0")
	for i := range 5 {
		units, reads, requests = 0, 0, 0
		h.turn(t, conv, fmt.Sprint("key-", i+1))
		if units > 4 || reads != 0 || requests != 2 {
			t.Errorf("turn %d: %v write units and %v read units in %v requests", i, units, reads, requests)
		}
	}
	t.Logf("an ordinary turn (23 bytes asked, %d answered): %v write units", len(strings.Repeat("six words in every one chunk ", 50)), units)
}

// dynamo returns a client of a DynamoDB with a fresh table, and the table's name.
func dynamo(t *testing.T) (*dynamodb.Client, string) {
	t.Helper()
	endpoint, _ := dynamotest.Start(t)
	client := dynamodb.New(dynamodb.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	if err := dynamotable.CreateTable(t.Context(), client, "turns"); err != nil {
		t.Fatal(err)
	}
	return client, "turns"
}
