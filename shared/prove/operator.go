package prove

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	adminProjects = "/admin/v1/projects"
	adminProject  = adminProjects + "/{project}"
)

// operator does through the admin API what has to be there before the attacks, and what
// has to be gone after them.
type operator struct {
	*identity
	wire *wire
	life time.Time // when every key ends by itself

	mu     sync.Mutex
	served map[string]bool // patterns that were served: the controls of the admin API
}

// do makes a request of an admin route and reads the answer into v. path fills the
// pattern's wildcards in order.
func (o *operator) do(ctx context.Context, pattern string, path []string, body, v any) error {
	method, target, _ := strings.Cut(pattern, " ")
	for _, part := range path {
		from, to := strings.IndexByte(target, '{'), strings.IndexByte(target, '}')
		target = target[:from] + url.PathEscape(part) + target[to+1:]
	}
	a := &attempt{who: o.identity, method: method, target: target}
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		a.body = string(text)
	}
	return o.send(ctx, pattern, a, v)
}

func (o *operator) send(ctx context.Context, pattern string, a *attempt, v any) error {
	r := o.wire.send(ctx, a)
	if r.err != nil {
		return fmt.Errorf("%s: %w", pattern, r.err)
	}
	if r.status != 200 {
		return fmt.Errorf("%s is answered %d: %s", pattern, r.status, detailOf(r.body))
	}
	o.mu.Lock()
	o.served[strings.SplitN(pattern, "?", 2)[0]] = true
	o.mu.Unlock()
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		return fmt.Errorf("%s: the answer is not the one expected: %w", pattern, err)
	}
	return nil
}

// detailOf is what a problem says to people.
func detailOf(body []byte) string {
	var p struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &p) != nil || p.Detail == "" {
		return "no explanation"
	}
	return p.Detail
}

// company is what is asked of a company before it is proven.
type company struct {
	ID         string   `json:"id"`
	Status     string   `json:"status"`
	Assistants []string `json:"assistants"`
	Manifest   struct {
		Origins []string `json:"origins"`
	} `json:"manifest"`
}

// look reads the company that is to be proven.
func (o *operator) look(ctx context.Context, id string) (c company, err error) {
	if err = o.do(ctx, "GET "+adminProject, []string{id}, nil, &c); err != nil {
		return c, err
	}
	switch {
	case c.Status != "active":
		return c, fmt.Errorf("the project is %s; only one that is served can be proven", cmp.Or(c.Status, "of no known status"))
	case len(c.Assistants) == 0:
		return c, errors.New("the project has no assistant; there is nothing to ask")
	}
	return c, nil
}

// key is a credential of a company as the admin API shows it.
type key struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Text   string `json:"key"`
}

// keyName begins the name of every key that this package makes, by which they are found
// again at the end.
const keyName = "switchboard-prove"

// issue makes a key that ends by itself, should nobody revoke it.
func (o *operator) issue(ctx context.Context, s *side, kind, role string) (k key, err error) {
	body := map[string]any{"kind": kind, "name": s.keyName, "expires_at": o.life.UTC().Format(time.RFC3339)}
	if role != "" {
		body["role"] = role
	}
	err = o.do(ctx, "POST "+adminProject+"/keys", []string{s.project}, body, &k)
	return k, err
}

func (o *operator) revoke(ctx context.Context, s *side, id string) error {
	return o.do(ctx, "DELETE "+adminProject+"/keys/{key}", []string{s.project, id}, nil, nil)
}

// keys returns all of a company's.
func (o *operator) keys(ctx context.Context, s *side) (all []key, err error) {
	const pages = 200 // 20,000 keys
	cursor := ""
	for range pages {
		var page struct {
			Data []key   `json:"data"`
			Next *string `json:"next_cursor"`
		}
		a := &attempt{who: o.identity, method: "GET", target: adminProjects + "/" + s.project + "/keys?limit=100" + cursor}
		if err := o.send(ctx, "GET "+adminProject+"/keys", a, &page); err != nil {
			return all, err
		}
		all = append(all, page.Data...)
		if page.Next == nil {
			return all, nil
		}
		cursor = "&cursor=" + url.QueryEscape(*page.Next)
	}
	return all, errors.New("the project has too many keys to be looked through")
}

// create makes a company of these files.
func (o *operator) create(ctx context.Context, s *side, name string, files map[string]string) error {
	if err := o.do(ctx, "POST "+adminProjects, nil, map[string]any{"id": s.project, "name": name, "origins": []string{s.origin}}, nil); err != nil {
		return err
	}
	s.made = true
	var now struct {
		Files map[string]string `json:"files"`
	}
	if err := o.do(ctx, "GET "+adminProject+"/files", []string{s.project}, nil, &now); err != nil {
		return err
	}
	for name, text := range now.Files { // the manifest
		files[name] = text
	}
	hashes := map[string]string{}
	for name, text := range files {
		sum := sha256.Sum256([]byte(text))
		hashes[name] = hex.EncodeToString(sum[:])
	}
	return o.do(ctx, "PUT "+adminProject+"/files", []string{s.project}, map[string]any{"hashes": hashes, "files": files, "force": true}, nil)
}

func (o *operator) suspend(ctx context.Context, s *side, why string) error {
	return o.do(ctx, "POST "+adminProject+"/suspend", []string{s.project}, map[string]any{"reason": why}, nil)
}

// exercise has the operator served by every other route of the admin API, on a canary:
// what is refused to companies is so beside this. A step that fails leaves a route without
// its control.
func (o *operator) exercise(ctx context.Context, s *side) (failed []error) {
	const assistants, assistant = adminProject + "/assistants", adminProject + "/assistants/{assistant}"
	type object = map[string]any
	p := []string{s.project}
	steps := []struct {
		pattern string
		path    []string
		body    object
	}{
		{"GET " + adminProjects, nil, nil},
		{"PATCH " + adminProject, p, object{"kind": "client"}},
		{"GET " + adminProject + "/versions", p, nil},
		{"POST " + adminProject + "/rollback", p, object{"version": 1}},
		{"POST " + adminProject + "/suspend", p, object{"reason": "to see that it can be"}},
		{"POST " + adminProject + "/resume", p, nil},
		{"POST " + adminProject + "/users/{user}/suspend", []string{s.project, "visitor:~nobody"}, nil},
		{"POST " + adminProject + "/users/{user}/resume", []string{s.project, "visitor:~nobody"}, nil},
		{"GET " + assistants, p, nil},
		{"POST " + assistants, p, object{"id": "spare-desk", "name": "Spare", "instructions": "You answer."}},
		{"GET " + assistant, []string{s.project, "spare-desk"}, nil},
		{"PATCH " + assistant, []string{s.project, "spare-desk"}, object{"name": "Spare desk"}},
		{"GET " + assistant + "/versions", []string{s.project, "spare-desk"}, nil},
		{"POST " + assistant + "/rollback", []string{s.project, "spare-desk"}, object{"version": 1}},
		{"DELETE " + assistant, []string{s.project, "spare-desk"}, nil},
	}
	if _, err := o.keys(ctx, s); err != nil {
		failed = append(failed, err)
	}
	for _, step := range steps {
		var body any
		if step.body != nil {
			body = step.body
		}
		if err := o.do(ctx, step.pattern, step.path, body, nil); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}
