package dynamotable_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

func key(id string) table.Key { return table.Key{Kind: "test", Parent: "p", ID: id} }

func conflict(t *testing.T, err error) *table.Conflict {
	t.Helper()
	c, ok := errors.AsType[*table.Conflict](err)
	if !ok {
		t.Fatalf("error is %v, want a *Conflict", err)
	}
	return c
}

// rig is a table on a server whose faults the test chooses.
type rig struct {
	*table.Table
	endpoint string
	server   *dynamotest.Server
	sc       tenant.Scope
}

func newRig(t *testing.T, change func(*dynamotable.Config)) rig {
	t.Helper()
	endpoint, server := dynamotest.Start(t)
	return rig{open(t, endpoint, "faults", change), endpoint, server, tenanttest.Scope("lenhart-electric")}
}

func (r rig) write(t *testing.T, ops ...table.Op) {
	t.Helper()
	if err := r.Write(t.Context(), r.sc, ops...); err != nil {
		t.Fatal(err)
	}
}

func (r rig) get(t *testing.T, id string) table.Item {
	t.Helper()
	it, err := r.Get(t.Context(), r.sc, key(id))
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// on makes the fault befall the next n requests of the operation.
func (r rig) on(op string, n int, fault dynamotest.Fault) {
	r.server.OnCall(func(c dynamotest.Call) dynamotest.Fault {
		if c.Op != op || n == 0 {
			return dynamotest.Fault{}
		}
		n--
		return fault
	})
}

var dropReply = dynamotest.Fault{DropReply: true}

// TestLostReply loses the answer of each sort of write after it was applied. The
// SDK sends it again; it must come out as one write that succeeded.
func TestLostReply(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request string
		ops     func(old table.Item) []table.Op
		want    table.Item
	}{
		"Create": {"PutItem", func(table.Item) []table.Op { return []table.Op{table.Create(key("new"), []byte("new"))} },
			table.Item{Body: []byte("old"), Counts: map[string]int64{"n": 1}, Version: 2}},
		"Replace": {"UpdateItem", func(old table.Item) []table.Op { return []table.Op{table.Replace(old, []byte("new"))} },
			table.Item{Body: []byte("new"), Counts: map[string]int64{"n": 1}, Version: 3}},
		"Add": {"UpdateItem", func(table.Item) []table.Op { return []table.Op{table.Add(key("a"), map[string]int64{"n": 1})} },
			table.Item{Body: []byte("old"), Counts: map[string]int64{"n": 2}, Version: 3}},
		"transaction": {"TransactWriteItems", func(old table.Item) []table.Op {
			return []table.Op{table.Add(key("a"), map[string]int64{"n": 1}), table.Create(key("new"), nil)}
		}, table.Item{Body: []byte("old"), Counts: map[string]int64{"n": 2}, Version: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.write(t, table.Create(key("a"), []byte("old")))
			r.write(t, table.Add(key("a"), map[string]int64{"n": 1}))
			old, before := r.get(t, "a"), r.server.Calls(c.request)
			r.on(c.request, 1, dropReply)
			r.write(t, c.ops(old)...)
			if n := r.server.Calls(c.request) - before; n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
			it := r.get(t, "a")
			if string(it.Body) != string(c.want.Body) || it.Version != c.want.Version || !maps.Equal(it.Counts, c.want.Counts) {
				t.Errorf("left %q %v version %d", it.Body, it.Counts, it.Version)
			}
		})
	}
}

// TestLostReplyThenAnother has someone else write between the lost answer and the
// second attempt. Whether the first landed cannot be told from what is there, so
// the answer is neither success nor conflict.
func TestLostReplyThenAnother(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]func(old table.Item) table.Op{
		"Create":  func(table.Item) table.Op { return table.Create(key("b"), nil) },
		"Replace": func(old table.Item) table.Op { return table.Replace(old, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.write(t, table.Create(key("a"), nil))
			old, lost := r.get(t, "a"), false
			held, release := make(chan struct{}), make(chan struct{})
			r.server.OnCall(func(c dynamotest.Call) dynamotest.Fault {
				switch {
				case !lost:
					lost = true
					return dropReply
				case held != nil: // the second attempt waits for the other writer
					close(held)
					held = nil
					return dynamotest.Fault{Wait: release}
				}
				return dynamotest.Fault{}
			})
			waiting := held
			done := make(chan error)
			go func() { done <- r.Write(t.Context(), r.sc, op(old)) }()
			<-waiting
			r.write(t, table.Put(key("a"), []byte("other")), table.Put(key("b"), []byte("other")))
			close(release)
			if err := <-done; !problem.Is(err, problem.Unavailable) {
				t.Errorf("error is %v, want unavailable", err)
			}
		})
	}
}

// TestDeleteWithoutReply: a delete leaves nothing behind to recognise it by. Sent
// again it finds nothing, or an item made in its place, which it leaves alone;
// who deleted the old one cannot be told.
func TestDeleteWithoutReply(t *testing.T) {
	t.Parallel()
	for _, anew := range []bool{false, true} {
		r := newRig(t, nil)
		r.write(t, table.Create(key("a"), nil))
		old, deletes := r.get(t, "a"), 0
		held, release := make(chan struct{}), make(chan struct{})
		r.server.OnCall(func(c dynamotest.Call) dynamotest.Fault {
			if c.Op != "DeleteItem" {
				return dynamotest.Fault{}
			}
			if deletes++; deletes == 1 {
				return dropReply
			}
			close(held)
			return dynamotest.Fault{Wait: release}
		})
		done := make(chan error)
		go func() { done <- r.Write(t.Context(), r.sc, table.Delete(old)) }()
		select {
		case <-held:
		case err := <-done:
			t.Fatalf("not sent again: %v", err)
		}
		want := int64(0)
		if anew {
			want = 1
			r.write(t, table.Create(key("a"), nil))
		}
		close(release)
		if err := <-done; !problem.Is(err, problem.Unavailable) {
			t.Errorf("made anew %v: error is %v, want unavailable", anew, err)
		}
		if it := r.get(t, "a"); it.Version != want || deletes != 2 {
			t.Errorf("made anew %v: version %d is there after %d requests, want %d after 2", anew, it.Version, deletes, want)
		}
	}
}

// TestDeleteIsSentAgain when an attempt failed, whether or not that says that it
// was not applied.
func TestDeleteIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, fault := range []dynamotest.Fault{{Code: "ThrottlingException"}, {Code: "InternalServerError", Status: 500}} {
		r := newRig(t, nil)
		r.write(t, table.Create(key("a"), nil))
		r.on("DeleteItem", 2, fault)
		r.write(t, table.Delete(r.get(t, "a")))
		if it := r.get(t, "a"); it.Version != 0 {
			t.Errorf("%s: it is still there: version %d", fault.Code, it.Version)
		}
	}
	// With a version alone for a condition it could take another's item.
	r := newRig(t, nil)
	r.write(t, table.Create(key("a"), nil))
	r.on("DeleteItem", 1, dropReply)
	err := r.Write(t.Context(), r.sc, table.Delete(table.Item{Key: key("a"), Version: 1}))
	if n := r.server.Calls("DeleteItem"); !problem.Is(err, problem.Unavailable) || n != 1 {
		t.Errorf("error is %v after %d requests, want unavailable after 1", err, n)
	}
}

// TestFailures maps what DynamoDB can say to problems, and counts the attempts.
func TestFailures(t *testing.T) {
	t.Parallel()
	canceled := func(reasons ...string) dynamotest.Fault {
		return dynamotest.Fault{Code: "TransactionCanceledException", Reasons: reasons}
	}
	for name, c := range map[string]struct {
		fault    dynamotest.Fault
		kind     problem.Kind
		reason   string
		attempts int
	}{
		"throttled":               {dynamotest.Fault{Code: "ThrottlingException"}, problem.Unavailable, problem.ReasonOverloaded, 3},
		"throughput exceeded":     {dynamotest.Fault{Code: "ProvisionedThroughputExceededException"}, problem.Unavailable, problem.ReasonOverloaded, 3},
		"request limit":           {dynamotest.Fault{Code: "RequestLimitExceeded"}, problem.Unavailable, problem.ReasonOverloaded, 3},
		"in a transaction's way":  {dynamotest.Fault{Code: "TransactionConflictException"}, problem.Unavailable, problem.ReasonOverloaded, 3},
		"transaction in progress": {dynamotest.Fault{Code: "TransactionInProgressException"}, problem.Unavailable, problem.ReasonOverloaded, 3},
		"transactions collide":    {canceled("None", "TransactionConflict"), problem.Unavailable, problem.ReasonOverloaded, 3},
		"transaction throttled":   {canceled("ThrottlingError", "None"), problem.Unavailable, problem.ReasonOverloaded, 3},
		"bad in a transaction":    {canceled("ValidationError", "None"), problem.Internal, "", 1},
		"internal error":          {dynamotest.Fault{Code: "InternalServerError", Status: 500}, problem.Unavailable, problem.ReasonServerError, 3},
		"service unavailable":     {dynamotest.Fault{Code: "ServiceUnavailable", Status: 503}, problem.Unavailable, problem.ReasonServerError, 3},
		"invalid":                 {dynamotest.Fault{Code: "ValidationException"}, problem.Internal, "", 1},
		"no such table":           {dynamotest.Fault{Code: "ResourceNotFoundException"}, problem.Internal, "", 1},
		"denied":                  {dynamotest.Fault{Code: "AccessDeniedException"}, problem.Internal, "", 1},
		"no answer":               {dropReply, problem.Unavailable, problem.ReasonNetwork, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			for request, try := range map[string]func() error{
				"GetItem": func() error { _, err := r.Get(t.Context(), r.sc, key("a")); return err },
				"Query": func() error {
					_, err := r.List(t.Context(), r.sc, table.Query{Kind: "test", Parent: "p"})
					return err
				},
				"PutItem":            func() error { return r.Write(t.Context(), r.sc, table.Create(key("a"), nil)) },
				"TransactWriteItems": func() error { return r.Write(t.Context(), r.sc, table.Put(key("a"), nil), table.Put(key("b"), nil)) },
			} {
				if c.fault.DropReply && request == "PutItem" {
					continue // it lands, and the next attempt finds that out
				}
				before := r.server.Calls(request)
				r.on(request, math.MaxInt, c.fault)
				p := problem.From(try())
				if p.Kind != c.kind || p.Reason != c.reason || (p.RetryAfter == time.Second) != (c.kind == problem.Unavailable) {
					t.Errorf("%s: %v, retry after %v", request, p, p.RetryAfter)
				}
				if n := r.server.Calls(request) - before; n != c.attempts {
					t.Errorf("%s: %d attempts, want %d", request, n, c.attempts)
				}
			}
		})
	}
}

// TestFailsThenWorks holds that what passes by itself is not an error.
func TestFailsThenWorks(t *testing.T) {
	t.Parallel()
	for _, fault := range []dynamotest.Fault{{Code: "ThrottlingException"}, {Code: "InternalServerError", Status: 500},
		{Code: "TransactionCanceledException", Reasons: []string{"TransactionConflict", "None"}}} {
		r := newRig(t, nil)
		r.on("TransactWriteItems", 2, fault)
		r.write(t, table.Create(key("a"), nil), table.Create(key("b"), nil))
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *dynamotable.Config) {
		own := *c.Client.(*dynamodb.Client)
		c.Client = dynamodb.New(own.Options(), func(o *dynamodb.Options) {
			o.HTTPClient = &http.Client{Transport: http.DefaultTransport, Timeout: 20 * time.Millisecond}
		})
	})
	r.on("GetItem", math.MaxInt, dynamotest.Fault{Wait: make(chan struct{})})
	_, err := r.Get(t.Context(), r.sc, key("a"))
	if p := problem.From(err); p.Kind != problem.Unavailable || p.Reason != problem.ReasonTimeout {
		t.Errorf("a server that does not answer: %v", err)
	}
	// The caller's own deadline is not a problem of the store.
	r = newRig(t, nil)
	r.on("GetItem", math.MaxInt, dynamotest.Fault{Wait: make(chan struct{})})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Get(ctx, r.sc, key("a")); err != context.DeadlineExceeded {
		t.Errorf("the caller's deadline: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *dynamotable.Config) {
		own := *c.Client.(*dynamodb.Client)
		nobody := "http://127.0.0.1:1"
		c.Client = dynamodb.New(own.Options(), func(o *dynamodb.Options) { o.BaseEndpoint = &nobody })
	})
	if err := r.Write(t.Context(), r.sc, table.Create(key("a"), nil)); problem.From(err).Reason != problem.ReasonNetwork {
		t.Errorf("nobody there: %v", err)
	}
}

// TestExpiredItemsReturn has a Put meet an expired item, and find it gone once it has
// been planned anew, and the reverse: each plan is another transaction.
func TestExpiredItemsReturn(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	past := time.Now().Add(-time.Minute)
	r.write(t, table.Add(key("a"), map[string]int64{"ghost": 1}).Expiring(past))
	raced := false
	r.server.OnCall(func(c dynamotest.Call) dynamotest.Fault {
		// Between the plan for a live item and the one for an expired item,
		// somebody else brings the item to life.
		if c.Op == "PutItem" && !raced {
			raced = true
			return dynamotest.Fault{Code: "ConditionalCheckFailedException"}
		}
		return dynamotest.Fault{}
	})
	r.write(t, table.Put(key("a"), []byte("new")))
	if it := r.get(t, "a"); string(it.Body) != "new" || it.Counts != nil || it.Version != 1 {
		t.Errorf("left %+v", it)
	}
	r.write(t, table.Put(key("a"), nil).Expiring(past), table.Put(key("b"), nil))
	before := r.server.Calls("TransactWriteItems")
	r.write(t, table.Put(key("a"), []byte("again")), table.Put(key("b"), nil))
	if it, n := r.get(t, "a"), r.server.Calls("TransactWriteItems")-before; it.Version != 1 || n != 2 {
		t.Errorf("version %d after %d transactions, want 1 after 2", it.Version, n)
	}
}

func TestCountersStayReadable(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for name, by := range map[string]int64{"up": math.MaxInt64, "down": math.MinInt64} {
		r.write(t, table.Add(key(name), map[string]int64{"n": by}))
		sign := by/math.MaxInt64 | 1
		for _, with := range [][]table.Op{{}, {table.Put(key("beside"), nil)}} {
			ops := append(with, table.Add(key(name), map[string]int64{"n": sign}))
			if err := r.Write(t.Context(), r.sc, ops...); !problem.Is(err, problem.Internal) {
				t.Errorf("%s: %v, want internal", name, err)
			}
		}
		r.write(t, table.Add(key(name), map[string]int64{"n": -sign}))
		if it := r.get(t, name); it.Counts["n"] != by-sign {
			t.Errorf("%s: %d", name, it.Counts["n"])
		}
	}
}
