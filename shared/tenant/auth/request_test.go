package auth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// sent is a problem as a client reads it.
type sent struct {
	Type, Title, Detail, Field, Reason string
	Status                             int
	RequestID                          string `json:"request_id"`
	RetryAfter                         int    `json:"retry_after"`
	Error                              *struct {
		Message, Type, Code string
		Param               *string
	}
}

// problemOf holds an answer to the form of every problem.
func problemOf(t testing.TB, w *httptest.ResponseRecorder, code int) sent {
	t.Helper()
	wantStatus(t, w, code)
	var p sent
	if err := json.Unmarshal(w.Body.Bytes(), &p, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	h := w.Header()
	if h.Get("Content-Type") != "application/problem+json" || h.Get("Cache-Control") != "no-store" ||
		p.RequestID == "" || p.RequestID != h.Get("X-Request-Id") || p.Status != code || p.Detail == "" || p.Title == "" ||
		!strings.HasPrefix(p.Type, "urn:switchboard:problem:") {
		t.Errorf("malformed problem: %v %s", h, w.Body)
	}
	return p
}

// message is a body of exactly n bytes.
func message(n int) string {
	const frame = `{"message":""}`
	return `{"message":"` + strings.Repeat("x", n-len(frame)) + `"}`
}

func TestBody(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	_, text := d.issue(t, auth.Credential{})
	const j = "application/json"
	for _, c := range []struct{ name, contentType, body, field string }{
		{"control", j, `{"message":"hi"}`, ""},
		{"charset", j + "; charset=utf-8", `{"message":"hi"}`, ""},
		{"no content type", "", `{"message":"hi"}`, ""},
		{"at the limit", j, message(auth.MaxRequestBody), ""},
		{"over the limit", j, message(auth.MaxRequestBody + 1), "body"},
		{"form", "application/x-www-form-urlencoded", `{"message":"hi"}`, "Content-Type"},
		{"text", "text/plain", `{"message":"hi"}`, "Content-Type"},
		{"no type at all", ";;", `{"message":"hi"}`, "Content-Type"},
		{"empty", j, ``, "body"},
		{"space", j, ` `, "body"},
		{"null", j, `null`, "body"},
		{"array", j, `[]`, "body"},
		{"trailing", j, `{"message":"hi"}{}`, "body"},
		{"not UTF-8", j, "{\"message\":\"\xff\"}", "message"},
		{"duplicate", j, `{"message":"a","message":"b"}`, "message"},
		{"duplicate by escape", j, `{"message":"a","\u006dessage":"b"}`, "message"},
		{"duplicate within", j, `{"user":{"id":"a","id":"b"}}`, "user.id"},
		{"case folded", j, `{"Message":"a"}`, "Message"},
		{"unknown", j, `{"project":"beta"}`, "project"},
		{"unknown within", j, `{"user":{"tenant":"beta"}}`, "user.tenant"},
		{"wrong type", j, `{"message":["a"]}`, "message"},
		{"deep", j, strings.Repeat("[", 100_000), "body"},
	} {
		for _, chunked := range []bool{false, true} {
			r := httptest.NewRequest("POST", "/echo", strings.NewReader(c.body))
			if chunked {
				r = httptest.NewRequest("POST", "/echo", io.MultiReader(strings.NewReader(c.body)))
				r.ContentLength = -1
			}
			r.Header.Set("Authorization", "Bearer "+text)
			if c.contentType != "" {
				r.Header.Set("Content-Type", c.contentType)
			}
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			if c.field == "" {
				wantStatus(t, w, 200)
			} else if p := problemOf(t, w, 400); p.Field != c.field {
				t.Errorf("%s: field %q, want %q", c.name, p.Field, c.field)
			}
		}
	}
	w := ask(d, "POST", "/echo", `{"message":"hi"}`, "Authorization", "Bearer "+text, "Content-Type", j, "Content-Type", "text/plain")
	if p := problemOf(t, w, 400); p.Field != "Content-Type" {
		t.Errorf("two content types: %+v", p)
	}
}

// A body that ends before its length says so is no request.
func TestBodyCutShort(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	_, text := d.issue(t, auth.Credential{})
	r := httptest.NewRequest("POST", "/echo", strings.NewReader(`{"message":"hi"}`))
	r.ContentLength = 100
	r.Header.Set("Authorization", "Bearer "+text)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if p := problemOf(t, w, 400); p.Field != "body" {
		t.Errorf("%+v", p)
	}
}

// untouched fails the test when it is read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read before the credential held")
	return 0, io.EOF
}

func TestCredentialComesFirst(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	_, pk := d.issue(t, auth.Credential{Kind: auth.Publishable})
	for text, code := range map[string]int{"": 401, "sk_" + someID + "_" + someSecret: 401, pk: 403} {
		r := httptest.NewRequest("POST", "/echo?q=a&q=b", untouched{t})
		r.Header.Set("Authorization", "Bearer "+text)
		r.Header.Set("Idempotency-Key", "")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		problemOf(t, w, code)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	_, text := d.issue(t, auth.Credential{})
	a := []string{"Authorization", "Bearer " + text}
	const k = "Idempotency-Key"
	for _, c := range []struct {
		name    string
		headers []string
		code    int
	}{
		{"none", nil, 200},
		{"control", []string{k, "a-key_0/!~"}, 200},
		{"longest", []string{k, strings.Repeat("k", 255)}, 200},
		{"too long", []string{k, strings.Repeat("k", 256)}, 400},
		{"empty", []string{k, ""}, 400},
		{"space", []string{k, "a b"}, 400},
		{"control character", []string{k, "a\x01"}, 400},
		{"not ASCII", []string{k, "é"}, 400},
		{"twice", []string{k, "a", k, "a"}, 400},
	} {
		w := ask(d, "POST", "/echo", `{"message":"hi"}`, append(a, c.headers...)...)
		if c.code != 200 {
			if p := problemOf(t, w, c.code); p.Field != k {
				t.Errorf("%s: %+v", c.name, p)
			}
			continue
		}
		wantStatus(t, w, 200)
		var got echoAnswer
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(c.headers) > 0 && got.Key != c.headers[1] {
			t.Errorf("%s: %q, %v", c.name, got.Key, err)
		}
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	_, text := d.issue(t, auth.Credential{})
	for query, field := range map[string]string{
		"": "", "q=a": "", "q=a&p=b": "", "q=%C3%A9": "",
		"q=a&q=b": "q", "q=a&%71=b": "q", "q=a;p=b": "query", "q=%zz": "query",
	} {
		w := ask(d, "POST", "/echo?"+query, `{"message":"hi"}`, "Authorization", "Bearer "+text)
		if field == "" {
			wantStatus(t, w, 200)
		} else if p := problemOf(t, w, 400); p.Field != field {
			t.Errorf("%q: %+v", query, p)
		}
	}
}

func TestNotServed(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, c := range []struct {
		method, path string
		code         int
		allow        string
	}{
		{"GET", "/nothing", 404, ""},
		{"GET", "/", 404, ""},
		{"POST", "/echo/", 404, ""},
		{"POST", "/ECHO", 404, ""},
		{"POST", "//echo", 404, ""},
		{"POST", "/./echo", 404, ""},
		{"POST", "/x/../echo", 404, ""},
		{"POST", "//evil.example/..//echo", 404, ""},
		{"GET", "/echo", 405, "POST"},
		{"OPTIONS", "/echo", 405, "POST"},
		{"DELETE", "/echo", 405, "POST"},
		{"get", "/echo", 405, "POST"},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		r.URL.Path = c.path
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		problemOf(t, w, c.code)
		if got := w.Header().Get("Allow"); got != c.allow || w.Header().Get("Location") != "" || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s: Allow %q, %v", c.method, c.path, got, w.Header())
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	_, text := d.issue(t, auth.Credential{})
	seen := map[string]bool{}
	for _, in := range []string{"", "", "from-the-host", "\xff", "a b", "a\nb", strings.Repeat("x", 129)} {
		w := ask(d, "POST", "/echo", `{"message":"hi"}`, "Authorization", "Bearer "+text, "X-Request-Id", in)
		wantStatus(t, w, 200)
		id := w.Header().Get("X-Request-Id")
		if id == "" || seen[id] || (id == in) != (in == "from-the-host") || !strings.Contains(w.Body.String(), `"id":"`+id+`"`) {
			t.Errorf("%q became %q: %s", in, id, w.Body)
		}
		seen[id] = true
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	kinds := map[string]struct {
		err    error
		code   int
		openAI string
	}{
		"invalid":      {problem.Bad("op", "message", "say something"), 400, "invalid_request_error"},
		"unauth":       {problem.Wrap(problem.Unauthenticated, "op", errors.New(secret)), 401, "authentication_error"},
		"forbidden":    {problem.Wrap(problem.Forbidden, "op", errors.New(secret)), 403, "permission_error"},
		"missing":      {problem.Wrap(problem.NotFound, "op", errors.New(secret)), 404, "invalid_request_error"},
		"conflict":     {problem.Wrap(problem.Conflict, "op", errors.New(secret)), 409, "invalid_request_error"},
		"limited":      {&problem.Error{Kind: problem.RateLimited, RetryAfter: 1}, 429, "rate_limit_error"},
		"canceled":     {context.Canceled, 499, "api_error"},
		"internal":     {&problem.Error{Kind: problem.Internal, Detail: secret, Field: secret, Reason: secret, Op: secret}, 500, "api_error"},
		"unclassified": {errors.New(secret), 500, "api_error"},
		"upstream":     {&problem.Error{Kind: problem.Upstream, Reason: problem.ReasonTimeout, Err: errors.New(secret)}, 502, "api_error"},
		"unavailable":  {problem.Wrap(problem.Unavailable, "op", errors.New(secret)), 503, "api_error"},
		"late":         {context.DeadlineExceeded, 503, "api_error"},
		"not UTF-8":    {problem.Bad("op", "a\xff", "b\xff"), 400, "invalid_request_error"},
	}
	var routes []auth.Route
	for name, k := range kinds {
		for _, prefix := range []string{"/", "/openai/"} {
			rt := noBody("GET "+prefix+strings.ReplaceAll(name, " ", "-"), func(context.Context, tenant.Scope) error { return k.err })
			rt.OpenAI = prefix == "/openai/"
			routes = append(routes, rt)
		}
	}
	d := newDoor(t, routes...)
	_, text := d.issue(t, auth.Credential{})
	for name, k := range kinds {
		for _, prefix := range []string{"/", "/openai/"} {
			w := ask(d, "GET", prefix+strings.ReplaceAll(name, " ", "-"), "", "Authorization", "Bearer "+text)
			p := problemOf(t, w, k.code)
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("%s tells the client its cause: %s", name, w.Body)
			}
			if (p.Error != nil) != (prefix == "/openai/") {
				t.Errorf("%s%s: %s", prefix, name, w.Body)
			}
			if p.Error != nil && (p.Error.Type != k.openAI || p.Error.Message != p.Detail || !strings.HasSuffix(p.Type, p.Error.Code)) {
				t.Errorf("%s: %s", name, w.Body)
			}
		}
	}
	w := ask(d, "GET", "/limited", "", "Authorization", "Bearer "+text)
	if p := problemOf(t, w, 429); p.RetryAfter != 1 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("a nanosecond rounds up to a second: %s", w.Body)
	}
	if w := ask(d, "GET", "/openai/limited", ""); problemOf(t, w, 401).Error == nil {
		t.Errorf("a refusal at the gate is an OpenAI error too: %s", w.Body)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	const canary = "panic-canary-7c1f"
	var routes []auth.Route
	values := map[string]any{"string": canary, "error": errors.New(canary), "struct": struct{ s string }{canary}, "problem": problem.New(problem.Invalid, "", canary)}
	for name, v := range values {
		routes = append(routes, noBody("GET /"+name, func(context.Context, tenant.Scope) error { panic(v) }))
	}
	var nobody *echoBody
	routes = append(routes, noBody("GET /runtime", func(context.Context, tenant.Scope) error { nobody.Message = ""; return nil }))
	routes = append(routes, auth.Route{Pattern: "GET /hollow", Allow: auth.Allow{Kinds: sk}})
	routes = append(routes, auth.Public("GET /public", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(canary) })))
	d := newDoor(t, routes...)
	_, text := d.issue(t, auth.Credential{})
	for _, name := range []string{"string", "error", "struct", "problem", "runtime", "hollow", "public"} {
		w := ask(d, "GET", "/"+name, "", "Authorization", "Bearer "+text)
		if p := problemOf(t, w, 500); p.Detail != "Internal error" || strings.Contains(w.Body.String(), canary) {
			t.Errorf("%s: %s", name, w.Body)
		}
		if id := w.Header().Get("X-Request-Id"); !strings.Contains(logged.text(), id) {
			t.Errorf("%s: the panic was not logged", name)
		}
	}
	if strings.Contains(logged.text(), canary) {
		t.Error("what a handler panicked with was logged")
	}
	if !strings.Contains(logged.text(), "nil pointer dereference") {
		t.Error("control: a panic of the runtime is logged with its text")
	}
}

// What a client got wrong is told to it, and its words are nobody else's.
func TestClientsWordsAreNotLogged(t *testing.T) {
	t.Parallel()
	const canary = "word-canary-55ab"
	d := newDoor(t)
	_, text := d.issue(t, auth.Credential{})
	w := ask(d, "POST", "/echo?"+canary+"=1&"+canary+"=2", `{}`, "Authorization", "Bearer "+text)
	problemOf(t, w, 400)
	w = ask(d, "POST", "/echo", `{"`+canary+`":1}`, "Authorization", "Bearer "+text, "Idempotency-Key", canary)
	if p := problemOf(t, w, 400); p.Field != canary || !strings.Contains(logged.text(), p.RequestID) {
		t.Errorf("control: %+v", p)
	}
	wantStatus(t, ask(d, "POST", "/echo", `{"message":"hi"}`, "Authorization", "Bearer "+canary, "X-Api-Key", canary), 401)
	if strings.Contains(logged.text(), canary) {
		t.Error("a client's words were logged")
	}
}

func TestAnswersNothing(t *testing.T) {
	t.Parallel()
	d := newDoor(t, stream(func(context.Context, *auth.Reply) error { return nil }))
	_, text := d.issue(t, auth.Credential{})
	problemOf(t, ask(d, "GET", "/stream", "", "Authorization", "Bearer "+text), 500)
}

func FuzzProblem(f *testing.F) {
	f.Add("detail", "field", "id", "turn")
	f.Add("\xff", "\xed\xa0\x80", "\x00", "\u2028")
	f.Fuzz(func(t *testing.T, detail, field, id, turn string) {
		err := &problem.Error{Kind: problem.Invalid, Detail: detail, Field: field}
		var v map[string]any
		body := auth.Problem(err, id, turn, true)
		if err := json.Unmarshal(body, &v); err != nil || strings.ContainsAny(string(body), "\r\n") {
			t.Errorf("%s: %v", body, err)
		}
	})
}
