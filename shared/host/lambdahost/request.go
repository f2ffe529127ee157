package lambdahost

import (
	"cmp"
	"context"
	"encoding/base64"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"switchboard/shared/problem"
	"switchboard/shared/tenant/auth"
)

const requestIDHeader = "X-Request-Id"

// newRequest makes the request that net/http's server would have made of the same
// bytes. An error is an Invalid problem; the request that comes with it is good
// enough to answer it.
func newRequest(ctx context.Context, ev *events.APIGatewayProxyRequest) (*http.Request, error) {
	const op = "lambdahost.newRequest"
	r := (&http.Request{
		Method: ev.HTTPMethod,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{requestIDHeader: {requestID(ctx, ev)}},
		URL:    &url.URL{Path: "/"},
		Body:   http.NoBody,
	}).WithContext(ctx)
	if !isToken(ev.HTTPMethod) {
		return r, problem.New(problem.Invalid, op, "The method is malformed.")
	}
	path, err := url.PathUnescape(ev.Path)
	if err != nil || !strings.HasPrefix(path, "/") {
		return r, problem.New(problem.Invalid, op, "The path is malformed.")
	}
	// RawPath keeps %2F apart from a slash; URL ignores it where it contradicts Path.
	r.URL = &url.URL{Path: path, RawPath: ev.Path, RawQuery: query(ev).Encode()}
	r.RequestURI = r.URL.RequestURI()
	if err := copyHeaders(r, ev); err != nil {
		return r, err
	}
	if ip := ev.RequestContext.Identity.SourceIP; ip != "" {
		r.RemoteAddr = net.JoinHostPort(ip, "0") // the gateway does not tell the port
	}
	if ev.Body != "" {
		body, length := content(ev)
		r.Body, r.ContentLength = io.NopCloser(body), length
	}
	return r, nil
}

// requestID is the gateway's id of this request, which its access log has too.
func requestID(ctx context.Context, ev *events.APIGatewayProxyRequest) string {
	id := ev.RequestContext.RequestID
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		id = cmp.Or(id, lc.AwsRequestID)
	}
	return id
}

// query prefers the map that keeps repeated parameters. The console's test
// requests come without it.
func query(ev *events.APIGatewayProxyRequest) url.Values {
	if len(ev.MultiValueQueryStringParameters) > 0 {
		return ev.MultiValueQueryStringParameters
	}
	q := make(url.Values, len(ev.QueryStringParameters))
	for k, v := range ev.QueryStringParameters {
		q.Set(k, v)
	}
	return q
}

// copyHeaders copies what the client sent to the request.
func copyHeaders(r *http.Request, ev *events.APIGatewayProxyRequest) error {
	h, err := headers(ev.Headers, ev.MultiValueHeaders)
	if err != nil {
		return err
	}
	maps.Copy(r.Header, h)
	r.Host = cmp.Or(r.Header.Get("Host"), ev.RequestContext.DomainName)
	r.Header.Del("Host") // net/http's server keeps it in Request.Host alone
	return nil
}

// headers are what the client sent, less what only the inside may say. They are read in
// order of name, so that two spellings of one name are joined alike each time. A
// malformed header is refused rather than dropped: a request without its
// Idempotency-Key is another request.
func headers(single map[string]string, multi map[string][]string) (http.Header, error) {
	if len(multi) == 0 { // the console's test requests come without it
		multi = make(map[string][]string, len(single))
		for k, v := range single {
			multi[k] = []string{v}
		}
	}
	out := make(http.Header, len(multi))
	for _, name := range slices.Sorted(maps.Keys(multi)) {
		if !isToken(name) {
			return nil, problem.New(problem.Invalid, "lambdahost.headers", "The name of a header is malformed.")
		}
		key := http.CanonicalHeaderKey(name)
		if auth.Reserved(key) {
			continue
		}
		for _, v := range multi[name] {
			if !isFieldValue(v) {
				return nil, problem.Bad("lambdahost.headers", key, "The header %s is malformed.", key)
			}
			out[key] = append(out[key], strings.Trim(v, " \t"))
		}
	}
	return out, nil
}

// content returns the body and its length. It is decoded while it is read, so a
// base64 body is not held twice.
func content(ev *events.APIGatewayProxyRequest) (io.Reader, int64) {
	body := strings.NewReader(ev.Body)
	if !ev.IsBase64Encoded {
		return body, body.Size()
	}
	padding := len(ev.Body) - len(strings.TrimRight(ev.Body, "="))
	length := base64.StdEncoding.DecodedLen(len(ev.Body)) - padding
	return base64.NewDecoder(base64.StdEncoding, body), int64(max(length, 0))
}

// isToken is RFC 9110's token, the form of methods and header names.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// isFieldValue reports whether s may be a header's value: no control character
// but the tab.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
