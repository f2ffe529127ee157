package dynamotable

import (
	"context"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// Query implements driver.Driver. It reads on while there is more, because
// DynamoDB ends a page after 1 MB, and because its Limit counts expired items.
func (s *store) Query(ctx context.Context, sc tenant.Scope, r driver.Range) ([]driver.Item, error) {
	const op = "dynamotable.Query"
	if err := sc.Check(op); err != nil {
		return nil, err
	}
	in, any := s.queryInput(sc, r)
	if !any {
		return nil, nil
	}
	var items []driver.Item
	for {
		out, err := s.cfg.Client.Query(ctx, in, s.options(sc, &attempts{RetryerV2: s.retryer}))
		if err != nil {
			return nil, classify(ctx, op, err)
		}
		s.count("Query", false, out.ConsumedCapacity)
		for _, av := range out.Items {
			it, err := decode(sc, av)
			if err != nil {
				return nil, err
			}
			if expired(it, s.now()) || r.To != "" && it.Key.ID >= r.To {
				continue
			}
			if items = append(items, it); len(items) == r.Limit {
				return items, nil
			}
		}
		if !more(r, out.LastEvaluatedKey) {
			return items, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// more reports whether an ID can follow the last one that DynamoDB looked at. It
// names that even when the range ends there, and then refuses to start from it.
func more(r driver.Range, last attributes) bool {
	if len(last) == 0 {
		return false
	}
	id := reader{av: last}
	r.After = id.str("sk")
	return narrow(&r)
}

// queryInput translates the range; any is false if no ID can be in it. A key
// condition has no half-open interval: BETWEEN includes To, which Query drops.
func (s *store) queryInput(sc tenant.Scope, r driver.Range) (in *dynamodb.QueryInput, any bool) {
	if !narrow(&r) {
		return nil, false
	}
	values := attributes{":pk": str(driver.Partition(sc, r.Kind, r.Parent))}
	cond := "pk = :pk"
	switch {
	case r.From != "" && r.To != "":
		cond += " AND sk BETWEEN :from AND :to"
	case r.From != "":
		cond += " AND sk >= :from"
	case r.To != "":
		cond += " AND sk < :to"
	}
	if r.From != "" {
		values[":from"] = str(r.From)
	}
	if r.To != "" {
		values[":to"] = str(r.To)
	}
	in = &dynamodb.QueryInput{
		TableName:                 &s.cfg.Table,
		KeyConditionExpression:    &cond,
		ExpressionAttributeValues: values,
		ConsistentRead:            aws.Bool(true),
		ScanIndexForward:          aws.Bool(!r.Reverse),
		Limit:                     aws.Int32(int32(min(r.Limit, math.MaxInt32))),
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
	}
	if r.After != "" {
		in.ExclusiveStartKey = keyOf(sc, driver.Key{Kind: r.Kind, Parent: r.Parent, ID: r.After})
	}
	return in, true
}

// narrow reports whether an ID can be in the range. DynamoDB refuses a BETWEEN
// that is upside down and a start key outside the condition, so an After that is
// before the range's start is dropped, and one past its end leaves nothing.
func narrow(r *driver.Range) bool {
	if r.Limit < 1 || r.To != "" && r.From >= r.To {
		return false
	}
	if r.After == "" {
		return true
	}
	below := r.After < r.From
	above := r.To != "" && r.After >= r.To
	switch {
	case r.Reverse && (below || r.After == r.From), !r.Reverse && above:
		return false
	case below, above:
		r.After = ""
	}
	return true
}
