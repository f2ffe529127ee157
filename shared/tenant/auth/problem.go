package auth

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/problem"
)

// status is the one place where a Kind becomes an HTTP status.
func status(k problem.Kind) int {
	switch k {
	case problem.Invalid:
		return http.StatusBadRequest
	case problem.Unauthenticated:
		return http.StatusUnauthorized
	case problem.Forbidden:
		return http.StatusForbidden
	case problem.NotFound:
		return http.StatusNotFound
	case problem.Conflict:
		return http.StatusConflict
	case problem.RateLimited:
		return http.StatusTooManyRequests
	case problem.Unavailable:
		return http.StatusServiceUnavailable
	case problem.Upstream:
		return http.StatusBadGateway
	case problem.Canceled:
		return 499 // nobody is there to read it; the number is nginx's
	default:
		return http.StatusInternalServerError
	}
}

// document is an RFC 9457 problem as it is sent.
type document struct {
	Type       string       `json:"type"`
	Title      string       `json:"title"`
	Status     int          `json:"status"`
	Detail     string       `json:"detail"`
	RequestID  string       `json:"request_id"`
	Field      string       `json:"field,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	RetryAfter int          `json:"retry_after,omitzero"` // seconds
	TurnID     string       `json:"turn_id,omitempty"`
	Error      *openAIError `json:"error,omitempty"`
}

// openAIError is what OpenAI's clients look for in a failed answer.
type openAIError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
}

// Problem renders err for a client, in the form of a final SSE event or a body.
// openAI adds the error object of OpenAI's clients; turnID may be empty.
func Problem(err error, requestID, turnID string, openAI bool) []byte {
	p := problem.From(err)
	return render(p, status(p.Kind), requestID, turnID, openAI)
}

func render(p *problem.Error, code int, requestID, turnID string, openAI bool) []byte {
	title := http.StatusText(code)
	if title == "" {
		title = "Client Closed Request"
	}
	d := document{
		Type: "urn:switchboard:problem:" + p.Kind.String(), Title: title, Status: code,
		Detail: p.Message(), RequestID: requestID, RetryAfter: seconds(p.RetryAfter), TurnID: turnID,
	}
	if p.Kind != problem.Internal { // of which nothing was written for a client
		d.Field, d.Reason = p.Field, p.Reason
	}
	if openAI {
		e := &openAIError{Message: d.Detail, Type: openAIType(p.Kind), Code: p.Kind.String()}
		if d.Field != "" {
			e.Param = &d.Field
		}
		d.Error = e
	}
	body, err := json.Marshal(d, jsontext.AllowInvalidUTF8(true))
	if err != nil { // strings and numbers only: it cannot fail
		panic(err)
	}
	return body
}

func openAIType(k problem.Kind) string {
	switch k {
	case problem.Invalid, problem.NotFound, problem.Conflict:
		return "invalid_request_error"
	case problem.Unauthenticated:
		return "authentication_error"
	case problem.Forbidden:
		return "permission_error"
	case problem.RateLimited:
		return "rate_limit_error"
	default:
		return "api_error"
	}
}

func writeProblem(w http.ResponseWriter, p *problem.Error, openAI bool) {
	writeProblemStatus(w, p, status(p.Kind), openAI)
}

func writeProblemStatus(w http.ResponseWriter, p *problem.Error, code int, openAI bool) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="switchboard"`)
	}
	if s := seconds(p.RetryAfter); s > 0 {
		h.Set("Retry-After", strconv.Itoa(s))
	}
	body := render(p, code, h.Get(requestIDHeader), "", openAI)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	w.Write(body)
}

// seconds rounds up, so that a client never comes back too early.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
