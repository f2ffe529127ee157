package app_test

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	integrations "switchboard/company-integrations"
	"switchboard/shared/app"
	"switchboard/shared/app/local"
	"switchboard/shared/host/httphost"
	"switchboard/shared/host/lambdahost"
	"switchboard/shared/host/lambdahost/runtimetest"
	"switchboard/shared/tenant/auth"
)

var update = flag.Bool("update", false, "rewrite the golden answers in events/")

const (
	eventsDir = "../../events"
	project   = "lenhart-electric"

	// What stands in the events for what only a test can know.
	eventKey          = "sk_EXAMPLE"
	eventPublishable  = "pk_EXAMPLE"
	eventOperator     = "op_EXAMPLE"
	eventConversation = "01JDCTS5QK8Z2V7M4N6P9R3T1C" // the one that chat.json begins
)

// answer is what came of an event, as it stands in its golden file.
type answer struct {
	Status      int            `json:"status"`
	ContentType string         `json:"content_type"`
	Body        jsontext.Value `json:"body,omitempty"` // of a JSON answer
	Text        string         `json:"text,omitempty"` // of any other

	requestID, raw string
}

// host takes events to the same handlers by its own way.
type host struct {
	name  string
	send  func(*testing.T, events.APIGatewayProxyRequest) answer
	fill  []string // what stands in the events, and in its place
	local *local.Local
}

// TestTheEventsAndTheirAnswers sends every event through both hosts, each over
// stores of its own: the answers are alike, and are those in the golden files.
func TestTheEventsAndTheirAnswers(t *testing.T) {
	t.Parallel()
	lambda, plain := open(t, "lambdahost", overLambda), open(t, "httphost", overHTTP)
	routes := map[string]bool{}
	for _, name := range eventNames(t) {
		ev := read(t, name)
		routes[ev.HTTPMethod+" "+ev.Resource] = true
		a, b := lambda.deliver(t, name), plain.deliver(t, name)
		if d := cmp.Diff(a.golden(t), b.golden(t)); d != "" {
			t.Errorf("%s: lambdahost and httphost differ (-lambdahost +httphost):\n%s", name, d)
		}
		if a.requestID != ev.RequestContext.RequestID {
			t.Errorf("%s: lambdahost says the request is %q, the gateway %q", name, a.requestID, ev.RequestContext.RequestID)
		}
		if b.requestID == "" || b.requestID == ev.RequestContext.RequestID {
			t.Errorf("%s: httphost says the request is %q", name, b.requestID)
		}
		compare(t, name, a.golden(t))
	}
	for _, r := range app.Routes(&lambda.local.Parts) {
		if !r.Public && !routes[r.Pattern] {
			t.Errorf("no event in events/ is for %s", r.Pattern)
		}
	}
}

// eventNames are the files' names, chat first: conversation asks for what it began.
func eventNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(eventsDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"chat"}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if name != "chat" && !strings.HasSuffix(name, ".golden") && !strings.HasPrefix(name, "rollup-") && name != "authorizer" { // which are no client's requests
			names = append(names, name)
		}
	}
	if len(names) < 9 { // control
		t.Fatalf("events: %v", names)
	}
	return names
}

func read(t *testing.T, name string) events.APIGatewayProxyRequest {
	t.Helper()
	return decode(t, readFile(t, name+".json"))
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(eventsDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func decode(t *testing.T, raw string) events.APIGatewayProxyRequest {
	t.Helper()
	var ev events.APIGatewayProxyRequest
	if err := json.Unmarshal([]byte(raw), &ev); err != nil {
		t.Fatal(err)
	}
	return ev
}

// open opens the shipped companies with the extract model.
func open(t *testing.T, name string, way func(*testing.T, *local.Local, string) func(*testing.T, events.APIGatewayProxyRequest) answer) *host {
	t.Helper()
	data := t.TempDir()
	l, err := local.Open(t.Context(), local.Options{Data: data, Companies: integrations.FS})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	_, key, err := l.Directory.Issue(t.Context(), auth.Credential{Kind: auth.SecretKey, Project: project})
	if err != nil {
		t.Fatal(err)
	}
	_, publishable, err := l.Directory.Issue(t.Context(), auth.Credential{Kind: auth.Publishable, Project: project})
	if err != nil {
		t.Fatal(err)
	}
	_, operator, err := l.Directory.Issue(t.Context(), auth.Credential{Kind: auth.OperatorKey})
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{eventOperator, operator.Reveal(), eventKey, key.Reveal(), eventPublishable, publishable.Reveal()}
	return &host{name: name, send: way(t, l, data), fill: keys, local: l}
}

// deliver sends the event, filled in. The first is chat, whose conversation later
// ones speak of.
func (h *host) deliver(t *testing.T, name string) answer {
	t.Helper()
	ev := decode(t, strings.NewReplacer(h.fill...).Replace(readFile(t, name+".json")))
	a := h.send(t, ev)
	if name == "chat" {
		var began struct {
			Conversation string `json:"conversation_id"`
		}
		if err := json.Unmarshal([]byte(a.raw), &began); err != nil || began.Conversation == "" {
			t.Fatalf("%s: %s began no conversation: %v", h.name, a.raw, err)
		}
		h.fill = append(h.fill, eventConversation, began.Conversation)
	}
	return a
}

// overLambda answers by lambdahost, in this process, as on AWS: the chat function has an
// authorizer before it and no directory, and the operator's has one of its own.
func overLambda(t *testing.T, l *local.Local, data string) func(*testing.T, events.APIGatewayProxyRequest) answer {
	t.Helper()
	var authorizer *auth.Authorizer
	behind := l.Parts
	text, err := os.ReadFile(filepath.Join(data, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	master, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err == nil {
		authorizer, err = auth.NewAuthorizer(l.Directory, master)
	}
	if err == nil {
		behind.Gate, err = auth.NewGateBehind(master, l.Chat.Table, app.Sites{Companies: l.Catalog}, l.Audit)
	}
	if err != nil {
		t.Fatal(err)
	}
	chat, admin := lambdahost.Handler(app.All(&behind)), lambdahost.Handler(app.TenantAdmin(&l.Parts))
	return func(t *testing.T, ev events.APIGatewayProxyRequest) answer {
		t.Helper()
		handle := admin
		if !strings.HasPrefix(ev.Path, "/admin/") {
			raw, err := json.Marshal(ev)
			if err != nil {
				t.Fatal(err)
			}
			handle, ev = chat, decode(t, string(runtimetest.Authorize(t, authorizer, raw)))
		}
		resp, err := handle(t.Context(), ev)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Close()
		return readAnswer(t, resp.StatusCode, resp.MultiValueHeaders, resp.Body)
	}
}

// overHTTP answers by httphost: the event becomes the request that the gateway
// made it of.
func overHTTP(t *testing.T, opened *local.Local, _ string) func(*testing.T, events.APIGatewayProxyRequest) answer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- httphost.Serve(ctx, l, app.All(&opened.Parts), nil) }()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return func(t *testing.T, ev events.APIGatewayProxyRequest) answer {
		t.Helper()
		target := url.URL{Scheme: "http", Host: l.Addr().String(), Path: ev.Path, RawQuery: url.Values(ev.MultiValueQueryStringParameters).Encode()}
		req, err := http.NewRequestWithContext(t.Context(), ev.HTTPMethod, target.String(), strings.NewReader(ev.Body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header(ev.MultiValueHeaders)
		req.Host = req.Header.Get("Host")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return readAnswer(t, resp.StatusCode, resp.Header, resp.Body)
	}
}

// readAnswer reads an answer, which must end cleanly and be kept by no cache.
func readAnswer(t *testing.T, status int, h http.Header, body io.Reader) answer {
	t.Helper()
	raw, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("after %q: %v", raw, err)
	}
	if got := h.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	a := answer{Status: status, ContentType: h.Get("Content-Type"), requestID: h.Get("X-Request-Id"), raw: string(raw)}
	if text := blank(a.raw); strings.Contains(a.ContentType, "json") {
		a.Body = jsontext.Value(text)
	} else {
		a.Text = text
	}
	return a
}

var (
	minted  = regexp.MustCompile(`\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b`)
	moment  = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	created = regexp.MustCompile(`"created":\d{9,}`)
	actor   = regexp.MustCompile(`"changed_by":"[0-9a-hjkmnp-tv-z]{16}"`)
	token   = regexp.MustCompile(`"token":"[^"]+"`)
	issued  = regexp.MustCompile(`"(id|key)":"(sk_)?[0-9a-hjkmnp-tv-z]{16}(_[^"]*)?"`)
	visitor = regexp.MustCompile(`"visitor_id":"v_[^"]+"`)
	request = regexp.MustCompile(`"request_id":"[^"]+"`)
)

// blank puts names in place of what differs from run to run. Ids are numbered as
// they come, so that one that stands twice still does.
func blank(s string) string {
	names := map[string]string{}
	s = minted.ReplaceAllStringFunc(s, func(id string) string {
		if names[id] == "" {
			names[id] = fmt.Sprintf("<id %d>", len(names)+1)
		}
		return names[id]
	})
	s = moment.ReplaceAllString(s, "<time>")
	s = actor.ReplaceAllString(s, `"changed_by":"<operator>"`)
	s = issued.ReplaceAllString(s, `"$1":"<issued>"`)
	s = token.ReplaceAllString(s, `"token":"<token>"`)
	s = visitor.ReplaceAllString(s, `"visitor_id":"<visitor>"`)
	s = created.ReplaceAllString(s, `"created":1`)
	return request.ReplaceAllString(s, `"request_id":"<request>"`)
}

// golden renders the answer as its file holds it.
func (a answer) golden(t *testing.T) string {
	t.Helper()
	out, err := json.Marshal(a, jsontext.WithIndent("  "))
	if err != nil {
		t.Fatalf("%s: %v", a.raw, err)
	}
	return string(out) + "\n"
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	file := name + ".golden.json"
	if *update {
		if err := os.WriteFile(filepath.Join(eventsDir, file), []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(readFile(t, file), got); d != "" {
		t.Errorf("events/%s (-want +got; -update rewrites it):\n%s", file, d)
	}
}
