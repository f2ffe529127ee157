package dynamotable_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"switchboard/shared/problem"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/tenant/tenanttest"
)

// TestRowsInOtherPlaces puts items where they do not belong with the platform's own
// credentials, past Scope and key: nothing opens, and nothing is in the clear.
func TestRowsInOtherPlaces(t *testing.T) {
	t.Parallel()
	endpoint, _ := dynamotest.Start(t)
	tb := open(t, endpoint, "rows", func(c *dynamotable.Config) { c.Sealer = sealtest.New(t) })
	client, _ := clients(t, endpoint)
	one, two := tenanttest.Scope("one"), tenanttest.Scope("two")
	const canary = "a canary: 41dd07"
	for _, sc := range []string{"one", "two"} {
		if err := tb.Write(t.Context(), tenanttest.Scope(sc), table.Create(key("a"), []byte(canary)), table.Create(key("b"), []byte(canary))); err != nil {
			t.Fatal(err)
		}
	}
	raw := func(pk, sk string) map[string]types.AttributeValue {
		out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("rows"), ConsistentRead: aws.Bool(true),
			Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk}}})
		if err != nil || out.Item == nil {
			t.Fatal(err)
		}
		return out.Item
	}
	pk := "#" + string(key("a").Kind) + "#" + key("a").Parent
	body := raw("one"+pk, "a")["b"].(*types.AttributeValueMemberB).Value
	if strings.Contains(string(body), canary[:6]) {
		t.Errorf("in DynamoDB: %q", body)
	}
	for name, from := range map[string][2]string{"another tenant's": {"two" + pk, "a"}, "another item's": {"one" + pk, "b"}} {
		item := raw(from[0], from[1])
		item["pk"], item["sk"] = &types.AttributeValueMemberS{Value: "one" + pk}, &types.AttributeValueMemberS{Value: "a"}
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("rows"), Item: item}); err != nil {
			t.Fatal(err)
		}
		if it, err := tb.Get(t.Context(), one, key("a")); !problem.Is(err, problem.Internal) || it.Body != nil {
			t.Errorf("%s row: %q, %v", name, it.Body, err)
		}
		if err := tb.Write(t.Context(), one, table.Create(key("a"), nil)); !problem.Is(err, problem.Internal) {
			t.Errorf("%s row in a conflict: %v", name, err)
		}
		if it, err := tb.Get(t.Context(), two, key("a")); err != nil || string(it.Body) != canary {
			t.Errorf("control: %q, %v", it.Body, err)
		}
	}
}

// TestASealerIsNeeded: there is no table without one.
func TestASealerIsNeeded(t *testing.T) {
	t.Parallel()
	endpoint, _ := dynamotest.Start(t)
	client, _ := clients(t, endpoint)
	if _, err := dynamotable.Open(dynamotable.Config{Client: client, Table: "x", CursorKey: make([]byte, 32)}); !problem.Is(err, problem.Internal) {
		t.Errorf("opened without a sealer: %v", err)
	}
}
