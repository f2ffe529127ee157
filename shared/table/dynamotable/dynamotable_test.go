package dynamotable_test

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"switchboard/shared/seal"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/table/tabletest"
)

// TestConformance runs the suite against dynamotest, so that it runs everywhere.
func TestConformance(t *testing.T) {
	t.Parallel()
	tabletest.RunWith(t, func(t *testing.T) *table.Table {
		endpoint, _ := dynamotest.Start(t)
		return open(t, endpoint, "conformance", nil)
	}, tabletest.Options{Fast: true})
}

// TestConformanceSealed runs it with bodies sealed, as they are in production.
func TestConformanceSealed(t *testing.T) {
	t.Parallel()
	sealer := sealtest.New(t)
	tabletest.RunWith(t, func(t *testing.T) *table.Table {
		endpoint, _ := dynamotest.Start(t)
		return open(t, endpoint, "sealed", func(c *dynamotable.Config) { c.Sealer = sealer })
	}, tabletest.Options{Fast: true})
}

// TestDynamoDBLocal runs the suite against DynamoDB Local, which is the judge.
func TestDynamoDBLocal(t *testing.T) {
	t.Parallel()
	endpoint := dynamotest.Local(t)
	sealer := sealtest.New(t)
	tabletest.RunWith(t, func(t *testing.T) *table.Table {
		return open(t, endpoint, uniqueName(), func(c *dynamotable.Config) { c.Sealer = sealer })
	}, tabletest.Options{Fast: true, FeedLag: 30 * time.Second})
}

// uniqueName names a table on a server that other tests use too.
func uniqueName() string { return "test-" + rand.Text() }

// clients returns clients of the endpoint, with credentials that anything but
// AWS takes.
func clients(t *testing.T, endpoint string) (*dynamodb.Client, *dynamodbstreams.Client) {
	t.Helper()
	cfg := aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	t.Cleanup(cfg.HTTPClient.(*http.Client).CloseIdleConnections)
	return dynamodb.NewFromConfig(cfg), dynamodbstreams.NewFromConfig(cfg)
}

// open creates the table and opens it; change may alter the Config.
func open(t *testing.T, endpoint, name string, change func(*dynamotable.Config)) *table.Table {
	t.Helper()
	client, streams := clients(t, endpoint)
	if err := dynamotable.CreateTable(t.Context(), client, name); err != nil {
		t.Fatal(err)
	}
	cfg := dynamotable.Config{Client: client, Streams: streams, Table: name, CursorKey: bytes.Repeat([]byte{7}, 32), Sealer: seal.Unsealed()}
	if change != nil {
		change(&cfg)
	}
	tb, err := dynamotable.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

// bill records what the Capacity hook is told.
type bill struct {
	mu     sync.Mutex
	writes []float64
	reads  []float64
}

func (b *bill) add(_ string, units float64, write bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if write {
		b.writes = append(b.writes, units)
	} else {
		b.reads = append(b.reads, units)
	}
}

// take returns what was recorded since the last time.
func (b *bill) take() (reads, writes []float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reads, writes = b.reads, b.writes
	b.reads, b.writes = nil, nil
	return reads, writes
}
