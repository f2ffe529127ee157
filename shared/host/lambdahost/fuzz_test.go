package lambdahost_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"switchboard/shared/host/lambdahost"
	"switchboard/shared/problem"
)

// seeds are events of every sort: shipped, odd, and none at all.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	raw := [][]byte{shipped(t, "chat"), shipped(t, "chat_completions_stream"), shipped(t, "models")}
	for _, s := range []string{
		`{}`, `null`, `[]`, ``, `{"httpMethod":"GET","path":"/"}`,
		`{"httpMethod":"GET","path":"/","multiValueHeaders":{"x-amz-tenant-id":["t"],"X-Switchboard-A":null}}`,
		`{"httpMethod":"POST","path":"//x?y#z","body":"====","isBase64Encoded":true}`,
		`{"httpMethod":"*","path":"/%00%2f..","headers":{"host":"a b"},"requestContext":{"requestId":"\r\n"}}`,
		`{"httpMethod":"GET","path":"/%zz","requestContext":{"identity":{"sourceIp":"]:"}}}`,
	} {
		raw = append(raw, []byte(s))
	}
	return raw
}

// FuzzEvent decodes arbitrary bytes. It stays in one goroutine, or the fuzzer
// would take the scheduler's doings for new coverage.
func FuzzEvent(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var ev events.APIGatewayProxyRequest
		if json.Unmarshal(raw, &ev) != nil {
			return
		}
		r, err := lambdahost.NewRequest(context.Background(), &ev)
		if err != nil && !problem.Is(err, problem.Invalid) {
			t.Errorf("refused with %v", err)
		}
		if ids := r.Header["X-Request-Id"]; len(ids) != 1 || ids[0] != ev.RequestContext.RequestID {
			t.Errorf("request ids %q", ids)
		}
		for name, values := range r.Header {
			if name == "X-Amz-Tenant-Id" || strings.HasPrefix(name, "X-Switchboard-") || name != http.CanonicalHeaderKey(name) {
				t.Errorf("header %q came through", name)
			}
			if name != "X-Request-Id" && strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
				t.Errorf("header %s: %q", name, values)
			}
		}
		if !strings.HasPrefix(r.URL.Path, "/") {
			t.Errorf("path %q", r.URL.Path)
		}
		if n, err := io.Copy(io.Discard, r.Body); err == nil && n > r.ContentLength {
			t.Errorf("a body of %d has the length %d", n, r.ContentLength)
		}
	})
}

// TestNoEventBreaksTheFraming takes the same events all the way, through
// aws-lambda-go's own decoding and encoding.
func TestNoEventBreaksTheFraming(t *testing.T) {
	t.Parallel()
	invoke := lambda.NewHandler(lambdahost.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.URL.Path)
	})))
	answered := 0
	for _, seed := range seeds(t) {
		out, err := invoke.Invoke(t.Context(), seed)
		if err != nil {
			continue
		}
		answered++
		prelude, body, ok := bytes.Cut(out, make([]byte, 8))
		var p struct{ StatusCode int }
		if !ok || json.Unmarshal(prelude, &p) != nil || p.StatusCode != 200 && p.StatusCode != 400 {
			t.Errorf("%s: prelude %q", seed, prelude)
		}
		if p.StatusCode == 200 && len(body) != 0 {
			t.Errorf("%s: body %q", seed, body)
		}
	}
	if answered < 6 {
		t.Errorf("%d events answered", answered)
	}
}
