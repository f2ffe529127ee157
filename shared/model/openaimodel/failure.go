package openaimodel

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/openai/openai-go/v3"

	"switchboard/shared/model/internal/provider"
	"switchboard/shared/problem"
)

var errNoFinish = errors.New("the answer ended without a finish_reason")

// refusal is an error object inside an answer. Its message may quote what was
// sent, so Error leaves it out.
type refusal struct {
	Code, Type, Message string
}

func (e *refusal) Error() string {
	return fmt.Sprintf("error in the answer (type %q, code %q)", e.Type, e.Code)
}

// failed reports whether the server sent an error in the place of an answer.
func (c *chunk) failed() bool {
	if len(c.Error) > 0 && c.Error.Kind() != 'n' {
		return true
	}
	return c.Object == "error" && len(c.Choices) == 0 // vLLM's older form
}

// errorInBand reads an error object: the member "error" of data, or data itself.
func errorInBand(data []byte) error {
	var in struct {
		Error jsontext.Value `json:"error"`
	}
	if err := json.Unmarshal(data, &in, provider.Lenient); err == nil && in.Error.Kind() != 'n' && len(in.Error) > 0 {
		data = in.Error
	}
	var e struct {
		Message string         `json:"message"`
		Type    string         `json:"type"`
		Code    jsontext.Value `json:"code"` // a string, or a status as a number
	}
	if err := json.Unmarshal(data, &e, provider.Lenient); err != nil {
		return &refusal{Message: string(data)} // a bare sentence
	}
	code := strings.Trim(string(e.Code), `"`)
	if code == "null" {
		code = ""
	}
	return &refusal{Code: code, Type: e.Type, Message: e.Message}
}

// failure classifies what went wrong. ctx is the caller's: its end is returned as
// it is, because then nobody failed. res may be nil.
func failure(ctx context.Context, res *http.Response, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if p, ok := errors.AsType[*problem.Error](err); ok {
		return p
	}
	p := &problem.Error{Kind: problem.Upstream, Op: op, Err: err}
	if res != nil && res.StatusCode >= http.StatusBadRequest {
		if _, ok := err.(*openai.Error); !ok { // not an error object as the SDK knows it
			body, _ := io.ReadAll(res.Body) // which the SDK has read already
			err = errorInBand(body)
		}
		p.Reason = statusReason(res.StatusCode, err)
		p.RetryAfter = provider.RetryAfter(res.Header, time.Now())
		p.Err = fmt.Errorf("status %d: %w", res.StatusCode, err)
		return p
	}
	p.Reason = reason(err)
	return p
}

// reason classifies a failure that came without a status of its own.
func reason(err error) string {
	if e, ok := errors.AsType[*refusal](err); ok {
		if status, err := strconv.Atoi(e.Code); err == nil && status >= http.StatusBadRequest {
			return statusReason(status, e)
		}
		return cmp.Or(codeReason(e.Code, e.Type, e.Message), problem.ReasonServerError)
	}
	if _, ok := errors.AsType[unreadable](err); ok {
		return problem.ReasonProtocol
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return problem.ReasonTimeout
	}
	switch {
	case errors.Is(err, errNoFinish), errors.Is(err, provider.ErrTooMuch), errors.Is(err, bufio.ErrTooLong):
		return problem.ReasonProtocol
	}
	return problem.ReasonNetwork
}

// statusReason classifies an HTTP status, with the error's own code where the
// status alone says too little.
func statusReason(status int, err error) string {
	var code, typ, msg string
	switch e := err.(type) {
	case *openai.Error:
		code, typ, msg = e.Code, e.Type, e.Message
	case *refusal:
		code, typ, msg = e.Code, e.Type, e.Message
	}
	r := provider.StatusReason(status)
	if r == problem.ReasonBadRequest {
		switch own := codeReason(code, typ, msg); own {
		case problem.ReasonContextLength, problem.ReasonFiltered:
			return own
		}
	}
	return r
}

// codeReason classifies by the error object, "" where it says nothing known.
func codeReason(code, typ, msg string) string {
	for _, c := range [2]string{code, typ} {
		switch c {
		case "context_length_exceeded", "exceed_context_size_error", "string_above_max_length":
			return problem.ReasonContextLength
		case "content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation":
			return problem.ReasonFiltered
		case "rate_limit_exceeded", "rate_limit_error", "insufficient_quota", "tokens", "requests":
			return problem.ReasonRateLimited
		case "overloaded", "overloaded_error", "engine_overloaded", "service_unavailable":
			return problem.ReasonOverloaded
		case "invalid_api_key", "authentication_error", "permission_error":
			return problem.ReasonAuth
		case "timeout", "timeout_error":
			return problem.ReasonTimeout
		}
	}
	if provider.TooLong(msg) {
		return problem.ReasonContextLength
	}
	for _, c := range [2]string{code, typ} {
		switch c {
		case "invalid_request_error", "BadRequestError", "model_not_found":
			return problem.ReasonBadRequest
		}
	}
	return ""
}
