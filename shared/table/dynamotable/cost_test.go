package dynamotable_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// later is an expiry that does not come to pass in a test.
func later() time.Time { return time.Now().Add(time.Hour) }

// costs is what each operation costs in write units; items carry keys as long as
// real ones. Transactions are left out: DynamoDB Local bills them twice over.
func costs(t *testing.T, tb *table.Table, b *bill, calls func() int) {
	sc := tenanttest.Scope("lenhart-electric")
	key := table.Key{Kind: "turn", Parent: "01JD8Z6W3T5V9K2M4N6P8Q0R1S", ID: "01JD8Z6W3T5V9K2M4N6P8Q0R1T"}
	other := key
	other.ID += "x"
	total := table.Key{Kind: "total", Parent: "2026-11", ID: "website"}
	read := func(k table.Key) table.Item {
		t.Helper()
		it, err := tb.Get(t.Context(), sc, k)
		if err != nil || it.Version == 0 {
			t.Fatalf("Get: version %d, %v", it.Version, err)
		}
		return it
	}
	for _, c := range []struct {
		what string
		op   func() table.Op
		want float64
	}{
		{"reservation of 300 bytes", func() table.Op { return table.Create(key, make([]byte, 300)).Expiring(later()) }, 1},
		{"turn of 2.8 KB over it", func() table.Op { return table.Replace(read(key), make([]byte, 2800)) }, 3},
		{"turn of 2.8 KB", func() table.Op { return table.Create(other, make([]byte, 2800)) }, 3},
		{"smaller body over it", func() table.Op { return table.Put(other, nil) }, 3},
		{"totals of a day", func() table.Op {
			return table.Add(total, map[string]int64{"turns": 1, "input_tokens": 900, "output_tokens": 250, "micro_usd": 1200})
		}, 1},
		{"totals again", func() table.Op { return table.Add(total, map[string]int64{"turns": 1}).Expiring(later()) }, 1},
		{"delete", func() table.Op { return table.Delete(read(other)) }, 1},
	} {
		op := c.op()
		b.take()
		before := calls()
		if err := tb.Write(t.Context(), sc, op); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if reads, writes := b.take(); len(reads) != 0 || !slices.Equal(writes, []float64{c.want}) {
			t.Errorf("%s: reads %v, writes %v, want one write of %v", c.what, reads, writes, c.want)
		}
		if n := calls() - before; n != 1 {
			t.Errorf("%s: %d requests", c.what, n)
		}
	}
	readCosts(t, tb, b, sc)
}

// readCosts holds that a read is one request, and what it costs.
func readCosts(t *testing.T, tb *table.Table, b *bill, sc tenant.Scope) {
	for i := range 4 {
		k := table.Key{Kind: "page", Parent: "p", ID: fmt.Sprint(i)}
		if err := tb.Write(t.Context(), sc, table.Create(k, make([]byte, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	b.take()
	if _, err := tb.List(t.Context(), sc, table.Query{Kind: "page", Parent: "p", Limit: 3}); err != nil {
		t.Fatal(err)
	}
	if reads, _ := b.take(); !slices.Equal(reads, []float64{2}) {
		t.Errorf("a page of 4.3 KB: %v read units, want 2", reads)
	}
	k := table.Key{Kind: "page", Parent: "p", ID: "1"}
	if err := tb.Write(t.Context(), sc, table.Check(table.Item{Key: k, Version: 1})); err != nil {
		t.Fatal(err)
	}
	if reads, writes := b.take(); !slices.Equal(reads, []float64{1}) || len(writes) != 0 {
		t.Errorf("a lone check: reads %v, writes %v; want one read of 1", reads, writes)
	}
}

func TestCosts(t *testing.T) {
	t.Parallel()
	var b bill
	endpoint, server := dynamotest.Start(t)
	tb := open(t, endpoint, "costs", func(c *dynamotable.Config) { c.Capacity = b.add })
	costs(t, tb, &b, func() int {
		return server.Calls("PutItem") + server.Calls("UpdateItem") + server.Calls("DeleteItem") + server.Calls("GetItem") + server.Calls("Query")
	})
}

func TestCostsDynamoDBLocal(t *testing.T) {
	t.Parallel()
	endpoint := dynamotest.Local(t)
	var b bill
	calls := 0
	tb := open(t, endpoint, uniqueName(), func(c *dynamotable.Config) {
		c.Capacity = func(op string, units float64, write bool) {
			calls++
			b.add(op, units, write)
		}
	})
	costs(t, tb, &b, func() int { return calls })
}

// TestTransactionCosts is about dynamotest alone, which bills as AWS documents.
func TestTransactionCosts(t *testing.T) {
	t.Parallel()
	var b bill
	endpoint, server := dynamotest.Start(t)
	tb := open(t, endpoint, "costs", func(c *dynamotable.Config) { c.Capacity = b.add })
	sc := tenanttest.Scope("lenhart-electric")
	err := tb.Write(t.Context(), sc, table.Create(key("a"), make([]byte, 300)), table.Create(key("b"), make([]byte, 1800)))
	if err != nil {
		t.Fatal(err)
	}
	if _, writes := b.take(); !slices.Equal(writes, []float64{6}) || server.Calls("TransactWriteItems") != 1 {
		t.Errorf("1 and 2 KB in a transaction: %v units in %d requests, want 6 in 1", writes, server.Calls("TransactWriteItems"))
	}
}

// TestFailedConditionsCost holds that a refusal brings back what is there in the
// same request, and that the bill has it although the answer does not say so.
func TestFailedConditionsCost(t *testing.T) {
	t.Parallel()
	endpoint, server := dynamotest.Start(t)
	tb := open(t, endpoint, "costs", nil)
	sc := tenanttest.Scope("lenhart-electric")
	if err := tb.Write(t.Context(), sc, table.Create(key("a"), make([]byte, 2800))); err != nil {
		t.Fatal(err)
	}
	before := server.Units()
	c := conflict(t, tb.Write(t.Context(), sc, table.Create(key("a"), nil)))
	if len(c.Current.Body) != 2800 {
		t.Errorf("the conflict carries %d bytes", len(c.Current.Body))
	}
	after := server.Units()
	if w, r := after.Write-before.Write, after.Read-before.Read; w != 3 || r != 0 || server.Calls("PutItem") != 2 || server.Calls("GetItem") != 0 {
		t.Errorf("a refusal cost %v write and %v read units in %d puts and %d gets", w, r, server.Calls("PutItem")-1, server.Calls("GetItem"))
	}
}
