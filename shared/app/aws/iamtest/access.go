package iamtest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// access is one thing that a request does, of which IAM is asked.
type access struct {
	action   string
	resource string
	keys     []string // leading keys; none = the request has no such key
}

func (x access) request() Request {
	r := Request{Action: x.action, Resource: x.resource, Keys: map[string][]string{}}
	if len(x.keys) > 0 {
		r.Keys["dynamodb:LeadingKeys"] = x.keys
	}
	return r
}

// attributes are an item or a key of it.
type attributes map[string]struct{ S *string }

// UnmarshalJSON implements json.Unmarshaler: of values it keeps texts alone.
func (a *attributes) UnmarshalJSON(b []byte) error {
	var raw map[string]map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*a = attributes{}
	for name, value := range raw {
		var s *string
		if text, ok := value["S"]; ok {
			if err := json.Unmarshal(text, &s); err != nil {
				return err
			}
		}
		(*a)[name] = struct{ S *string }{s}
	}
	return nil
}

// body is what is looked at of every request.
type body struct {
	TableName, IndexName, Statement string

	Key, Item                 attributes
	KeyConditionExpression    string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues attributes

	TransactItems []struct{ Put, Update, Delete, ConditionCheck, Get *body }
}

// pk is the partition key's name, in every table.
const pk = "pk"

// accesses says what a request asks of IAM: one thing, or one for each item of a
// transaction. An operation that names its items in no way known here has no leading
// key.
func accesses(target string, raw []byte) ([]access, error) {
	var b body
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("iamtest: %w", err)
	}
	_, op, _ := strings.Cut(target, ".")
	switch op {
	case "TransactWriteItems", "TransactGetItems":
		return transacted(b)
	case "ExecuteStatement":
		verb, _, _ := strings.Cut(strings.TrimSpace(b.Statement), " ")
		verb = strings.ToLower(verb)
		if verb == "" {
			return nil, fmt.Errorf("iamtest: a statement without a verb")
		}
		return []access{{action: "dynamodb:PartiQL" + strings.ToUpper(verb[:1]) + verb[1:], resource: arn(b)}}, nil
	}
	return []access{one(op, b)}, nil
}

func transacted(b body) (out []access, err error) {
	for _, item := range b.TransactItems {
		n := len(out)
		for op, part := range map[string]*body{"PutItem": item.Put, "UpdateItem": item.Update, "DeleteItem": item.Delete,
			"ConditionCheckItem": item.ConditionCheck, "GetItem": item.Get} {
			if part != nil {
				out = append(out, one(op, *part))
			}
		}
		if len(out) != n+1 {
			return nil, fmt.Errorf("iamtest: an item of a transaction is of %d kinds", len(out)-n)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("iamtest: a transaction of nothing")
	}
	return out, nil
}

func one(op string, b body) access {
	x := access{action: "dynamodb:" + op, resource: arn(b)}
	from := b.Key
	switch op {
	case "PutItem":
		from = b.Item
	case "Query":
		if key, ok := b.queried(); ok {
			x.keys = []string{key}
		}
		return x
	case "GetItem", "UpdateItem", "DeleteItem", "ConditionCheckItem":
	default:
		return x
	}
	if v := from[pk]; v.S != nil {
		x.keys = []string{*v.S}
	}
	return x
}

var equals = regexp.MustCompile(`(?:^|[\s(])([#\w]+)\s*=\s*(:\w+)`)

// queried is the partition that a query is about.
func (b body) queried() (string, bool) {
	for _, m := range equals.FindAllStringSubmatch(b.KeyConditionExpression, -1) {
		name := m[1]
		if real, ok := b.ExpressionAttributeNames[name]; ok {
			name = real
		}
		if v := b.ExpressionAttributeValues[m[2]]; name == pk && v.S != nil {
			return *v.S, true
		}
	}
	return "", false
}

func arn(b body) string {
	at := fmt.Sprintf("arn:%s:dynamodb:%s:%s:table/%s", Partition, Region, AccountID, b.TableName)
	if b.IndexName != "" {
		at += "/index/" + b.IndexName
	}
	return at
}
