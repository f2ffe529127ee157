// Package apptest is the whole product in a test: embedded stores, the real
// drivers, a scripted provider, and HTTP in front.
//
// Tests that enter at the public edge import it. Its one promise: what runs here
// is what `switchboard serve` runs; only the provider is scripted, and that over
// its true wire format.
package apptest

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/app"
	"switchboard/shared/app/local"
	"switchboard/shared/model"
	"switchboard/shared/model/modeltest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Options change what is started. The zero value is ready.
type Options struct {
	Data    string                                // "" = a new directory
	Script  func(modeltest.Call) modeltest.Script // nil: the default model is extract
	Env     map[string]string                     // further environment
	Company fstest.MapFS                          // further company folders
	Open    int                                   // companies whose files are kept open; 0 = as in production
	Drain   time.Duration                         // how long an unseen turn goes on; 0 = as in production
}

// Server is a running product.
type Server struct {
	URL      string
	Local    *local.Local
	Provider *modeltest.Server // nil without a Script
	Data     string

	t    testing.TB
	http *httptest.Server
}

// The companies that are there. Alpha and Beta are neighbours with the same
// assistant and different knowledge; each has a canary word of its own.
const (
	Alpha = "alpha"
	Beta  = "beta"
	Gamma = "gamma" // knows nothing; for what is done to a whole company
)

func companies() fstest.MapFS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"alpha/company.yaml":          file("name: Alpha\norigins: [\"https://alpha.example\"]\n"),
		"alpha/assistants/website.md": file("---\nname: Website\n---\nYou answer for Alpha."),
		"alpha/assistants/chain.md":   file("---\nname: Chain\nmodel: openai/first\nfallback: [anthropic/second, extract]\n---\nYou answer for Alpha."),
		"alpha/knowledge/fees.md":     file("---\ntitle: Fees\nurl: https://alpha.example/fees\n---\n## Visits\nA diagnostic visit costs $149 (alphacanary).\n\n## Panels\nA panel upgrade costs $3,400."),
		"alpha/knowledge/hours.md":    file("---\ntitle: Hours\n---\nWe are open on weekdays from 7 to 5."),
		"beta/company.yaml":           file("name: Beta\norigins: [\"https://beta.example\"]\n"),
		"gamma/company.yaml":          file("name: Gamma\norigins: [\"https://gamma.example\"]\n"),
		"gamma/assistants/website.md": file("You answer for Gamma."),
		"beta/assistants/website.md":  file("---\nname: Website\n---\nYou answer for Beta."),
		"beta/knowledge/fees.md":      file("---\ntitle: Fees\n---\nA diagnostic visit costs $88 (betacanary)."),
	}
}

// Start starts the product and stops it when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, Data: o.Data}
	if s.Data == "" {
		s.Data = t.TempDir()
	}
	env := map[string]string{}
	if o.Script != nil {
		s.Provider = modeltest.NewServer(o.Script)
		upstream := httptest.NewServer(s.Provider)
		t.Cleanup(func() {
			upstream.CloseClientConnections()
			upstream.Close()
		})
		env["OPENAI_BASE_URL"], env["SWITCHBOARD_MODEL"] = upstream.URL+"/v1", "openai/scripted"
		env["ANTHROPIC_API_KEY"], env["ANTHROPIC_BASE_URL"] = "test", upstream.URL
	}
	for k, v := range o.Env {
		env[k] = v
	}
	fsys := companies()
	for name, f := range o.Company {
		fsys[name] = f
	}
	var err error
	s.Local, err = local.Open(t.Context(), local.Options{
		Data: s.Data, Companies: fsys, Getenv: func(k string) string { return env[k] }, Dev: true, Open: o.Open,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Local.Chat.Drain = o.Drain
	s.http = httptest.NewServer(app.All(&s.Local.Parts))
	s.URL = s.http.URL
	t.Cleanup(s.Stop)
	return s
}

// Says is a provider's script that answers with the chunks and counts 10 tokens in
// and 20 out.
func Says(chunks ...string) modeltest.Script {
	var s modeltest.Script
	for _, c := range chunks {
		s = append(s, modeltest.Step{Text: c})
	}
	return append(s, modeltest.Step{Usage: &model.Usage{Input: 10, Output: 20}}, modeltest.Step{Stop: model.StopEnd})
}

// Echo answers "You said: " and the user's last message.
func Echo(c modeltest.Call) modeltest.Script { return Says("You said: ", c.User) }

// Stop stops the product as a clean shutdown does. Stopping twice does no harm.
func (s *Server) Stop() {
	if s.http == nil {
		return
	}
	s.http.Close()
	s.http = nil
	if err := s.Local.Close(); err != nil {
		s.t.Error(err)
	}
}

// Key issues a secret key of the project, narrowed to the capabilities if any are
// given.
func (s *Server) Key(project string, can ...tenant.Capability) string {
	s.t.Helper()
	c := auth.Credential{Kind: auth.SecretKey, Project: project}
	for _, x := range can {
		c.Can |= x
	}
	_, secret, err := s.Local.Directory.Issue(context.Background(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	return secret.Reveal()
}

// Origin is where the project's pages are.
func Origin(project string) string { return "https://" + project + ".example" }

// Token gives a browser of the project's site a widget token for its assistant
// website. The visitor is who they say they are: "visitor:~" and the name.
func (s *Server) Token(project, visitor string) string {
	s.t.Helper()
	_, pk, err := s.Local.Directory.Issue(context.Background(), auth.Credential{Kind: auth.Publishable, Project: project})
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.Post(pk.Reveal(), "/v1/widget/token", `{"assistant":"website","visitor_id":"`+visitor+`"}`, "Origin", Origin(project))
	if a.Status != 200 {
		s.t.Fatalf("token: %d %s", a.Status, a.Body)
	}
	return a.Get("token")
}

// Answer is a response, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Get reads a dotted path ("message.content", "citations.0.title") of the body as
// text; "" if it is not there.
func (a Answer) Get(path string) string { return Get([]byte(a.Body), path) }

// Get reads a dotted path of a JSON text.
func Get(body []byte, path string) string {
	v := jsontext.Value(body)
	for name := range strings.SplitSeq(path, ".") {
		var object map[string]jsontext.Value
		var array []jsontext.Value
		switch n, err := strconv.Atoi(name); {
		case err == nil && json.Unmarshal(v, &array) == nil && n < len(array):
			v = array[n]
		case json.Unmarshal(v, &object) == nil:
			v = object[name]
		default:
			return ""
		}
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

// Do sends a request with the key and reads the answer whole. header holds pairs.
func (s *Server) Do(key, method, path, body string, header ...string) Answer {
	s.t.Helper()
	res, err := s.Send(s.t.Context(), key, method, path, body, header...)
	if err != nil {
		s.t.Error(err)
		return Answer{}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
	}
	return Answer{res.StatusCode, res.Header, string(data)}
}

// Post is Do for a POST.
func (s *Server) Post(key, path, body string, header ...string) Answer {
	s.t.Helper()
	return s.Do(key, http.MethodPost, path, body, header...)
}

// Send sends a request and returns the response as it begins.
func (s *Server) Send(ctx context.Context, key, method, path, body string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return s.http.Client().Do(req)
}

// Event is a server-sent event.
type Event struct{ Name, Data string }

// Events reads server-sent events; next returns false at the end of the stream.
func Events(r io.Reader) (next func() (Event, bool)) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	return func() (Event, bool) {
		var e Event
		for scan.Scan() {
			line := scan.Text()
			if line == "" && e != (Event{}) {
				return e, true
			}
			if v, ok := strings.CutPrefix(line, "event: "); ok {
				e.Name = v
			}
			if v, ok := strings.CutPrefix(line, "data: "); ok {
				e.Data += v
			}
		}
		return Event{}, false
	}
}

// Stream posts and reads all events.
func (s *Server) Stream(key, path, body string, header ...string) []Event {
	s.t.Helper()
	a := s.Post(key, path, body, header...)
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/event-stream") {
		s.t.Errorf("%s is no stream: %d %s", path, a.Status, a.Body)
		return nil
	}
	var out []Event
	next := Events(strings.NewReader(a.Body))
	for e, ok := next(); ok; e, ok = next() {
		out = append(out, e)
	}
	return out
}
