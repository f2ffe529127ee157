// Package dynamotable is the table driver for Amazon DynamoDB: one table, all
// tenants, each in partitions of its own.
//
// Only shared/app/aws imports it. Its one promise: a write of one operation is
// one request and costs what its item weighs, never a read before it. The
// conditions travel with the write, and a condition that fails brings back what
// is there.
//
// An item has these attributes. Their names are short because DynamoDB bills
// names and values alike:
//
//	pk  S  driver.Partition: <project>#<kind>#<parent>; the IAM condition
//	       dynamodb:LeadingKeys holds on it
//	sk  S  the ID
//	b   B  the body, sealed; absent when only Add has written the item
//	v   N  the version
//	e   N  epoch second of expiry, the table's TTL attribute; absent = never
//	t   S  token of the write that made this version
//	c_* N  the counters
//
// DynamoDB deletes expired items hours or days after their time. Until then this
// package takes them for absent: reads drop them, and conditions treat them so.
package dynamotable

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/table"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// Client is the part of *dynamodb.Client that is used: what the IAM policy of a
// tenant's credentials has to allow, and no more.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Streams is the part of *dynamodbstreams.Client that Changes uses.
type Streams interface {
	ListStreams(context.Context, *dynamodbstreams.ListStreamsInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.ListStreamsOutput, error)
	DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator(context.Context, *dynamodbstreams.GetShardIteratorInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(context.Context, *dynamodbstreams.GetRecordsInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error)
}

// Config is what [Open] needs.
type Config struct {
	Client    Client  // e.g. *dynamodb.Client; give its HTTP client a timeout
	Streams   Streams // nil where nobody calls Changes, as on Lambda
	Table     string  // the table's name; see [CreateTable] for its shape
	CursorKey []byte  // 32 bytes; see table.New

	// Sealer seals bodies; there is no default.
	Sealer *seal.Sealer

	// Credentials, if set, vends the credentials that calls for a scope are
	// signed with, so that AWS itself refuses another tenant's keys. It is called
	// for every request and must answer from memory but for a tenant's first. Its
	// failures are *problem.Error, and are not tried again here.
	Credentials func(tenant.Scope) aws.CredentialsProvider
	// Capacity, if set, is told the capacity units of every request that
	// succeeded. DynamoDB bills a failed condition too, but does not say how much.
	Capacity func(op string, units float64, write bool)
}

// Open returns a Table over the configured DynamoDB table, which must exist.
func Open(cfg Config) (*table.Table, error) {
	const op = "dynamotable.Open"
	if cfg.Client == nil || cfg.Table == "" || cfg.Sealer == nil {
		return nil, problem.New(problem.Internal, op, "a client, a table and a sealer are needed")
	}
	t, err := table.New(&store{cfg: cfg, retryer: newRetryer(), now: time.Now}, cfg.CursorKey)
	if err != nil {
		return nil, err
	}
	return t.SealedBy(cfg.Sealer), nil
}

// store implements driver.Driver.
type store struct {
	cfg     Config
	retryer aws.RetryerV2 // shared, so that a failing DynamoDB meets few retries from all callers together
	now     func() time.Time

	mu     sync.Mutex
	stream string // ARN, once known
	spots  spots
}

var _ driver.Driver = (*store)(nil)

// Get implements driver.Driver.
func (s *store) Get(ctx context.Context, sc tenant.Scope, key driver.Key) (driver.Item, error) {
	const op = "dynamotable.Get"
	if err := sc.Check(op); err != nil {
		return driver.Item{}, err
	}
	out, err := s.cfg.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:              &s.cfg.Table,
		Key:                    keyOf(sc, key),
		ConsistentRead:         aws.Bool(true),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}, s.options(sc, &attempts{RetryerV2: s.retryer}))
	if err != nil {
		return driver.Item{}, classify(ctx, op, err)
	}
	s.count("GetItem", false, out.ConsumedCapacity)
	it, err := decode(sc, out.Item)
	return live(it, s.now()), err
}

// Close implements driver.Driver. The clients belong to the caller.
func (s *store) Close() error { return nil }

// options makes one request run on the scope's credentials and under our retry
// policy.
func (s *store) options(sc tenant.Scope, a *attempts) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) {
		o.Retryer = a
		o.APIOptions = append(o.APIOptions, plainBody)
		if s.cfg.Credentials != nil {
			o.Credentials = s.cfg.Credentials(sc)
		}
	}
}

// count tells the Capacity hook what a request cost.
func (s *store) count(op string, write bool, used ...*types.ConsumedCapacity) {
	if s.cfg.Capacity == nil {
		return
	}
	var units float64
	for _, u := range used {
		if u != nil {
			units += aws.ToFloat64(u.CapacityUnits)
		}
	}
	s.cfg.Capacity(op, units, write)
}
