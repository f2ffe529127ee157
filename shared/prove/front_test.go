package prove_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"switchboard/shared/app/apptest"
)

// front is a reverse proxy before the product. It knows what went through it, as a broken
// server would.
type front struct {
	url, upstream string
	client        *http.Client
	broken        *breaker

	mu      sync.Mutex
	counts  map[string]int
	seen    map[string]bool   // credentials
	owner   map[string]string // of a conversation: the Authorization it was begun with
	project map[string]string // of a credential
	text    map[string]string // of a key, by its id
	live    map[string]string // a live secret key of a project
	revoked map[string]bool   // credentials
	said    map[string]string // of a project: something that was said there
	under   map[string][]byte // answers by idempotency key
	page    map[string]string // the origin that a credential was served from
	end     int
	ending  context.CancelFunc
}

// breaker is a way in which isolation is broken.
type breaker struct {
	class  int
	wrong  string                                       // part of what is said of it
	before func(f *front, r *http.Request)              // changes the request
	after  func(f *front, r *http.Request, a *response) // changes the answer
}

// response is an answer on its way.
type response struct {
	status int
	header http.Header
	body   []byte
}

func newFront(t *testing.T, upstream string, b *breaker) *front {
	f := &front{upstream: upstream, broken: b, client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		counts: map[string]int{}, seen: map[string]bool{}, owner: map[string]string{}, project: map[string]string{}, text: map[string]string{},
		live: map[string]string{}, revoked: map[string]bool{}, said: map[string]string{}, under: map[string][]byte{}, page: map[string]string{}}
	s := httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *front) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[what]
}

// after has the run given up at that request.
func (f *front) after(n int, cancel context.CancelFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end, f.ending = n, cancel
}

func (f *front) secrets() (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.seen {
		out = append(out, s)
	}
	return out
}

func (f *front) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	if f.counts["all"]++; f.counts["all"] == f.end {
		f.ending()
	}
	if f.broken != nil && f.broken.before != nil {
		f.broken.before(f, r)
	}
	f.mu.Unlock()
	a, err := f.pass(r, body)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	f.mu.Lock()
	f.learn(r, body, a)
	if f.broken != nil && f.broken.after != nil {
		f.broken.after(f, r, a)
	}
	f.mu.Unlock()
	for name, values := range a.header {
		if name != "Content-Length" && name != "Date" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}

func (f *front) pass(r *http.Request, body []byte) (*response, error) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, f.upstream, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.URL.Opaque, out.Header = r.RequestURI, r.Header
	res, err := f.client.Do(out)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	return &response{res.StatusCode, res.Header, all}, err
}

var keysOf = regexp.MustCompile(`^/admin/v1/projects/([a-z0-9-]+)/keys(?:/([0-9a-z]+))?$`)

// learn keeps what goes through. mu is held.
func (f *front) learn(r *http.Request, body []byte, a *response) {
	by := r.Header.Get("Authorization")
	if a.status != 200 {
		return
	}
	if m := keysOf.FindStringSubmatch(r.URL.Path); m != nil {
		id, key := apptest.Get(a.body, "id"), apptest.Get(a.body, "key")
		switch {
		case r.Method == "POST":
			f.project["Bearer "+key], f.text[id] = m[1], key
			if strings.HasPrefix(key, "sk_") {
				f.seen[key] = true
			}
			if strings.HasPrefix(key, "sk_") && apptest.Get(a.body, "role") == "editor" && f.live[m[1]] == "" {
				f.live[m[1]] = "Bearer " + key
			}
		case r.Method == "DELETE":
			f.revoked["Bearer "+f.text[m[2]]] = true
		}
	}
	switch r.URL.Path {
	case "/v1/widget/token":
		token := apptest.Get(a.body, "token")
		f.seen[token], f.project["Bearer "+token], f.page["Bearer "+token] = true, f.project[by], r.Header.Get("Origin")
		f.page[by] = r.Header.Get("Origin")
	case "/v1/chat":
		f.counts["POST /v1/chat as "+f.project[by]]++
		if id := apptest.Get(a.body, "conversation_id"); f.owner[id] == "" {
			f.owner[id] = by
		}
		if said := apptest.Get(body, "message"); strings.Contains(said, "isolation test") {
			f.said[f.project[by]] = said
		}
	}
}

// named is the conversation in the request's path that somebody has; "" = none.
func (f *front) named(r *http.Request) string {
	id := strings.TrimPrefix(r.URL.Path, "/v1/conversations/")
	if f.owner[id] == "" {
		return ""
	}
	return id
}

func (f *front) breaks() { f.counts["broken"]++ }

// again has the product answer the request as somebody else.
func (f *front) again(r *http.Request, a *response, as string) {
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", as)
	if origin := f.page[as]; origin != "" {
		out.Header.Set("Origin", origin)
	}
	if b, err := f.pass(out, nil); err == nil && b.status == 200 {
		*a = *b
		f.breaks()
	}
}

// breakers are ways to break isolation, each with the class that has to notice.
func breakers() map[string]*breaker {
	return map[string]*breaker{
		"another's conversation for its id": {class: 2, wrong: "", after: func(f *front, r *http.Request, a *response) {
			if id := f.named(r); id != "" && r.Method == "GET" && a.status == 404 {
				f.again(r, a, f.owner[id])
			}
		}},
		"a word in base64 in a header": {class: 30, wrong: "of the conversation of", after: func(f *front, r *http.Request, a *response) {
			for project, said := range f.said {
				if r.URL.Path == "/v1/models" && a.status == 200 && project != f.project[r.Header.Get("Authorization")] {
					a.header.Set("X-Debug", base64.StdEncoding.EncodeToString([]byte("log: "+said)))
					f.breaks()
				}
			}
		}},
		"a revoked key for a live one": {class: 12, wrong: "served with 200", before: func(f *front, r *http.Request) {
			if by := r.Header.Get("Authorization"); f.revoked[by] && f.live[f.project[by]] != "" && !f.revoked[f.live[f.project[by]]] {
				r.Header.Set("Authorization", f.live[f.project[by]])
				f.breaks()
			}
		}},
		"a tenant by header": {class: 1, wrong: "", before: func(f *front, r *http.Request) {
			if live := f.live[r.Header.Get("X-Tenant")]; live != "" && strings.HasPrefix(r.URL.Path, "/v1/") {
				r.Header.Set("Authorization", live)
				f.breaks()
			}
		}},
		"one idempotency key for all": {class: 25, wrong: "", after: func(f *front, r *http.Request, a *response) {
			key := r.URL.Path + r.Header.Get("Idempotency-Key")
			if r.Header.Get("Idempotency-Key") == "" || a.status != 200 {
				return
			}
			if had := f.under[key]; had != nil {
				a.body = had
				f.breaks()
			}
			f.under[key] = a.body
		}},
		"any origin": {class: 29, wrong: "served with 200", before: func(f *front, r *http.Request) {
			if home := f.page[r.Header.Get("Authorization")]; home != "" && r.Header.Get("Origin") != home {
				r.Header.Set("Origin", home)
				f.breaks()
			}
		}},
		"an operator by header": {class: 30, wrong: "served with 200", before: func(f *front, r *http.Request) {
			if r.Header.Get("X-Forwarded-User") == "admin" && f.live["op"] != "" {
				r.Header.Set("Authorization", f.live["op"])
				f.breaks()
			}
			if by := r.Header.Get("Authorization"); strings.HasPrefix(by, "Bearer op_") && f.live["op"] == "" {
				f.live["op"] = by
			}
		}},
		"an identity that nobody checks": {class: 11, wrong: "served with 200", before: func(f *front, r *http.Request) {
			parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
			if len(parts) != 3 || f.seen[strings.Join(parts, ".")] {
				return
			}
			for token := range f.seen { // whoever it says they are
				if theirs := strings.Split(token, "."); len(theirs) == 3 && theirs[1] == parts[1] {
					r.Header.Set("Authorization", "Bearer "+token)
					f.breaks()
				}
			}
		}},
	}
}

// oracles are ways to tell that another's id is somebody's.
func oracles() map[string]*breaker {
	foreign := func(change func(a *response)) *breaker {
		return &breaker{class: 2, after: func(f *front, r *http.Request, a *response) {
			if f.named(r) != "" && a.status == 404 {
				change(a)
				f.breaks()
			}
		}}
	}
	return map[string]*breaker{
		"status": foreign(func(a *response) { a.status = http.StatusForbidden }),
		"body":   foreign(func(a *response) { a.body = append(a.body, ' ') }),
		"header": foreign(func(a *response) { a.header.Set("X-Cache", "hit") }),
	}
}

// dead are servers that refuse who may ask.
func dead() map[string]*breaker {
	answer := func(a *response, status int) { a.status, a.header, a.body = status, http.Header{}, nil }
	return map[string]*breaker{
		"a route that is away": {class: 2, after: func(f *front, r *http.Request, a *response) {
			if strings.HasPrefix(r.URL.Path, "/v1/models/") {
				answer(a, http.StatusServiceUnavailable)
				f.breaks()
			}
		}},
		"a key that is refused from some time on": {class: 9, after: func(f *front, r *http.Request, a *response) {
			if by := r.Header.Get("Authorization"); f.counts["all"] > 250 && by == f.live["alpha"] {
				answer(a, http.StatusUnauthorized)
				f.breaks()
			}
		}},
		"an operator's route that is away": {class: 23, after: func(f *front, r *http.Request, a *response) {
			if strings.HasSuffix(r.URL.Path, "/versions") {
				answer(a, http.StatusNotFound)
				f.breaks()
			}
		}},
	}
}

// busy is a server that now and then has had enough.
func busy() *breaker {
	return &breaker{after: func(f *front, _ *http.Request, a *response) {
		if n := f.counts["all"]; n == 30 || n == 200 {
			a.status, a.body, a.header = http.StatusTooManyRequests, nil, http.Header{"Retry-After": {"1"}}
		}
	}}
}

// losing is a server whose answer about a key is lost, after the key was made.
func losing() *breaker {
	made := 0
	return &breaker{after: func(_ *front, r *http.Request, a *response) {
		if r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/alpha/keys") {
			if made++; made == 2 {
				a.status, a.body = http.StatusBadGateway, []byte(fmt.Sprint("lost"))
			}
		}
	}}
}
