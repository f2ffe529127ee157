package lambdahost_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// seen is a request as its handler saw it.
type seen struct {
	Method, Path, URI, Query, Host, Remote string
	Header                                 http.Header
	Body                                   string
	Length                                 int64
}

// deliver runs ev through the host. It fails if the handler was not reached.
func deliver(t *testing.T, ev events.APIGatewayProxyRequest) seen {
	t.Helper()
	var got *seen
	resp := answer(t, ev, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("body: %v", err)
		}
		got = &seen{r.Method, r.URL.Path, r.RequestURI, r.URL.RawQuery, r.Host, r.RemoteAddr, r.Header, string(body), r.ContentLength}
	})
	body := finish(t, resp)
	if got == nil {
		t.Fatalf("refused: %d %s", resp.StatusCode, body)
	}
	return *got
}

func TestARequestIsWhatTheClientSent(t *testing.T) {
	t.Parallel()
	ev := events.APIGatewayProxyRequest{
		HTTPMethod: "POST",
		Path:       "/v1/conversations/a%2Fb%20c",
		MultiValueQueryStringParameters: map[string][]string{
			"tag": {"x&y", "é"}, "cursor": {""},
		},
		QueryStringParameters: map[string]string{"tag": "é", "cursor": ""},
		MultiValueHeaders: map[string][]string{
			"host": {"api.example.com"}, "authorization": {"Bearer sk_EXAMPLE"},
			"Accept": {"text/event-stream", " application/json "}, "accept": {"last"},
		},
		Headers: map[string]string{"Accept": "application/json"},
		Body:    `{"message":"hé"}`,
	}
	ev.RequestContext.RequestID = "gateway-id"
	ev.RequestContext.Identity.SourceIP = "2001:db8::1"
	want := seen{
		Method: "POST", Path: "/v1/conversations/a/b c", URI: "/v1/conversations/a%2Fb%20c?cursor=&tag=x%26y&tag=%C3%A9",
		Query: "cursor=&tag=x%26y&tag=%C3%A9", Host: "api.example.com", Remote: "[2001:db8::1]:0",
		Header: http.Header{
			"Authorization": {"Bearer sk_EXAMPLE"}, "X-Request-Id": {"gateway-id"},
			"Accept": {"text/event-stream", "application/json", "last"},
		},
		Body: `{"message":"hé"}`, Length: 17,
	}
	if diff := cmp.Diff(want, deliver(t, ev)); diff != "" {
		t.Error(diff)
	}
	ev.Path = "/v1/a b?c" // not encoded by whoever made the event
	if got := deliver(t, ev); got.Path != "/v1/a b?c" || !strings.HasPrefix(got.URI, "/v1/a%20b%3Fc?") {
		t.Errorf("got %q, %q", got.Path, got.URI)
	}
}

func TestSingleValuesServeWhereTheConsoleSendsNoOthers(t *testing.T) {
	t.Parallel()
	ev := events.APIGatewayProxyRequest{
		HTTPMethod: "GET", Path: "/v1/models",
		Headers:               map[string]string{"Accept": "*/*"},
		QueryStringParameters: map[string]string{"a": "1 2"},
	}
	ev.RequestContext.DomainName = "x.execute-api.example.com"
	got := deliver(t, ev)
	if got.Header.Get("Accept") != "*/*" || got.Query != "a=1+2" || got.Host != "x.execute-api.example.com" {
		t.Errorf("got %+v", got)
	}
}

func TestABodyInBase64(t *testing.T) {
	t.Parallel()
	for n := range 5 {
		plain := strings.Repeat("\xff", n+1)
		ev := request(t, "POST", "/")
		ev.Body, ev.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(plain)), true
		if got := deliver(t, ev); got.Body != plain || got.Length != int64(len(plain)) {
			t.Errorf("%d bytes arrived as %q, length %d", len(plain), got.Body, got.Length)
		}
	}
}

func TestNobodyOutsideSetsAnInternalHeader(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"X-Amz-Tenant-Id", "x-amz-tenant-id", "X-REQUEST-ID", "x-request-id",
		"X-Switchboard-Tenant", "x-switchboard-anything", "X-Switchboard-", "x-request-from", "X-Tenant-Id", "X-Project-Id", "X-User-Id",
		"x-amzn-request-context", "X-Amzn-Lambda-Context", "X-Amzn-Oidc-Data", "X-Amzn-Oidc-Identity", "X-AMZN-TRACE-ID", "x-amzn-apigateway-api-id",
		"X-Apigateway-Event", "X-Principal", "x-principal-id", "X-Authorizer-Principal", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
		"X-Auth-Request-Email", "Remote-User", "X-Remote-User", "X-Jwt-Claim-Sub", "X-Forwarded-Claims", "X-Ms-Client-Principal-Id", "X-Goog-Authenticated-User-Id",
	} {
		ev := request(t, "GET", "/")
		ev.MultiValueHeaders = map[string][]string{name: {"forged", "twice"}, "X-Other": {"kept"}, "X-Api-Key": {"kept"}, "X-Forwarded-For": {"kept"}}
		single := request(t, "GET", "/")
		single.Headers = map[string]string{name: "forged", "X-Other": "kept", "x-api-key": "kept", "x-forwarded-for": "kept"}
		for _, ev := range []events.APIGatewayProxyRequest{ev, single} {
			want := http.Header{"X-Request-Id": {"gateway-id"}, "X-Other": {"kept"}, "X-Api-Key": {"kept"}, "X-Forwarded-For": {"kept"}}
			if diff := cmp.Diff(want, deliver(t, ev).Header); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

func TestWhatNetHTTPWouldRefuseIsRefused(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*events.APIGatewayProxyRequest){
		"method":         func(ev *events.APIGatewayProxyRequest) { ev.HTTPMethod = "GE T" },
		"path":           func(ev *events.APIGatewayProxyRequest) { ev.Path = "v1/chat" },
		"escape":         func(ev *events.APIGatewayProxyRequest) { ev.Path = "/v1/%zz" },
		"header name":    func(ev *events.APIGatewayProxyRequest) { ev.Headers = map[string]string{"X A": "1"} },
		"empty name":     func(ev *events.APIGatewayProxyRequest) { ev.Headers = map[string]string{"": "1"} },
		"name not ASCII": func(ev *events.APIGatewayProxyRequest) { ev.Headers = map[string]string{"X-É": "1"} },
		"line break":     func(ev *events.APIGatewayProxyRequest) { ev.Headers = map[string]string{"X-A": "1\r\nX-B: 2"} },
		"NUL":            func(ev *events.APIGatewayProxyRequest) { ev.Headers = map[string]string{"X-A": "\x00"} },
		"of several values": func(ev *events.APIGatewayProxyRequest) {
			ev.MultiValueHeaders = map[string][]string{"X-A": {"1", "\x7f"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev := request(t, "GET", "/v1/models")
			edit(&ev)
			resp := answer(t, ev, func(http.ResponseWriter, *http.Request) { t.Error("it reached the handler") })
			var doc struct {
				Type      string
				RequestID string `json:"request_id"`
			}
			if err := json.Unmarshal([]byte(finish(t, resp)), &doc); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != 400 || doc.Type != "urn:switchboard:problem:invalid" || doc.RequestID != "gateway-id" {
				t.Errorf("got %d %+v", resp.StatusCode, doc)
			}
		})
	}
}

// TestTheShippedEvents holds the files in events/ to what API Gateway sends.
func TestTheShippedEvents(t *testing.T) {
	t.Parallel()
	for file, route := range map[string]string{
		"chat": "POST /v1/chat", "chat_stream": "POST /v1/chat",
		"chat_completions": "POST /v1/chat/completions", "chat_completions_stream": "POST /v1/chat/completions",
		"models": "GET /v1/models",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			var ev events.APIGatewayProxyRequest
			dec := json.NewDecoder(strings.NewReader(string(shipped(t, file))))
			if err := dec.Decode(&ev); err != nil {
				t.Fatal(err)
			}
			got := deliver(t, ev)
			if got.Method+" "+got.Path != route || got.Host == "" || got.Header.Get("X-Request-Id") == "" || !strings.HasSuffix(got.Remote, ":0") {
				t.Errorf("got %+v", got)
			}
			if got.Header.Get("Authorization") != "Bearer sk_EXAMPLE" {
				t.Errorf("Authorization = %q", got.Header.Get("Authorization"))
			}
			if got.Body != "" && !json.Valid([]byte(got.Body)) {
				t.Errorf("body %s", got.Body)
			}
		})
	}
}

func shipped(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../../events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
