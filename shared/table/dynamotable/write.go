package dynamotable

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"switchboard/shared/problem"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// rounds bounds how often a write is planned anew because it met an expired item
// that DynamoDB has not deleted yet. The second round settles it unless others
// write, let expire or delete the same item in between.
const rounds = 4

// Write implements driver.Driver. One operation is one request; several are one
// transaction, which costs twice the units.
func (s *store) Write(ctx context.Context, sc tenant.Scope, ops []driver.Op) error {
	const op = "dynamotable.Write"
	if err := sc.Check(op); err != nil {
		return err
	}
	if len(ops) == 1 && ops[0].Type == driver.Check {
		return s.checkOne(ctx, sc, ops[0])
	}
	fresh := make([]bool, len(ops))
	for round := range rounds {
		err := s.send(ctx, sc, ops, fresh, round)
		failed, ok := errors.AsType[failures](err)
		if !ok {
			return err
		}
		if err := s.settle(ops, failed, fresh); err != nil {
			return err
		}
	}
	return busy(op, errors.New("the item keeps expiring"))
}

// checkOne needs no transaction: a consistent read answers it.
func (s *store) checkOne(ctx context.Context, sc tenant.Scope, op driver.Op) error {
	it, err := s.Get(ctx, sc, op.Key)
	if err != nil {
		return err
	}
	if it.Version != op.If || op.IfToken != "" && it.Token != op.IfToken {
		return &driver.Conflict{Current: it}
	}
	return nil
}

// failures are the conditions of one request that did not hold: the operation's
// index, and what DynamoDB holds in its place, expired or not.
type failures []failure

type failure struct {
	op      int
	current driver.Item
}

func (f failures) Error() string { return fmt.Sprintf("%d conditions do not hold", len(f)) }

// settle returns what failed conditions mean: a conflict, if an operation that has
// one met something else. It returns nil, and turns fresh around, if all of them
// were a Put or Add, which takes any item, that was planned for a live item and
// met an expired one or the reverse.
func (s *store) settle(ops []driver.Op, failed failures, fresh []bool) error {
	now := s.now()
	for _, f := range failed {
		op := ops[f.op]
		unconditional := op.Type == driver.Put || op.Type == driver.Add
		ours := f.current.Token != "" && f.current.Token == op.Token
		if !unconditional || ours {
			return &driver.Conflict{Op: f.op, Current: live(f.current, now)}
		}
		if f.overflows(op, now) {
			return problem.New(problem.Internal, "dynamotable.Write", "a counter of %s would overflow", op.Key)
		}
	}
	for _, f := range failed {
		fresh[f.op] = !fresh[f.op]
	}
	return nil
}

// overflows reports whether op is an Add too many.
func (f failure) overflows(op driver.Op, now time.Time) bool {
	if op.Type != driver.Add || expired(f.current, now) {
		return false
	}
	for name, n := range op.Counts {
		is := f.current.Counts[name]
		if sum := is + n; n > 0 && sum < is || n < 0 && sum > is {
			return true
		}
	}
	return false
}

// send makes one request of the operations. Conditions that do not hold are
// failures, in the order of the operations; other errors are classified.
func (s *store) send(ctx context.Context, sc tenant.Scope, ops []driver.Op, fresh []bool, round int) error {
	const op = "dynamotable.Write"
	now := s.now()
	actions := make([]action, len(ops))
	for i, o := range ops {
		actions[i] = plan(sc, o, now, fresh[i])
	}
	tries := &attempts{RetryerV2: s.retryer}
	var err error
	if len(actions) == 1 {
		tries.noRepeat = actions[0].verb == remove && ops[0].IfToken == ""
		err = s.alone(ctx, actions[0], s.options(sc, tries))
	} else {
		// A token names one request. A plan made anew is another request.
		token := fmt.Sprintf("%s.%d", ops[0].Token, round)
		err = s.together(ctx, actions, token, s.options(sc, tries))
	}
	if err == nil {
		return nil
	}
	failed, derr := conditionsFailed(sc, err)
	switch {
	case derr != nil:
		return derr
	case failed == nil:
		return classify(ctx, op, err)
	case len(actions) == 1 && tries.unsure && failed[0].current.Token != ops[0].Token:
		// An earlier attempt may have been applied and then overwritten or deleted,
		// perhaps by itself: a delete leaves nothing behind that says whose it was.
		// "Conflict" would claim it was not applied, success that it was.
		return unavailable(op, problem.ReasonNetwork, err)
	}
	return failed
}

// alone sends an action as a request of its own.
func (s *store) alone(ctx context.Context, a action, opts func(*dynamodb.Options)) error {
	const (
		old   = types.ReturnValuesOnConditionCheckFailureAllOld
		total = types.ReturnConsumedCapacityTotal
	)
	switch a.verb {
	case put:
		out, err := s.cfg.Client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.cfg.Table, Item: a.item,
			ConditionExpression: &a.cond, ExpressionAttributeValues: a.values,
			ReturnValuesOnConditionCheckFailure: old, ReturnConsumedCapacity: total}, opts)
		if err != nil {
			return err
		}
		s.count("PutItem", true, out.ConsumedCapacity)
	case update:
		out, err := s.cfg.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: &s.cfg.Table, Key: a.key,
			UpdateExpression: &a.update, ConditionExpression: &a.cond, ExpressionAttributeValues: a.values,
			ReturnValuesOnConditionCheckFailure: old, ReturnConsumedCapacity: total}, opts)
		if err != nil {
			return err
		}
		s.count("UpdateItem", true, out.ConsumedCapacity)
	default:
		out, err := s.cfg.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.cfg.Table, Key: a.key,
			ConditionExpression: &a.cond, ExpressionAttributeValues: a.values,
			ReturnValuesOnConditionCheckFailure: old, ReturnConsumedCapacity: total}, opts)
		if err != nil {
			return err
		}
		s.count("DeleteItem", true, out.ConsumedCapacity)
	}
	return nil
}

// together sends the actions as one transaction. DynamoDB remembers the token for
// ten minutes, so that a repeated request is not applied twice.
func (s *store) together(ctx context.Context, actions []action, token string, opts func(*dynamodb.Options)) error {
	items := make([]types.TransactWriteItem, len(actions))
	for i, a := range actions {
		items[i] = a.inTransaction(s.cfg.Table)
	}
	out, err := s.cfg.Client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: items, ClientRequestToken: aws.String(token),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}, opts)
	if err != nil {
		return err
	}
	for i := range out.ConsumedCapacity {
		s.count("TransactWriteItems", true, &out.ConsumedCapacity[i])
	}
	return nil
}

// conditionsFailed returns the conditions that err says did not hold; nil if err
// is about something else. The second result is an item that cannot be read.
func conditionsFailed(sc tenant.Scope, err error) (failures, error) {
	if e, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		it, err := decode(sc, e.Item)
		return failures{{0, it}}, err
	}
	e, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return nil, nil
	}
	var failed failures
	for i, reason := range e.CancellationReasons {
		if aws.ToString(reason.Code) != conditionFailed {
			continue
		}
		it, err := decode(sc, reason.Item)
		if err != nil {
			return nil, err
		}
		failed = append(failed, failure{i, it})
	}
	return failed, nil
}
