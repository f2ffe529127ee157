package vend_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"switchboard/shared/app/aws/awstest"
	"switchboard/shared/app/aws/iamtest"
	"switchboard/shared/app/aws/internal/account"
	"switchboard/shared/problem"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/table/tabletest"
	"switchboard/shared/tenant/tenanttest"
)

// TestConformance runs the tables' suite on vended credentials, through the guard: the
// policies allow what the driver does. What it stores lies in dynamotest.
func TestConformance(t *testing.T) {
	t.Parallel()
	tabletest.RunWith(t, func(t *testing.T) *table.Table {
		endpoint, server := dynamotest.Start(t)
		return vended(t, endpoint, server)
	}, tabletest.Options{Fast: true})
}

// TestDynamoDBLocal stores in DynamoDB Local. It evaluates no policy; the guard before
// it does.
func TestDynamoDBLocal(t *testing.T) {
	t.Parallel()
	endpoint := dynamotest.Local(t)
	tabletest.RunWith(t, func(t *testing.T) *table.Table {
		return vended(t, endpoint, awstest.To(t, endpoint))
	}, tabletest.Options{Fast: true, FeedLag: 30 * time.Second})
}

// vended opens a table behind a guard of its own. The change feed is read beside it, as
// on Lambda, where it is the stream's.
func vended(t *testing.T, endpoint string, server http.Handler) *table.Table {
	t.Helper()
	name := "vended-" + rand.Text()
	makeTable(t, http.DefaultClient, endpoint, name)
	a := iamtest.New(t, template, map[string]string{"DataTable": name, "KeysTable": "keys"})
	guard := httptest.NewServer(a.Guard(server))
	t.Cleanup(guard.Close)
	streams := dynamodbstreams.New(dynamodbstreams.Options{Region: iamtest.Region, BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	tb, err := dynamotable.Open(dynamotable.Config{
		Client: newClient(nil, guard.URL, nil), Streams: streams, Table: name, CursorKey: bytes.Repeat([]byte{7}, 32),
		Sealer: sealtest.New(t), Credentials: newVendor(t, a, a.Login("ChatRole"), name, account.Chat()).For,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if denied := a.Denied(); len(denied) > 0 {
			t.Errorf("refused: %v", denied)
		}
	})
	return tb
}

// broken is a driver whose key codec is wrong: each key of a request that leaves it is
// another tenant's.
type broken struct{ *dynamodb.Client }

const ours, theirs = "acme", "acme-2"

func turn(av map[string]types.AttributeValue) {
	for _, name := range []string{"pk", ":pk"} {
		if s, ok := av[name].(*types.AttributeValueMemberS); ok {
			av[name] = &types.AttributeValueMemberS{Value: theirs + strings.TrimPrefix(s.Value, ours)}
		}
	}
}

func (b broken) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	turn(in.Key)
	return b.Client.GetItem(ctx, in, o...)
}

func (b broken) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	turn(in.ExpressionAttributeValues)
	return b.Client.Query(ctx, in, o...)
}

func (b broken) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	turn(in.Item)
	return b.Client.PutItem(ctx, in, o...)
}

func (b broken) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	turn(in.Key)
	return b.Client.UpdateItem(ctx, in, o...)
}

func (b broken) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	turn(in.Key)
	return b.Client.DeleteItem(ctx, in, o...)
}

// TransactWriteItems breaks the last item alone: the others are the tenant's.
func (b broken) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	switch last := in.TransactItems[len(in.TransactItems)-1]; {
	case last.Put != nil:
		turn(last.Put.Item)
	case last.Update != nil:
		turn(last.Update.Key)
	case last.Delete != nil:
		turn(last.Delete.Key)
	case last.ConditionCheck != nil:
		turn(last.ConditionCheck.Key)
	}
	return b.Client.TransactWriteItems(ctx, in, o...)
}

func key(id string) table.Key { return table.Key{Kind: "test", Parent: "p", ID: id} }

// TestTheLockHoldsAlone breaks the key codec on purpose. Nothing but the tenant's
// credentials stands before the other's items then, and that is enough.
func TestTheLockHoldsAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *dynamotable.Config) { c.Client = broken{c.Client.(*dynamodb.Client)} })
	good, err := dynamotable.Open(dynamotable.Config{Client: r.client, Table: "data", CursorKey: make([]byte, 32), Sealer: sealtest.New(t), Credentials: r.vendor.For})
	if err != nil {
		t.Fatal(err)
	}
	ctx, us, them := t.Context(), tenanttest.Scope(ours), tenanttest.Scope(theirs)
	for _, sc := range []struct{ id string }{{"a"}, {"b"}} {
		if err := good.Write(ctx, them, table.Put(key(sc.id), []byte("secret"))); err != nil {
			t.Fatal(err)
		}
	}
	item := table.Item{Key: key("a"), Version: 1}
	for name, call := range map[string]func() error{
		"Get":         func() error { _, err := r.Get(ctx, us, key("a")); return err },
		"List":        func() error { _, err := r.List(ctx, us, table.Query{Kind: "test", Parent: "p"}); return err },
		"Create":      func() error { return r.Write(ctx, us, table.Create(key("c"), nil)) },
		"Put":         func() error { return r.Write(ctx, us, table.Put(key("a"), nil)) },
		"Replace":     func() error { return r.Write(ctx, us, table.Replace(item, nil)) },
		"Add":         func() error { return r.Write(ctx, us, table.Add(key("a"), map[string]int64{"n": 1})) },
		"Delete":      func() error { return r.Write(ctx, us, table.Delete(item)) },
		"transaction": func() error { return r.Write(ctx, us, table.Put(key("mine"), nil), table.Put(key("b"), nil)) },
		"a check of it": func() error {
			return r.Write(ctx, us, table.Put(key("mine"), nil), table.Check(item))
		},
	} {
		before := len(r.account.Denied())
		if err := call(); !problem.Is(err, problem.Internal) {
			t.Errorf("%s of another's: %v", name, err)
		}
		if n := len(r.account.Denied()) - before; n != 1 {
			t.Errorf("%s was refused %d times", name, n)
		}
	}
	if it, err := good.Get(ctx, them, key("a")); err != nil || it.Version != 1 || string(it.Body) != "secret" {
		t.Errorf("what was theirs is %+v, %v", it, err)
	}
	if it, err := good.Get(ctx, us, key("mine")); err != nil || it.Version != 0 {
		t.Errorf("half a transaction was stored: %+v, %v", it, err)
	}
}

// TestTheGuard asks it what the driver never does, with a tenant's credentials.
func TestTheGuard(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ctx := t.Context()
	if err := r.Write(ctx, tenanttest.Scope(ours), table.Put(key("a"), nil)); err != nil {
		t.Fatal(err)
	}
	c := newClient(direct{r.account.Guard(r.dynamo)}, "http://dynamodb.test", r.vendor.For(tenanttest.Scope(ours)))
	pk := func(p string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: p + "#test#p"}, "sk": &types.AttributeValueMemberS{Value: "a"}}
	}
	statement := "SELECT * FROM data WHERE pk = '" + ours + "#test#p'"
	for name, call := range map[string]func() error{
		"Scan": func() error { _, err := c.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("data")}); return err },
		"PartiQL": func() error {
			_, err := c.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{Statement: &statement})
			return err
		},
		"a batch": func() error {
			_, err := c.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"data": {Keys: []map[string]types.AttributeValue{pk(ours)}}}})
			return err
		},
		"the directory": func() error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("directory"), Key: pk(ours)})
			return err
		},
		"another's": func() error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("data"), Key: pk(theirs)})
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "AccessDeniedException") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("data"), Key: pk(ours)}); err != nil {
		t.Errorf("control: %v", err)
	}
	// A request that was changed after it was signed, and one on the function's own.
	forged := newClient(forger{r.account.Guard(r.dynamo)}, "http://dynamodb.test", r.vendor.For(tenanttest.Scope(ours)))
	if _, err := forged.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("data"), Key: pk(ours)}); err == nil || !strings.Contains(err.Error(), "InvalidSignature") {
		t.Errorf("changed on its way: %v", err)
	}
	own := newClient(direct{r.account.Guard(r.dynamo)}, "http://dynamodb.test", configOf(r).Credentials)
	if _, err := own.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("data"), Key: pk(ours)}); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("on the function's own credentials: %v", err)
	}
}

// forger changes a request after it was signed.
type forger struct{ http.Handler }

func (f forger) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.PutItem")
	return direct{f.Handler}.Do(r)
}
