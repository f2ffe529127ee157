// Package problem is the closed set of ways a request can fail.
//
// Everybody may import it; it imports nothing of ours. An [Error] keeps what may
// be shown to a client (Detail, Field, Reason, RetryAfter) apart from what may
// only be logged (Op, Err). Its one promise: text that reaches a client was
// written for a client. An error that nobody classified is "Internal error" and
// nothing more; see [From].
package problem

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind is the class of a failure. Only shared/tenant/auth turns it into an HTTP
// status.
type Kind uint8

// The zero Kind is Internal, so that a forgotten Kind tells a client nothing.
const (
	Internal        Kind = iota // our fault; details are logged, never sent
	Invalid                     // the request is malformed; Field names where
	Unauthenticated             // no credential, or one that does not hold
	Forbidden                   // a good credential that may not do this
	NotFound                    // absent, or another tenant's: the same answer
	Conflict                    // the state of things forbids it; a retry with the same input will not help
	RateLimited                 // too much; RetryAfter says when to try again
	Unavailable                 // a store of ours is down or busy; try again
	Upstream                    // the model's provider failed; Reason says in which class
	Canceled                    // the client went away
)

var names = [...]string{
	Internal: "internal", Invalid: "invalid", Unauthenticated: "unauthenticated",
	Forbidden: "forbidden", NotFound: "not_found", Conflict: "conflict",
	RateLimited: "rate_limited", Unavailable: "unavailable", Upstream: "upstream",
	Canceled: "canceled",
}

// String returns the kind's name in snake case, as it appears in a problem's type.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return names[Internal]
}

// Reasons an Upstream problem is of. The set is closed so that clients and
// dashboards can switch on it.
const (
	ReasonRateLimited   = "rate_limited"   // the provider's 429
	ReasonOverloaded    = "overloaded"     // 503, 529 and the like
	ReasonServerError   = "server_error"   // another 5xx
	ReasonTimeout       = "timeout"        // no answer in time
	ReasonNetwork       = "network"        // refused, reset, cut short
	ReasonAuth          = "auth"           // our key for the provider does not hold
	ReasonBadRequest    = "bad_request"    // the provider refused what we sent
	ReasonContextLength = "context_length" // the prompt is too long for the model
	ReasonFiltered      = "filtered"       // the provider's content filter
	ReasonProtocol      = "protocol"       // an answer we cannot read
	ReasonInterrupted   = "interrupted"    // it failed after the answer had begun
	ReasonSuspended     = "suspended"      // of Forbidden: the project or the person
)

// Error is a failure with a client's view (Message, Field, Reason, RetryAfter) and
// an operator's view (Op and Err).
type Error struct {
	Kind       Kind
	Detail     string        // a sentence for the client; "" means the kind's default sentence
	Field      string        // for Invalid: JSON Pointer or header name of the culprit
	Reason     string        // for Upstream and Unavailable: one of the Reason constants
	RetryAfter time.Duration // for RateLimited, Unavailable and Upstream; 0 = not said

	Op  string // "package.Function" where it arose; logged only
	Err error  // the cause; logged only
}

// Error is the operator's view and must not be sent to a client.
func (e *Error) Error() string {
	s := e.Kind.String()
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Message is the sentence for the client.
func (e *Error) Message() string {
	if e.Detail != "" && e.Kind != Internal {
		return e.Detail
	}
	switch e.Kind {
	case Invalid:
		return "The request is not valid."
	case Unauthenticated:
		return "The credential is missing or not valid. Send it as the header Authorization: Bearer <key>."
	case Forbidden:
		return "This credential may not do that."
	case NotFound:
		return "Not found."
	case Conflict:
		return "The request conflicts with the current state."
	case RateLimited:
		return "Too many requests."
	case Unavailable:
		return "The service is temporarily unavailable. Please try again."
	case Upstream:
		return "The language model did not answer. Please try again."
	case Canceled:
		return "The request was cancelled."
	default:
		return "Internal error"
	}
}

// New returns an Error of the kind, with a sentence for the client.
func New(kind Kind, op, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Detail: fmt.Sprintf(format, args...)}
}

// Wrap returns an Error of the kind with err as its cause and no sentence of its
// own. It is for the boundary where an error from outside is classified.
func Wrap(kind Kind, op string, err error) *Error {
	return &Error{Kind: kind, Op: op, Err: err}
}

// Bad returns an Invalid problem that names the field at fault.
func Bad(op, field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Op: op, Field: field, Detail: fmt.Sprintf(format, args...)}
}

// From returns err's classification: itself if it is an *Error, Canceled or
// Unavailable for a context's end, and Internal for everything else.
func From(err error) *Error {
	if p, ok := errors.AsType[*Error](err); ok {
		return p
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &Error{Kind: Canceled, Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: Unavailable, Reason: ReasonTimeout, Err: err}
	}
	return &Error{Kind: Internal, Err: err}
}

// Is reports whether err is classified as kind.
func Is(err error, kind Kind) bool { return err != nil && From(err).Kind == kind }
