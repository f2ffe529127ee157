package dynamotable_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// TestRecords holds that what the decoder makes of a stream's own wire is what the
// table holds, for each tenant its own.
func TestRecords(t *testing.T) {
	t.Parallel()
	servers := map[string]func(*testing.T) string{"dynamotest": func(t *testing.T) string {
		endpoint, _ := dynamotest.Start(t)
		return endpoint
	}}
	if endpoint := os.Getenv("SWITCHBOARD_DYNAMODB_ENDPOINT"); endpoint != "" {
		servers["DynamoDB Local"] = func(*testing.T) string { return endpoint }
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records(t, start(t))
		})
	}
}

func records(t *testing.T, endpoint string) {
	name := uniqueName()
	tbl := open(t, endpoint, name, nil)
	tenants := map[tenant.ID]tenant.Scope{}
	for _, p := range []string{"lenhart-electric", "lenhart"} { // one is the other's beginning
		sc := tenanttest.Scope(p)
		tenants[sc.Project()] = sc
		write := func(ops ...table.Op) {
			t.Helper()
			if err := tbl.Write(t.Context(), sc, ops...); err != nil {
				t.Fatal(err)
			}
		}
		odd := table.Key{Kind: "odd", Parent: "a#b\x00é", ID: "#\U0001F600"}
		write(table.Create(key("a"), []byte(p+"\x00\xff")), table.Create(odd, nil))
		write(table.Add(key("n"), map[string]int64{"turns": 3}))
		write(table.Put(key("a"), []byte("later")).Expiring(time.Now().Add(time.Hour)))
		write(table.Put(key("ghost"), nil).Expiring(time.Now().Add(-time.Hour)))
		it, err := tbl.Get(t.Context(), sc, odd)
		if err != nil {
			t.Fatal(err)
		}
		write(table.Delete(it))
	}
	last := map[tenant.ID]map[table.Key]table.Item{}
	all := dynamotest.Records(t, endpoint, name, 12)
	for _, raw := range all {
		r := parse(t, raw)
		id, err := dynamotable.Owner(r)
		if err != nil {
			t.Fatal(err)
		}
		c, err := dynamotable.Decode(tenants[id], r)
		if err != nil {
			t.Fatal(err)
		}
		for other, sc := range tenants {
			if got, err := dynamotable.Decode(sc, r); other != id && err == nil {
				t.Errorf("%v reads %v of %v", other, got, id)
			}
		}
		if last[id] == nil {
			last[id] = map[table.Key]table.Item{}
		}
		last[id][c.Key] = c.Item
	}
	for id, items := range last {
		for k, got := range items {
			is, err := tbl.Get(t.Context(), tenants[id], k)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(is, got); d != "" {
				t.Errorf("%v %v (-table +stream):\n%s", id, k, d)
			}
		}
	}
	if len(all) != 12 || len(last) != 2 || len(last[tenanttest.Scope("lenhart").Project()]) != 4 {
		t.Errorf("control: %d records, %v", len(all), last)
	}
}

func parse(t *testing.T, raw []byte) (r events.DynamoDBEventRecord) {
	t.Helper()
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// aRecord is one that can be read, as a mapping hands it on.
const aRecord = `{"eventID":"1","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{
"ApproximateCreationDateTime":1795570000,"Keys":{"pk":{"S":"lenhart-electric#test#p"},"sk":{"S":"a"}},
"NewImage":{"pk":{"S":"lenhart-electric#test#p"},"sk":{"S":"a"},"v":{"N":"1"},"t":{"S":"token"},"b":{"B":"aGk="}},"SequenceNumber":"1","SizeBytes":9}}`

// foreign are changes that make of aRecord one that is none of ours.
var foreign = [][2]string{
	{"aws:dynamodb", "aws:kinesis"},
	{`"Keys"`, `"Kees"`},
	{`"NewImage"`, `"OldImage"`},
	{`"pk":{"S":"lenhart-electric#test#p"},"sk":{"S":"a"}},`, `"pk":{"S":"lenhart-electric"},"sk":{"S":"a"}},`},
	{`"Keys":{"pk":{"S":"lenhart-electric#test#p"}`, `"Keys":{"pk":{"S":"Lenhart#test#p"}`},
	{`"Keys":{"pk":{"S":"lenhart-electric#test#p"}`, `"Keys":{"pk":{"N":"5"}`},
	{`"Keys":{"pk":{"S":"lenhart-electric#test#p"}`, `"Keys":{"pk":null`},
	{`"Keys":{"pk":{"S":"lenhart-electric#test#p"}`, `"Keys":{"pk":{"S":"lenhart-electric#other#p"}`},
	{`"Keys":{"pk":{"S":"lenhart-electric#test#p"}`, `"Keys":{"pk":{"S":"lenhart-electric#Te-st#p"}`},
	{`"sk":{"S":"a"}},`, `"sk":{"S":"b"}},`},
	{`"sk":{"S":"a"}},`, `"sk":{"BOOL":true}},`},
	{`"v":{"N":"1"}`, `"v":{"N":"0"}`},
	{`"v":{"N":"1"}`, `"v":{"N":"1.5"}`},
	{`"v":{"N":"1"}`, `"v":{"NULL":true}`},
	{`"b":{"B":"aGk="}`, `"b":{"S":"hi"}`},
	{`"b":{"B":"aGk="}`, `"b":{}`},
}

func TestForeignRecordsAreErrors(t *testing.T) {
	t.Parallel()
	sc := tenanttest.Scope("lenhart-electric")
	try := func(raw string) (c table.Change, err error) {
		r, err := decodeEvent([]byte(raw))
		if err != nil {
			return c, err
		}
		id, err := dynamotable.Owner(r)
		if err == nil && id != sc.Project() {
			t.Errorf("%s is of %v", raw, id)
		}
		if err == nil {
			c, err = dynamotable.Decode(sc, r)
		}
		return c, err
	}
	if c, err := try(aRecord); err != nil || string(c.Item.Body) != "hi" || c.Key.Parent != "p" {
		t.Errorf("control: %v, %v", c, err)
	}
	if c, err := try(strings.Replace(aRecord, "INSERT", "REMOVE", 1)); err != nil || c.Item.Version != 0 || c.Key.ID != "a" {
		t.Errorf("a record of a deletion: %v, %v", c, err)
	}
	for _, f := range foreign {
		raw := strings.Replace(aRecord, f[0], f[1], 1)
		if raw == aRecord {
			t.Fatalf("%s is not in the record", f[0])
		}
		if c, err := try(raw); !problem.Is(err, problem.Internal) {
			t.Errorf("%s: %v, %v", f[1], c, err)
		}
	}
	var zero tenant.Scope
	if c, err := dynamotable.Decode(zero, parse(t, []byte(aRecord))); err == nil {
		t.Errorf("the zero Scope reads %v", c)
	}
}

// FuzzRecord decodes arbitrary records. What is read is the scope's own, and its key
// is spelled as the table spells it.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(aRecord))
	for _, c := range foreign {
		f.Add([]byte(strings.Replace(aRecord, c[0], c[1], 1)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decodeEvent(raw)
		if err != nil {
			return
		}
		id, err := dynamotable.Owner(r)
		if err != nil {
			return
		}
		sc := tenanttest.Scope(id.String())
		c, err := dynamotable.Decode(sc, r)
		if err != nil {
			if !problem.Is(err, problem.Internal) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if pk := r.Change.Keys["pk"].String(); driver.Partition(sc, c.Key.Kind, c.Key.Parent) != pk || c.Key.ID != r.Change.Keys["sk"].String() {
			t.Errorf("%q is %v", pk, c.Key)
		}
		if c.Item.Version < 0 || c.Item.Version > 0 && c.Item.Key != c.Key {
			t.Errorf("%v holds %v", c.Key, c.Item)
		}
	})
}

// decodeEvent is aws-lambda-go's decoding, which panics on sets of what is no text.
func decodeEvent(raw []byte) (r events.DynamoDBEventRecord, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = problem.New(problem.Internal, "test", "%v", v)
		}
	}()
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, problem.Wrap(problem.Internal, "test", err)
	}
	return r, nil
}
