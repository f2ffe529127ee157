package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/app/local"
	"switchboard/shared/tenant/auth"
)

// client asks one server, with the operator's key.
type client struct {
	http *http.Client
	base string // the server's URL, without a slash at its end
	key  string
	from string // where the key is from
	wait func(context.Context, time.Duration) error
}

const (
	keyVariable = "SWITCHBOARD_OPERATOR_KEY"
	projects    = "/admin/v1/projects"
	dialTimeout = 5 * time.Second
	maxTries    = 4
	maxPause    = 30 * time.Second // longer than that is for people to wait
	maxAnswer   = 1 << 30          // a company's folder, at its largest
)

// client checks --url and finds the key for it.
func (o *operator) client() (*client, error) {
	base, here, err := serverURL(o.url)
	if err != nil {
		return nil, err
	}
	c := newClient(base, o.surroundings)
	c.key, c.from, err = o.key(here)
	return c, err
}

// newClient follows no redirect: the key is for the server that was named.
func newClient(base string, s surroundings) *client {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     time.Minute,
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{http: &http.Client{Transport: t, Timeout: 2 * time.Minute, CheckRedirect: stay}, base: base, wait: s.wait}
}

// serverURL returns --url as requests use it, and whether it is this machine.
func serverURL(text string) (base string, here bool, err error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", false, fmt.Errorf("--url is %q; expected one such as http://127.0.0.1:8080", text)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", false, fmt.Errorf("--url is %q; the operator key does not go over a network in the clear: use https", text)
	}
	return strings.TrimRight(text, "/"), isLoopback(u.Hostname()), nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// key returns the operator key and where it was. A development server's own is sent to
// no other machine.
func (o *operator) key(here bool) (key, from string, err error) {
	if key := strings.TrimSpace(o.getenv(keyVariable)); key != "" {
		return key, keyVariable, nil
	}
	if !here {
		return "", "", fmt.Errorf("there is no operator key: set %s", keyVariable)
	}
	file := filepath.Join(o.data, "dev-keys.json")
	text, err := os.ReadFile(file)
	var keys local.DevKeys
	switch {
	case err == nil:
		err = json.Unmarshal(text, &keys)
	case errors.Is(err, fs.ErrNotExist):
		return "", "", fmt.Errorf("there is no operator key: set %s, or name the data directory of a server that runs with --dev (there is no %s)", keyVariable, file)
	}
	if err != nil || keys.Operator == "" {
		return "", "", fmt.Errorf("%s holds no operator key: %w", file, cmp.Or(err, errors.New("it is empty")))
	}
	return keys.Operator, file, nil
}

// ask sends a request that may be sent twice, and again where the server says that it
// is busy; it returns the answer's body.
func (c *client) ask(ctx context.Context, method, path string, body any) (jsontext.Value, error) {
	for try := 0; ; try++ {
		answer, err := c.askOnce(ctx, method, path, body)
		r, ok := errors.AsType[*refusal](err)
		if !ok || !r.busy() || try == maxTries-1 {
			return answer, err
		}
		pause := cmp.Or(r.after, time.Second<<try)
		if pause > maxPause {
			return answer, err
		}
		if err := c.wait(ctx, pause); err != nil {
			return nil, c.unreachable(ctx, err)
		}
	}
}

// askOnce is ask of what must not be sent twice, such as a request for a new key.
func (c *client) askOnce(ctx context.Context, method, path string, body any) (jsontext.Value, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		if len(text) > auth.MaxAdminBody {
			return nil, fmt.Errorf("this takes a request of %d bytes; a server takes at most %d", len(text), auth.MaxAdminBody)
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(http.MaxBytesReader(nil, res.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, c.refused(res, text)
	}
	answer := jsontext.Value(bytes.TrimSpace(text))
	if !answer.IsValid() {
		return nil, c.strange()
	}
	return answer, nil
}

// page is one of a list.
type page struct {
	Data []jsontext.Value `json:"data"`
	Next *string          `json:"next_cursor"`
}

// all reads a list to its end, as one page.
func (c *client) all(ctx context.Context, path string) (jsontext.Value, error) {
	whole := page{Data: []jsontext.Value{}}
	query := url.Values{"limit": {"100"}}
	for {
		answer, err := c.ask(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		var p page
		if err := json.Unmarshal(answer, &p); err != nil {
			return nil, c.strange()
		}
		whole.Data = append(whole.Data, p.Data...)
		if p.Next == nil || *p.Next == "" {
			return json.Marshal(whole)
		}
		query.Set("cursor", *p.Next)
	}
}

// noServer says why nothing at the URL answered as a server does.
type noServer struct{ message string }

func (e *noServer) Error() string { return e.message }

func nobody(format string, args ...any) error { return &noServer{fmt.Sprintf(format, args...)} }

// away says that nothing listens at the URL.
func away(base string) error {
	return nobody("nothing listens at %s: start a server with `switchboard serve`, or say where it is with --url or SWITCHBOARD_URL", base)
}

// unreachable is what kept a request from being answered, as a sentence.
func (c *client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nobody("interrupted")
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return away(c.base)
	}
	if u, ok := errors.AsType[*url.Error](err); ok { // it says the URL again
		err = u.Err
	}
	return nobody("%s does not answer: %v", c.base, err)
}

// strange is an answer that no server of ours gives.
func (c *client) strange() error { return nobody("%s does not answer as Switchboard does", c.base) }

// refusal is an answer that says no.
type refusal struct {
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Field     string `json:"field"`
	RequestID string `json:"request_id"`

	after time.Duration // when to ask again; 0 = not said
	who   string        // whose key, where it did not hold
}

func (r *refusal) busy() bool {
	return r.Status == http.StatusServiceUnavailable || r.Status == http.StatusTooManyRequests
}

func (r *refusal) Error() string {
	switch {
	case r.Status == http.StatusUnauthorized:
		return "the server does not take the operator key in " + r.who
	case r.Status == http.StatusForbidden:
		return "the key in " + r.who + " is not an operator's: " + r.Detail
	case r.Status == http.StatusInternalServerError:
		return "the server failed; its log says why, at request_id " + r.RequestID
	case r.Field != "" && r.Field != "body" && !strings.Contains(r.Detail, r.Field):
		return r.Field + ": " + r.Detail
	}
	return r.Detail
}

// refused reads the problem that a server answers with.
func (c *client) refused(res *http.Response, text []byte) error {
	r := &refusal{}
	if res.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(text, r) != nil || r.Detail == "" {
		if to := res.Header.Get("Location"); to != "" {
			return nobody("%s sends its clients to %s; if that is the server, say so with --url", c.base, printable(to))
		}
		return nobody("%s answers %d, and not as Switchboard does", c.base, res.StatusCode)
	}
	r.Status, r.who, r.Detail = res.StatusCode, c.from, printableLines(r.Detail)
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		r.after = time.Duration(s) * time.Second
	}
	return r
}
