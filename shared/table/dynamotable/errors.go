package dynamotable

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"switchboard/shared/problem"
)

// conditionFailed is the reason's code when a transaction's condition did not hold.
const conditionFailed = "ConditionalCheckFailed"

// retryAfter is what a client is told when DynamoDB is busy or out of reach.
const retryAfter = time.Second

// classify turns an error of the SDK into a problem. A context's end stays what
// it is, so that the caller can tell its own deadline from ours.
func classify(ctx context.Context, op string, err error) error {
	if p, ok := errors.AsType[*problem.Error](err); ok {
		return p // from the Credentials hook
	}
	throttles := retry.IsErrorThrottles(retry.DefaultThrottles)
	switch api, ok := errors.AsType[smithy.APIError](err); {
	case contended(err) || throttles.IsErrorThrottle(err).Bool():
		return busy(op, err)
	case ok && mayHaveLanded(err):
		return unavailable(op, problem.ReasonServerError, err)
	case ok && api.ErrorCode() != "":
		// ValidationException, AccessDenied, no such table: our mistake or the
		// deployment's. Trying again changes nothing.
		return problem.Wrap(problem.Internal, op, err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		return unavailable(op, problem.ReasonTimeout, err)
	}
	return unavailable(op, problem.ReasonNetwork, err)
}

// busy is the answer to throttling and to writers in each other's way.
func busy(op string, err error) error { return unavailable(op, problem.ReasonOverloaded, err) }

func unavailable(op, reason string, err error) error {
	return &problem.Error{Kind: problem.Unavailable, Reason: reason, RetryAfter: retryAfter, Op: op, Err: err}
}
