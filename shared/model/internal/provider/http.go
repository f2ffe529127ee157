package provider

import (
	"io"
	"net/http"

	"switchboard/shared/problem"
)

// Client returns c, or a client fit for many streams to one host where c is nil,
// that follows no redirect: net/http would take a key along to wherever it leads.
func Client(c *http.Client) *http.Client {
	own := http.Client{Transport: transport()}
	if c != nil {
		own = *c
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	Tune(t)
	return t
}

// Tune fits a transport to many streams to one host: the default one keeps two
// idle connections and would shake hands for every other turn.
func Tune(t *http.Transport) {
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = 1024
	t.DisableCompression = true // a compressing proxy would hold tokens back
}

// maxErrorBody bounds what is read of a refusal.
const maxErrorBody = 64 << 10

// BoundErrorBody keeps an SDK, which reads a refusal whole, from reading for ever.
// It has the form of the SDKs' middleware.
func BoundErrorBody(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	res, err := next(req)
	if err == nil && res.StatusCode >= http.StatusBadRequest {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxErrorBody), res.Body}
	}
	return res, err
}

// StatusReason classifies an HTTP status, where the provider's own code says
// nothing: it may be a proxy's between us and the provider.
func StatusReason(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden:
		return problem.ReasonAuth
	case http.StatusRequestEntityTooLarge:
		return problem.ReasonContextLength
	case http.StatusTooManyRequests:
		return problem.ReasonRateLimited
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return problem.ReasonTimeout
	case http.StatusBadGateway, http.StatusServiceUnavailable, 529:
		return problem.ReasonOverloaded
	}
	switch {
	case status >= http.StatusInternalServerError:
		return problem.ReasonServerError
	case status >= http.StatusBadRequest:
		return problem.ReasonBadRequest
	}
	return problem.ReasonProtocol
}
