package dynamotable

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"switchboard/shared/problem"
)

const (
	// maxAttempts is how often the SDK sends a request, the first time included.
	maxAttempts = 3
	// baseDelay is the longest pause before the second attempt; it doubles. The
	// pauses are short: someone is waiting for an answer, and a caller who has
	// time is told to come back by RetryAfter.
	baseDelay = 50 * time.Millisecond
)

// newRetryer is the SDK's standard retryer, which also knows that a transaction
// cancelled by another one may be sent again.
func newRetryer() aws.RetryerV2 {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return rand.N(baseDelay << min(attempt-1, 10)), nil
		})
		o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			if contended(err) {
				return aws.TrueTernary
			}
			return aws.UnknownTernary
		}))
	})
}

// attempts watches the attempts of one request.
type attempts struct {
	aws.RetryerV2
	unsure bool // an attempt failed in a way that leaves open whether it was applied
	// noRepeat keeps a request from being sent again once unsure. A delete whose
	// condition is a version alone could, repeated, take an item that somebody made
	// in its place, which has the same first version.
	noRepeat bool
}

// IsErrorRetryable implements aws.Retryer; it is called once for every attempt
// that failed, and not at the same time.
func (a *attempts) IsErrorRetryable(err error) bool {
	if _, ok := errors.AsType[*problem.Error](err); ok {
		return false // from the Credentials hook, which has tried: nothing was sent
	}
	a.unsure = a.unsure || mayHaveLanded(err)
	return !(a.unsure && a.noRepeat) && a.RetryerV2.IsErrorRetryable(err)
}

// mayHaveLanded reports whether a request that failed with err can have been
// applied: the server failed, or its answer never came. A refusal (4xx) and a
// connection that was never made mean that it was not.
func mayHaveLanded(err error) bool {
	// Without any answer there still is a ResponseError, of status 0; with 200
	// there is one if the answer was cut short.
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok && e.HTTPStatusCode() != 0 {
		return e.HTTPStatusCode() < http.StatusBadRequest || e.HTTPStatusCode() >= http.StatusInternalServerError
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorFault() != smithy.FaultClient
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return false
	}
	return true
}

// contended reports whether another writer of the same items, or their number,
// was in the way, and nothing else.
func contended(err error) bool {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
		return true
	}
	e, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return false
	}
	found := false
	for _, reason := range e.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "", "None":
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			found = true
		default:
			return false
		}
	}
	return found
}
