package dynamotable

import (
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// Owner returns whose item a record of the table's stream is of. Whoever may work
// on that tenant's data then has a scope for [Decode].
func Owner(r events.DynamoDBEventRecord) (tenant.ID, error) {
	keys := reader{av: fromEvent(r.Change.Keys)}
	project, _, found := strings.Cut(keys.str("pk"), "#")
	id, err := tenant.ParseID(project)
	if !found || err != nil || r.EventSource != "aws:dynamodb" {
		return tenant.ID{}, unreadable("key")
	}
	return id, nil
}

// Decode returns the change that a record tells of, as the driver's Changes would: its
// body is sealed still, see [table.Table.OpenChange]. A record of another tenant's
// item, or of what is no item of this package's, is an error.
func Decode(sc tenant.Scope, r events.DynamoDBEventRecord) (table.Change, error) {
	if err := sc.Check("dynamotable.Decode"); err != nil {
		return table.Change{}, err
	}
	keys := reader{av: fromEvent(r.Change.Keys)}
	kind, parent, ours := driver.ParsePartition(sc, keys.str("pk"))
	c := table.Change{Key: table.Key{Kind: kind, Parent: parent, ID: keys.str("sk")}}
	if !ours || keys.bad != "" || c.Key.ID == "" || strings.Trim(string(kind), "abcdefghijklmnopqrstuvwxyz") != "" {
		return table.Change{}, unreadable("key")
	}
	switch {
	case r.EventName == string(events.DynamoDBOperationTypeRemove):
		return c, nil
	case len(r.Change.NewImage) == 0:
		return table.Change{}, unreadable("new image")
	}
	it, err := decode(sc, fromEvent(r.Change.NewImage))
	switch {
	case err != nil:
		return table.Change{}, err
	case it.Key != c.Key || it.Version < 1: // below 1 it would pass for an absent one
		return table.Change{}, unreadable("new image")
	}
	c.Item = live(it, time.Now())
	return c, nil
}

func unreadable(part string) error {
	return problem.New(problem.Internal, "dynamotable.Decode", "the %s of a stream record is none of ours", part)
}

// fromEvent translates attributes to the types of the table's own API. Types that
// our items do not have are left out, so that decode misses them. The accessors
// panic on another type than theirs, and on the zero value, which calls itself
// binary.
func fromEvent(in map[string]events.DynamoDBAttributeValue) attributes {
	out := make(attributes, len(in))
	for name, v := range in {
		switch {
		case v.IsNull():
		case v.DataType() == events.DataTypeString:
			out[name] = &types.AttributeValueMemberS{Value: v.String()}
		case v.DataType() == events.DataTypeNumber:
			out[name] = &types.AttributeValueMemberN{Value: v.Number()}
		case v.DataType() == events.DataTypeBinary:
			out[name] = &types.AttributeValueMemberB{Value: v.Binary()}
		}
	}
	return out
}
