package dynamotest_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"switchboard/shared/table/dynamotable/dynamotest"
)

// The tests in this file say what DynamoDB does, request by request. They run
// against the stand-in always, and against DynamoDB Local in `make verify`, so
// that neither they nor it can drift from what is real.

// eachServer runs test against the stand-in, and against DynamoDB Local if there
// is one.
func eachServer(t *testing.T, test func(t *testing.T, api api)) {
	t.Run("dynamotest", func(t *testing.T) {
		t.Parallel()
		endpoint, _ := dynamotest.Start(t)
		test(t, newAPI(t, endpoint))
	})
	t.Run("DynamoDBLocal", func(t *testing.T) {
		t.Parallel()
		endpoint := dynamotest.Local(t)
		test(t, newAPI(t, endpoint))
	})
}

// api sends raw requests about one table.
type api struct{ endpoint, table string }

func newAPI(t *testing.T, endpoint string) api {
	t.Helper()
	a := api{endpoint, "agree-" + rand.Text()}
	a.ok(t, "CreateTable", `"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
		"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"`)
	return a
}

// answer is what came back; Type is "" for a success.
type answer struct {
	Type                string `json:"__type"`
	Message             string `json:"message"`
	Item                json.RawMessage
	Items               []json.RawMessage
	LastEvaluatedKey    json.RawMessage
	CancellationReasons []struct {
		Code string
		Item json.RawMessage
	}
	ConsumedCapacity json.RawMessage
}

// units returns the capacity units of an answer about one table.
func (a answer) units(t *testing.T) float64 {
	t.Helper()
	var c struct{ CapacityUnits float64 }
	if err := json.Unmarshal(bytes.Trim(a.ConsumedCapacity, "[]"), &c); err != nil {
		t.Fatalf("ConsumedCapacity %s: %v", a.ConsumedCapacity, err)
	}
	return c.CapacityUnits
}

// call sends the fields of a request; the table's name is added, and $T in them
// is it.
func (a api) call(t *testing.T, op, fields string) answer {
	t.Helper()
	body := "{" + strings.ReplaceAll(fields, "$T", a.table) + "}"
	if op != "TransactWriteItems" {
		body = `{"TableName":"` + a.table + `",` + body[1:]
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.endpoint, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out answer
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	_, out.Type, _ = strings.Cut(out.Type, "#")
	if (res.StatusCode == http.StatusOK) != (out.Type == "") {
		t.Fatalf("status %d with %s", res.StatusCode, raw)
	}
	return out
}

func (a api) ok(t *testing.T, op, fields string) answer {
	t.Helper()
	out := a.call(t, op, fields)
	if out.Type != "" {
		t.Fatalf("%s %.300s: %s: %s", op, fields, out.Type, out.Message)
	}
	return out
}

// key is a Key or the beginning of an Item.
func key(sk string) string { return fmt.Sprintf(`"pk":{"S":"p"},"sk":{"S":%q}`, sk) }

// values are what the expressions below use.
const values = `":one":{"N":"1"},":five":{"N":"5"},":nine":{"N":"9"},":x":{"S":"x"},":y":{"S":"y"},":b":{"B":"AAE="}`

// use returns the ExpressionAttributeValues that an expression mentions.
func use(expression string) string {
	var used []string
	for v := range strings.SplitSeq(values, `},`) {
		v = strings.TrimSuffix(v, "}") + "}"
		if strings.Contains(expression, strings.Trim(strings.SplitN(v, `":{`, 2)[0], `"`)) {
			used = append(used, v)
		}
	}
	if used == nil {
		return ""
	}
	return `,"ExpressionAttributeValues":{` + strings.Join(used, ",") + `}`
}

const (
	invalid   = "ValidationException"
	condition = "ConditionalCheckFailedException"
	holds     = ""
)

func TestConditions(t *testing.T) {
	t.Parallel()
	// Of the item n = 5, s = "x", b = 0x0001; zz is missing.
	cases := map[string]string{
		"attribute_exists(n)": holds, "attribute_exists(zz)": condition, "attribute_not_exists(zz)": holds, "attribute_not_exists(pk)": condition,
		"n = :five": holds, "n = :one": condition, "n <> :one": holds, "n <> :five": condition, "n < :nine": holds, "n <= :five": holds,
		"n > :five": condition, "n >= :five": holds, ":five = n": holds, "s = :x": holds, "s < :y": holds, "b = :b": holds,
		"zz = :five": condition, "zz <> :five": holds, "NOT zz = :five": holds, "zz > :five": condition, "NOT zz > :five": holds,
		"s = :five": condition, "s <> :five": holds, "s < :five": condition, "NOT s < :five": holds,
		"n BETWEEN :one AND :nine": holds, "n BETWEEN :five AND :five": holds, "n BETWEEN :nine AND :one": invalid, "s BETWEEN :x AND :y": holds,
		"n BETWEEN :one AND :x": invalid, "zz BETWEEN :one AND :nine": condition, "n BETWEEN :one AND :nine AND s = :x": holds,
		"(n = :five)": holds, "((n = :five))": invalid, "(n = :five AND (s = :x))": holds, "((n = :five) AND s = :x)": holds,
		"n = :five OR s = :y AND s = :y": holds, "(n = :five OR s = :y) AND s = :y": condition, "n = :one AND s = :x OR s = :x": holds,
		"NOT n = :five AND s = :y": condition, "NOT n = :five OR s = :x": holds, "NOT (n = :five AND s = :y)": holds, "NOT NOT n = :five": holds,
		"n = :five and s = :x": holds, "n = :one or s = :x": holds, "not n = :one": holds, "n between :one and :nine": holds,
		"ATTRIBUTE_EXISTS(n)": invalid, "attribute_exists(:five)": invalid, "attribute_exists(n, s)": invalid, "attribute_exists n": invalid,
		"n": invalid, "n =": invalid, "= n": invalid, "n = = :five": invalid, "n = :five AND": invalid, "(n = :five": invalid, "n = :five)": invalid,
		"n == :five": invalid, "n != :five": invalid, "n = :five;": invalid, "n = 5": invalid, "n & :five": invalid, " ": invalid, "()": invalid,
		"n = :none": invalid, "name = :x": invalid, "Count = :five": invalid, "token = :x": invalid, "#n = :five": invalid, "n = n": invalid,
		"n NOT BETWEEN :one AND :nine": invalid, "n BETWEEN :one": invalid, "\tn\n=\r:five ": holds, "n=:five": holds, "NOT": invalid, "attribute_exists": invalid,
		"pk = sk": condition, "n + :one = :five": invalid, ":five = :five": holds, ":five = :one": condition, "n BETWEEN n AND :nine": invalid, "n BETWEEN :one AND n": invalid,
		strings.Repeat("s = :x OR ", 150) + "n = :five": invalid, strings.Repeat("s = :x OR ", 149) + "n = :five": holds, strings.Repeat("attribute_exists(s) OR ", 150) + "n = :five": invalid, strings.Repeat("attribute_exists(s) OR ", 149) + "n = :five": holds, "n BETWEEN :one AND :nine AND " + strings.Repeat("NOT ", 298) + "s = :x": invalid, "n BETWEEN :one AND :nine AND " + strings.Repeat("NOT ", 297) + "s = :x": condition, strings.Repeat("NOT ", 299) + "s = :x": condition, strings.Repeat("NOT ", 300) + "s = :x": invalid, strings.Repeat("n = :five OR ", 400) + "n = :five": invalid,
	}
	eachServer(t, func(t *testing.T, a api) {
		item := key("a") + `,"n":{"N":"5"},"s":{"S":"x"},"b":{"B":"AAE="}`
		a.ok(t, "PutItem", `"Item":{`+item+`}`)
		for expression, want := range cases {
			text, _ := json.Marshal(expression)
			got := a.call(t, "PutItem", `"Item":{`+item+`},"ConditionExpression":`+string(text)+use(expression))
			if got.Type != want {
				t.Errorf("%.100q: %q (%s), want %q", expression, got.Type, got.Message, want)
			}
		}
		for fields, want := range map[string]string{
			`"ConditionExpression":"#n = :five","ExpressionAttributeNames":{"#n":"n"}` + use(":five"): holds,
			`"ConditionExpression":"attribute_exists(#n)","ExpressionAttributeNames":{"#n":"name"}`:   condition,
			`"ConditionExpression":"attribute_exists(n)","ExpressionAttributeNames":{"#n":"n"}`:       invalid,
			`"ConditionExpression":"attribute_exists(n)"` + use(":five"):                              invalid,
			`"ConditionExpression":""`: invalid,
		} {
			if got := a.call(t, "PutItem", `"Item":{`+item+`},`+fields); got.Type != want {
				t.Errorf("%s: %q (%s), want %q", fields, got.Type, got.Message, want)
			}
		}
	})
}

func TestUpdates(t *testing.T) {
	t.Parallel()
	// Of the item n = 5, s = "x"; what is there after, or the error.
	cases := map[string]string{
		"SET a = :one":                       `{"a":{"N":"1"},"n":{"N":"5"},"s":{"S":"x"}}`,
		"SET n = :one, a = n":                `{"a":{"N":"5"},"n":{"N":"1"},"s":{"S":"x"}}`,
		"SET n = n + :one":                   `{"n":{"N":"6"},"s":{"S":"x"}}`,
		"SET n = n - :nine":                  `{"n":{"N":"-4"},"s":{"S":"x"}}`,
		"SET n = if_not_exists(n, :one)":     `{"n":{"N":"5"},"s":{"S":"x"}}`,
		"SET a = if_not_exists(a, :one) + n": `{"a":{"N":"6"},"n":{"N":"5"},"s":{"S":"x"}}`,
		"SET a = if_not_exists(zz, n)":       `{"a":{"N":"5"},"n":{"N":"5"},"s":{"S":"x"}}`,
		"ADD n :nine":                        `{"n":{"N":"14"},"s":{"S":"x"}}`,
		"ADD zz :nine, n :one":               `{"n":{"N":"6"},"s":{"S":"x"},"zz":{"N":"9"}}`,
		"REMOVE s":                           `{"n":{"N":"5"}}`,
		"REMOVE zz, n":                       `{"s":{"S":"x"}}`,
		"SET s = :y REMOVE zz ADD n :one":    `{"n":{"N":"6"},"s":{"S":"y"}}`,
		"add n :one set s = :y":              `{"n":{"N":"6"},"s":{"S":"y"}}`,
		"SET s = :five":                      `{"n":{"N":"5"},"s":{"N":"5"}}`,
		"SET n = zz + :one":                  invalid, "SET n = s + :one": invalid, "SET n = n + :x": invalid, "SET a = zz": invalid,
		"ADD s :one": invalid, "ADD n :x": invalid, "ADD n": invalid, "ADD n n": invalid, "ADD n = :one": invalid,
		"SET a = :one, a = :five": invalid, "SET a = :one REMOVE a": invalid, "SET a = :one SET b = :one": invalid, "ADD n :one ADD a :one": invalid,
		"SET pk = :x": invalid, "REMOVE sk": invalid, "SET a = :one,": invalid, "SET": invalid, "SET a": invalid, "SET a = ": invalid,
		"a = :one": invalid, "SET a = :one + ": invalid, "SET a = :one + :one + :one": invalid, "SET a = if_not_exists(a)": invalid,
		"SET a = IF_NOT_EXISTS(a, :one)": invalid, "SET name = :one": invalid, "SET :one = :one": invalid, "REMOVE :one": invalid, "REMOVE": invalid,
		"SET a = attribute_exists(n)": invalid, "DELETE n :one": invalid, "SET a = :none": invalid, "": invalid, "SET a = (:one": invalid,
	}
	eachServer(t, func(t *testing.T, a api) {
		for expression, want := range cases {
			a.ok(t, "PutItem", `"Item":{`+key("a")+`,"n":{"N":"5"},"s":{"S":"x"}}`)
			text, _ := json.Marshal(expression)
			got := a.call(t, "UpdateItem", `"Key":{`+key("a")+`},"UpdateExpression":`+string(text)+use(expression))
			if got.Type != "" || want == invalid {
				if got.Type != want {
					t.Errorf("%q: %q (%s), want %q", expression, got.Type, got.Message, want)
				}
				continue
			}
			var item map[string]json.RawMessage
			if err := json.Unmarshal(a.ok(t, "GetItem", `"Key":{`+key("a")+`}`).Item, &item); err != nil {
				t.Fatal(err)
			}
			delete(item, "pk")
			delete(item, "sk")
			if after, _ := json.Marshal(item); string(after) != want {
				t.Errorf("%q leaves %s, want %s", expression, after, want)
			}
		}
		// An update makes the item, and its condition sees none.
		a.ok(t, "UpdateItem", `"Key":{`+key("new")+`},"UpdateExpression":"ADD n :one","ConditionExpression":"attribute_not_exists(pk) AND NOT n > :one"`+use(":one"))
	})
}

func TestKeysAndSizes(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("k", n) }
	cases := map[string]struct{ op, fields, want string }{
		"longest keys":       {"PutItem", fmt.Sprintf(`"Item":{"pk":{"S":%q},"sk":{"S":%q}}`, long(2048), long(1024)), ""},
		"partition too long": {"PutItem", fmt.Sprintf(`"Item":{"pk":{"S":%q},"sk":{"S":"a"}}`, long(2049)), invalid},
		"sort key too long":  {"PutItem", fmt.Sprintf(`"Item":{"pk":{"S":"a"},"sk":{"S":%q}}`, long(1025)), invalid},
		"empty sort key":     {"PutItem", `"Item":{"pk":{"S":"a"},"sk":{"S":""}}`, invalid},
		"no sort key":        {"PutItem", `"Item":{"pk":{"S":"a"}}`, invalid},
		"number as key":      {"PutItem", `"Item":{"pk":{"S":"a"},"sk":{"N":"1"}}`, invalid},
		"half a key":         {"GetItem", `"Key":{"pk":{"S":"a"}}`, invalid},
		"too much key":       {"GetItem", `"Key":{"pk":{"S":"a"},"sk":{"S":"a"},"n":{"N":"1"}}`, invalid},
		"empty binary":       {"PutItem", `"Item":{` + key("empty") + `,"b":{"B":""}}`, ""},
		"38 digits":          {"PutItem", `"Item":{` + key("n") + `,"n":{"N":"` + strings.Repeat("9", 38) + `"}}`, ""},
		"39 digits":          {"PutItem", `"Item":{` + key("n") + `,"n":{"N":"` + strings.Repeat("9", 39) + `"}}`, invalid},
		"not a number":       {"PutItem", `"Item":{` + key("n") + `,"n":{"N":"one"}}`, invalid},
		"two types":          {"PutItem", `"Item":{` + key("n") + `,"n":{"N":"1","S":"1"}}`, invalid},
		"largest item":       {"PutItem", `"Item":{` + key("a") + `,"s":{"S":"` + long(400<<10-7) + `"}}`, ""},
		"item too large":     {"PutItem", `"Item":{` + key("a") + `,"s":{"S":"` + long(400<<10-6) + `"}}`, invalid},
		"update too large":   {"UpdateItem", `"Key":{` + key("a") + `},"UpdateExpression":"SET s = :v","ExpressionAttributeValues":{":v":{"S":"` + long(400<<10-6) + `"}}`, invalid},
	}
	eachServer(t, func(t *testing.T, a api) {
		for name, c := range cases {
			if got := a.call(t, c.op, c.fields); got.Type != c.want {
				t.Errorf("%s: %q (%s), want %q", name, got.Type, got.Message, c.want)
			}
		}
		b := a
		b.table = "no-such-table"
		if got := b.call(t, "GetItem", `"Key":{`+key("a")+`}`); got.Type != "ResourceNotFoundException" {
			t.Errorf("no such table: %q", got.Type)
		}
	})
}

func TestCapacity(t *testing.T) {
	t.Parallel()
	const total = `,"ReturnConsumedCapacity":"TOTAL"`
	// An item of 6 bytes of key, and an attribute of one byte's name.
	sized := func(sk string, bytes int) string {
		return key(sk) + `,"x":{"S":"` + strings.Repeat("x", bytes-7) + `"}`
	}
	eachServer(t, func(t *testing.T, a api) {
		put := func(item string) float64 { return a.ok(t, "PutItem", `"Item":{`+item+`}`+total).units(t) }
		get := func(sk string, more string) float64 {
			return a.ok(t, "GetItem", `"Key":{`+key(sk)+`}`+more+total).units(t)
		}
		query := func(more string) float64 {
			return a.ok(t, "Query", `"KeyConditionExpression":"pk = :p AND sk >= :s","ExpressionAttributeValues":{":p":{"S":"p"},":s":{"S":"q"}}`+more+total).units(t)
		}
		const consistent = `,"ConsistentRead":true`
		for _, c := range []struct {
			what      string
			got, want float64
		}{
			{"put 1 KB", put(sized("a", 1024)), 1},
			{"put 1 KB and a byte", put(sized("a", 1025)), 2},
			{"put less over it", put(sized("a", 10)), 2},
			{"put more over that", put(sized("a", 3073)), 4},
			{"update of a large item", a.ok(t, "UpdateItem", `"Key":{`+key("a")+`},"UpdateExpression":"REMOVE x"`+total).units(t), 4},
			{"delete of nothing", a.ok(t, "DeleteItem", `"Key":{`+key("none")+`}`+total).units(t), 1},
			{"put 4 KB", put(sized("a", 4096)), 4},
			{"get 4 KB", get("a", consistent), 1},
			{"get 4 KB, maybe stale", get("a", ""), 0.5},
			{"delete 4 KB", a.ok(t, "DeleteItem", `"Key":{`+key("a")+`}`+total).units(t), 4},
			{"get nothing", get("a", consistent), 1},
			{"query nothing", query(consistent), 0},
			{"put one of three", put(sized("r", 2000)), 2},
			{"put two of three", put(sized("s", 2000)), 2},
			{"put three of three", put(sized("t", 2000)), 2},
			{"query adds up, then rounds", query(consistent), 2},
			{"query of one page", query(consistent + `,"Limit":1`), 1},
		} {
			if c.got != c.want {
				t.Errorf("%s: %v units, want %v", c.what, c.got, c.want)
			}
		}
	})
}

func TestQueries(t *testing.T) {
	t.Parallel()
	const p = `":p":{"S":"p"}`
	cond := func(expression, values, more string) string {
		return `"KeyConditionExpression":"` + expression + `","ExpressionAttributeValues":{` + values + `}` + more
	}
	start := func(sk string) string { return `,"ExclusiveStartKey":{` + key(sk) + `}` }
	const reverse, bd = `,"ScanIndexForward":false`, p + `,":b":{"S":"b"},":d":{"S":"d"}`
	cases := map[string]string{
		cond("pk = :p", p, ""): "abcde", cond("pk = :p", p, reverse): "edcba", cond("sk >= :b AND pk = :p", p+`,":b":{"S":"b"}`, ""): "bcde",
		cond("pk = :p AND sk BETWEEN :b AND :d", bd, ""): "bcd", cond("pk = :p AND sk < :d", p+`,":d":{"S":"d"}`, ""): "abc",
		cond("pk = :p AND sk BETWEEN :d AND :b", bd, ""):                      invalid,
		cond("pk = :p AND sk BETWEEN :b AND :d", bd, start("b")):              "cd",
		cond("pk = :p AND sk BETWEEN :b AND :d", bd, start("bb")):             "cd",
		cond("pk = :p AND sk BETWEEN :b AND :d", bd, start("d")):              invalid,
		cond("pk = :p AND sk BETWEEN :b AND :d", bd, start("d")+reverse):      "cb",
		cond("pk = :p AND sk BETWEEN :b AND :d", bd, start("b")+reverse):      invalid,
		cond("pk = :p AND sk >= :b", p+`,":b":{"S":"b"}`, start("b")+reverse): invalid, cond("pk = :p AND sk >= :b", p+`,":b":{"S":"b"}`, start("bb")+reverse): "b",
		cond("pk = :p AND sk > :b", p+`,":b":{"S":"b"}`, start("b")): invalid, cond("pk = :p AND sk <= :d", p+`,":d":{"S":"d"}`, start("d")): invalid, cond("pk = :p AND sk = :d", p+`,":d":{"S":"d"}`, start("d")): "", cond("pk = :p AND sk = :d", p+`,":d":{"S":"d"}`, start("d")+reverse): "", cond("pk = :p AND sk <= :d", p+`,":d":{"S":"d"}`, start("d")+reverse): "cba",
		cond("pk = :p AND sk BETWEEN :b AND :d", bd, start("a")):                   invalid,
		cond("pk = :p AND sk BETWEEN :b AND :d", bd, start("e")):                   invalid,
		cond("pk = :p AND sk < :d", p+`,":d":{"S":"d"}`, start("d")+reverse):       invalid,
		cond("pk = :p", p, `,"ExclusiveStartKey":{"pk":{"S":"q"},"sk":{"S":"a"}}`): invalid,
		cond("pk = :p", p, `,"ExclusiveStartKey":{"pk":{"S":"p"}}`):                invalid,
		cond("pk = :p", p, `,"Limit":0`):                                           invalid,
		cond("pk = :p", p, `,"Limit":5`):                                           "abcde+",
		cond("pk = :p", p, `,"Limit":2`+reverse):                                   "ed+",
		cond("pk = :p", p, `,"Limit":6`):                                           "abcde",
		cond("pk = :p AND sk >= :b AND sk < :d", bd, ""):                           invalid,
		cond("pk = :p OR sk = :b", p+`,":b":{"S":"b"}`, ""):                        invalid,
		cond("pk > :p", p, ""):                                                     invalid,
		cond("sk = :p", p, ""):                                                     invalid,
		cond("pk = :p AND sk <> :b", p+`,":b":{"S":"b"}`, ""):                      invalid,
		cond("pk = :p AND n = :b", p+`,":b":{"S":"b"}`, ""):                        invalid,
		cond("pk = :p AND sk = :b", p+`,":b":{"N":"1"}`, ""):                       invalid,
		cond("pk = :p", p+`,":b":{"S":"b"}`, ""):                                   invalid,
		cond("pk = :p", `":p":{"S":""}`, ""):                                       invalid,
		cond("pk = :p AND sk >= :b", p+`,":b":{"S":""}`, ""):                       invalid,
		cond("pk = :q", `":q":{"S":"nothing"}`, ""):                                "",
	}
	eachServer(t, func(t *testing.T, a api) {
		for _, sk := range []string{"c", "a", "e", "b", "d"} {
			a.ok(t, "PutItem", `"Item":{`+key(sk)+`}`)
		}
		for fields, want := range cases {
			out := a.call(t, "Query", fields)
			got := out.Type
			for _, raw := range out.Items {
				var it struct{ SK struct{ S string } }
				if err := json.Unmarshal(raw, &it); err != nil {
					t.Fatal(err)
				}
				got += it.SK.S
			}
			if out.LastEvaluatedKey != nil {
				got += "+"
			}
			if got != want {
				t.Errorf("%s: %q (%s), want %q", fields, got, out.Message, want)
			}
		}
	})
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	put := func(sk, more string) string { return `{"Put":{"TableName":"$T","Item":{` + key(sk) + `}` + more + `}}` }
	const absent = `,"ConditionExpression":"attribute_not_exists(pk)"`
	const allOld = `,"ReturnValuesOnConditionCheckFailure":"ALL_OLD"`
	items := func(its ...string) string { return `"TransactItems":[` + strings.Join(its, ",") + `]` }
	var hundred, more []string
	for i := range 101 {
		more = append(more, put(fmt.Sprint(i), ""))
	}
	hundred = more[:100]
	eachServer(t, func(t *testing.T, a api) {
		token, refused := `,"ClientRequestToken":"`+rand.Text()+`"`, `,"ClientRequestToken":"`+rand.Text()+`"`
		for _, c := range []struct{ what, fields, want string }{
			{"two", items(put("a", absent), put("b", absent)) + token, ""},
			{"the same again, with its token", items(put("a", absent), put("b", absent)) + token, ""},
			{"the same again, without", items(put("a", absent), put("b", absent)), "TransactionCanceledException"},
			{"another, with the token", items(put("c", absent)) + token, "IdempotentParameterMismatchException"},
			{"cancelled", items(put("a", absent)) + refused, "TransactionCanceledException"},
			{"another, with the token of that", items(put("d", absent)) + refused, ""},
			{"one item twice", items(put("a", ""), put("a", "")), invalid},
			{"a hundred", items(hundred...), ""},
			{"a hundred and one", items(more...), invalid},
			{"none", items(), invalid},
			{"an update that cannot be", items(put("c", ""), `{"Update":{"TableName":"$T","Key":{`+key("0")+`},"UpdateExpression":"SET n = zz + :one"`+use(":one")+`}}`), invalid},
			{"a token too long", items(put("c", "")) + `,"ClientRequestToken":"` + strings.Repeat("x", 37) + `"`, invalid},
			{"nothing to do", items(`{}`), invalid},
			{"a check without a condition", items(`{"ConditionCheck":{"TableName":"$T","Key":{` + key("a") + `}}}`), invalid},
		} {
			if got := a.call(t, "TransactWriteItems", c.fields); got.Type != c.want {
				t.Errorf("%s: %q (%s), want %q", c.what, got.Type, got.Message, c.want)
			}
		}
		got := a.call(t, "TransactWriteItems", items(put("new", absent), put("a", absent+allOld), put("b", absent)))
		codes := ""
		for _, r := range got.CancellationReasons {
			codes += " " + r.Code
		}
		if codes != " None ConditionalCheckFailed ConditionalCheckFailed" {
			t.Fatalf("reasons%s of %s: %s", codes, got.Type, got.Message)
		}
		if a.ok(t, "GetItem", `"Key":{`+key("new")+`}`).Item != nil {
			t.Error("a cancelled transaction left an item")
		}
		if r := got.CancellationReasons; r[1].Item == nil || r[2].Item != nil {
			t.Errorf("items with the reasons: %s, %s", r[1].Item, r[2].Item)
		}
	})
}

func TestAllOld(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, a api) {
		a.ok(t, "PutItem", `"Item":{`+key("a")+`}`)
		const absent, old = `,"ConditionExpression":"attribute_not_exists(pk)"`, `,"ReturnValuesOnConditionCheckFailure":"ALL_OLD"`
		if got := a.call(t, "PutItem", `"Item":{`+key("a")+`}`+absent+old); got.Type != condition || got.Item == nil {
			t.Errorf("ALL_OLD: %q with %s", got.Type, got.Item)
		}
		if got := a.call(t, "PutItem", `"Item":{`+key("a")+`}`+absent); got.Type != condition || got.Item != nil {
			t.Errorf("by default: %q with %s", got.Type, got.Item)
		}
		if got := a.call(t, "DeleteItem", `"Key":{`+key("none")+`},"ConditionExpression":"attribute_exists(pk)"`+old); got.Type != condition || got.Item != nil {
			t.Errorf("of nothing: %q with %s", got.Type, got.Item)
		}
	})
}
