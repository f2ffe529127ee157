package bedrockmodel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"switchboard/shared/model/internal/provider"
	"switchboard/shared/problem"
)

// unreadable is an answer that is not in the format.
type unreadable struct{ err error }

func (e unreadable) Error() string { return fmt.Sprintf("unreadable answer: %v", e.err) }
func (e unreadable) Unwrap() error { return e.err }

// exception is an error frame of a stream. Its message may quote what was sent, so
// Error leaves it out.
type exception struct {
	Code, Message string
}

func (e *exception) Error() string { return fmt.Sprintf("exception in the answer (%q)", e.Code) }

// failure classifies what went wrong. ctx is the caller's: its end is returned as
// it is, because then nobody failed.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if p, ok := errors.AsType[*problem.Error](err); ok {
		return p
	}
	p := &problem.Error{Kind: problem.Upstream, Op: op, Err: err}
	res, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if ok && res.HTTPStatusCode() > 0 { // 0 is how the SDK says that nobody answered
		p.Reason = statusReason(res.HTTPStatusCode(), err)
		p.RetryAfter = provider.RetryAfter(res.Response.Header, time.Now())
		return p
	}
	p.Reason = reason(err)
	return p
}

// statusReason classifies by the error's code, and by the status where that is
// unknown, as it is of a proxy between us and the provider.
func statusReason(status int, err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		if r := codeReason(e.ErrorCode(), e.ErrorMessage()); r != "" {
			return r
		}
	}
	return provider.StatusReason(status)
}

// codeReason classifies by the provider's error code, "" if it is not one of them.
// In a stream the same codes begin with a small letter.
func codeReason(code, message string) string {
	switch strings.ToLower(strings.TrimSuffix(code, "Exception")) {
	case "throttling", "throttled", "toomanyrequests", "servicequotaexceeded", "requestlimitexceeded":
		return problem.ReasonRateLimited
	case "serviceunavailable", "modelnotready":
		return problem.ReasonOverloaded
	case "modeltimeout", "requesttimeout":
		return problem.ReasonTimeout
	case "internalserver", "internalfailure", "modelerror", "modelstreamerror":
		return problem.ReasonServerError
	case "accessdenied", "unrecognizedclient", "expiredtoken", "invalidsignature", "incompletesignature",
		"signaturedoesnotmatch", "missingauthenticationtoken", "invalidclienttokenid", "optinrequired", "notauthorized", "requestexpired":
		return problem.ReasonAuth
	case "validation":
		if provider.TooLong(message) {
			return problem.ReasonContextLength
		}
		return problem.ReasonBadRequest
	case "resourcenotfound":
		return problem.ReasonBadRequest
	}
	return ""
}

// reason classifies a failure that came without a response of its own.
func reason(err error) string {
	if e, ok := errors.AsType[*exception](err); ok {
		if r := codeReason(e.Code, e.Message); r != "" {
			return r
		}
		return problem.ReasonServerError
	}
	if _, ok := errors.AsType[unreadable](err); ok {
		return problem.ReasonProtocol
	}
	call, ok := errors.AsType[*smithy.OperationError](err)
	if ok && !sent(call) {
		return problem.ReasonAuth // no credentials, no region: nothing to do with the provider
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return problem.ReasonTimeout
	}
	return problem.ReasonNetwork
}

// sent reports whether the call got as far as the network. A call within the call
// can only have been for credentials.
func sent(call *smithy.OperationError) bool {
	if _, nested := errors.AsType[*smithy.OperationError](call.Err); nested {
		return false
	}
	_, ok := errors.AsType[*smithyhttp.RequestSendError](call.Err)
	return ok
}
