package dynamotable

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// The two halves of every condition. An item that has expired but was not yet
// deleted is gone; without the item, every attribute of it is missing.
const (
	gone  = "(attribute_not_exists(pk) OR e <= :now)"
	alive = "(attribute_not_exists(e) OR e > :now)"
)

// verb is the request an action becomes.
type verb uint8

const (
	put verb = iota + 1
	update
	remove
	check
)

// action is a driver.Op in DynamoDB's terms, before it is decided whether it
// goes alone or in a transaction.
type action struct {
	verb   verb
	key    attributes // for update, remove and check
	item   attributes // for put: the whole item
	update string
	cond   string
	values attributes
}

// plan translates an operation. With fresh set, Put and Add store a whole new
// item where no live one is: that is how an expired item loses its counters,
// whose names an update could not know.
func plan(sc tenant.Scope, op driver.Op, now time.Time, fresh bool) action {
	a := action{key: keyOf(sc, op.Key), values: attributes{":now": num(now.Unix())}}
	switch {
	case op.Type == driver.Create || fresh:
		a.verb, a.cond, a.item = put, gone, whole(a.key, op)
	case op.Type == driver.Replace:
		a.verb, a.cond = update, a.unchanged(op)
		a.update = a.setBody(op)
	case op.Type == driver.Put:
		a.verb, a.cond = update, alive
		a.update = a.setBody(op)
	case op.Type == driver.Delete:
		a.verb, a.cond = remove, a.unchanged(op)
	case op.Type == driver.Check && op.If == 0:
		a.verb, a.cond = check, gone
	case op.Type == driver.Check:
		a.verb, a.cond = check, a.unchanged(op)
	case op.Type == driver.Add:
		// The token keeps a lost acknowledgement from counting twice, unless
		// another write came between.
		a.verb, a.cond = update, "NOT t = :t AND "+alive
		a.addCounts(op)
	}
	return a
}

// unchanged is the condition that the item is the one that was read. Without the
// token, another one of the same version would do.
func (a *action) unchanged(op driver.Op) string {
	a.values[":if"] = num(op.If)
	if op.IfToken == "" {
		return "v = :if AND " + alive
	}
	a.values[":ift"] = str(op.IfToken)
	return "v = :if AND t = :ift AND " + alive
}

// whole is the item that Create stores, and that Put and Add store over an
// expired one.
func whole(key attributes, op driver.Op) attributes {
	it := maps.Clone(key)
	it["v"] = num(1)
	it["t"] = str(op.Token)
	if op.Type != driver.Add {
		it["b"] = bin(op.Body)
	}
	if !op.Expires.IsZero() {
		it["e"] = num(op.Expires.Unix())
	}
	for name, n := range op.Counts {
		it[counterPrefix+name] = num(n)
	}
	return it
}

// setBody states the whole item but its counters.
func (a *action) setBody(op driver.Op) string {
	a.values[":b"] = bin(op.Body)
	return a.setToken(op, "SET b = :b, ") + " ADD v :one"
}

// setToken is what every update of an item begins with. A write without an
// expiry ends the one that was there.
func (a *action) setToken(op driver.Op, set string) string {
	a.values[":t"], a.values[":one"] = str(op.Token), num(1)
	if op.Expires.IsZero() {
		return set + "t = :t REMOVE e"
	}
	a.values[":e"] = num(op.Expires.Unix())
	return set + "t = :t, e = :e"
}

// addCounts leaves the body alone. It holds each counter to an int64, because
// DynamoDB counts further, and what it came to could not be read again. Counters
// are numbered in order of name so that the same operation is the same request.
func (a *action) addCounts(op driver.Op) {
	a.update = a.setToken(op, "SET ") + " ADD v :one"
	for i, name := range slices.Sorted(maps.Keys(op.Counts)) {
		n, attr := op.Counts[name], counterPrefix+name
		by, bound := fmt.Sprintf(":c%d", i), fmt.Sprintf(":m%d", i)
		a.update += ", " + attr + " " + by
		a.values[by] = num(n)
		switch {
		case n > 0:
			a.cond += " AND NOT " + attr + " > " + bound
			a.values[bound] = num(math.MaxInt64 - n)
		case n < 0:
			a.cond += " AND NOT " + attr + " < " + bound
			a.values[bound] = num(math.MinInt64 - n)
		}
	}
}

// inTransaction is the action as a part of TransactWriteItems.
func (a action) inTransaction(table string) types.TransactWriteItem {
	const old = types.ReturnValuesOnConditionCheckFailureAllOld
	switch a.verb {
	case put:
		return types.TransactWriteItem{Put: &types.Put{TableName: &table, Item: a.item,
			ConditionExpression: &a.cond, ExpressionAttributeValues: a.values, ReturnValuesOnConditionCheckFailure: old}}
	case update:
		return types.TransactWriteItem{Update: &types.Update{TableName: &table, Key: a.key, UpdateExpression: &a.update,
			ConditionExpression: &a.cond, ExpressionAttributeValues: a.values, ReturnValuesOnConditionCheckFailure: old}}
	case remove:
		return types.TransactWriteItem{Delete: &types.Delete{TableName: &table, Key: a.key,
			ConditionExpression: &a.cond, ExpressionAttributeValues: a.values, ReturnValuesOnConditionCheckFailure: old}}
	default:
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &table, Key: a.key,
			ConditionExpression: &a.cond, ExpressionAttributeValues: a.values, ReturnValuesOnConditionCheckFailure: old}}
	}
}
