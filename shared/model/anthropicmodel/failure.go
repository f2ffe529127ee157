package anthropicmodel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/go-json-experiment/json"

	"switchboard/shared/model/internal/provider"
	"switchboard/shared/problem"
)

// unreadable is an answer that is not in the format.
type unreadable struct{ err error }

func (e unreadable) Error() string { return fmt.Sprintf("unreadable answer: %v", e.err) }
func (e unreadable) Unwrap() error { return e.err }

// refusal is an error object of the provider's. Its message may quote what was
// sent, so Error leaves it out.
type refusal struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

func (e *refusal) Error() string { return fmt.Sprintf("error in the answer (type %q)", e.Type) }

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
	if e, ok := errors.AsType[*anthropic.Error](err); ok {
		p.Reason = statusReason(e.StatusCode, string(e.Type()), sentence(e))
		if e.Response != nil {
			p.RetryAfter = provider.RetryAfter(e.Response.Header, time.Now())
		}
		return p
	}
	p.Reason = reason(err)
	return p
}

// sentence is the provider's sentence in a refused request's body.
func sentence(e *anthropic.Error) string {
	var body struct {
		Error refusal `json:"error"`
	}
	_ = json.Unmarshal([]byte(e.RawJSON()), &body, provider.Lenient)
	return body.Error.Message
}

// reason classifies a failure that came without a status.
func reason(err error) string {
	if e, ok := errors.AsType[*refusal](err); ok {
		if r := typeReason(e.Type, e.Message); r != "" {
			return r
		}
		return problem.ReasonServerError
	}
	if _, ok := errors.AsType[unreadable](err); ok || errors.Is(err, bufio.ErrTooLong) {
		return problem.ReasonProtocol
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return problem.ReasonTimeout
	}
	return problem.ReasonNetwork
}

// statusReason classifies by the error's type, and by the status where that is
// unknown, as it is of a proxy between us and the provider.
func statusReason(status int, typ, msg string) string {
	if r := typeReason(typ, msg); r != "" {
		return r
	}
	r := provider.StatusReason(status)
	if r == problem.ReasonBadRequest && provider.TooLong(msg) {
		return problem.ReasonContextLength
	}
	return r
}

// typeReason classifies by the provider's error type, "" if it is not one of them.
func typeReason(typ, msg string) string {
	switch typ {
	case "rate_limit_error":
		return problem.ReasonRateLimited
	case "overloaded_error":
		return problem.ReasonOverloaded
	case "authentication_error", "permission_error", "billing_error":
		return problem.ReasonAuth
	case "request_too_large":
		return problem.ReasonContextLength
	case "timeout_error":
		return problem.ReasonTimeout
	case "not_found_error":
		return problem.ReasonBadRequest
	case "invalid_request_error":
		switch {
		case provider.TooLong(msg):
			return problem.ReasonContextLength
		case strings.Contains(msg, "credit balance is too low"):
			return problem.ReasonAuth // the key is good, but nobody pays for it
		}
		return problem.ReasonBadRequest
	}
	return "" // api_error too: its status says more
}
