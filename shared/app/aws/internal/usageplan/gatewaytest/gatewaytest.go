// Package gatewaytest is a small API Gateway: the part of its control plane that deals
// in API keys and usage plans, by its REST protocol.
//
// Tests of usageplan import it. Its one promise: what it refuses, AWS documents as
// refused: a value twice, a key in two plans of one stage, what is not there. It answers
// only what it knows, and any other request is a failure of the test.
package gatewaytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Key is an API key.
type Key struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Value   string `json:"value,omitempty"`
	Enabled bool   `json:"enabled"`
}

// Plan is a usage plan. All are of the one stage.
type Plan struct {
	ID   string   `json:"id"`
	Name string   `json:"name"`
	Keys []string `json:"-"` // ids
}

// Server is the gateway. Its page size is 2, so that nobody forgets the second page.
type Server struct {
	tb  testing.TB
	URL string

	mu     sync.Mutex
	keys   []Key
	plans  []*Plan
	calls  map[string]int // "POST /apikeys"
	before func(call string) (status int, code string)
}

// Start serves until the test ends. plans are the names of usage plans that are there.
func Start(tb testing.TB, plans ...string) *Server {
	s := &Server{tb: tb, calls: map[string]int{}}
	for i, name := range plans {
		s.plans = append(s.plans, &Plan{ID: fmt.Sprintf("plan%d", i), Name: name})
	}
	srv := httptest.NewServer(s)
	tb.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// Before has a function decide about each call, e.g. "POST /apikeys", before it is
// served; status 0 = it is.
func (s *Server) Before(hook func(call string) (status int, code string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = hook
}

// Add puts a key there that somebody else made.
func (s *Server) Add(k Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, k)
}

// Keys are all there are.
func (s *Server) Keys() []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

// PlansOf are the names of the plans that the key is in.
func (s *Server) PlansOf(keyID string) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.plans {
		if slices.Contains(p.Keys, keyID) {
			names = append(names, p.Name)
		}
	}
	return names
}

// Calls is how often a call was made.
func (s *Server) Calls(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	call := r.Method + " /" + part[0]
	if len(part) > 2 {
		call += "/" + part[2]
	}
	s.mu.Lock()
	s.calls[call]++
	before := s.before
	s.mu.Unlock()
	if !strings.Contains(r.Header.Get("Authorization"), "/apigateway/aws4_request") {
		fail(w, 403, "MissingAuthenticationTokenException")
		return
	}
	if before != nil { // without the lock: it may look
		if status, code := before(call); status != 0 {
			fail(w, status, code)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch call {
	case "GET /apikeys":
		s.listKeys(w, r)
	case "POST /apikeys":
		s.createKey(w, r)
	case "GET /usageplans":
		s.listPlans(w, r)
	case "POST /usageplans/keys":
		s.addKey(w, r, part[1])
	case "DELETE /usageplans/keys":
		s.removeKey(w, part[1], part[3])
	default:
		s.tb.Errorf("gatewaytest knows no %s %s", r.Method, r.URL.Path)
		fail(w, 404, "NotFoundException")
	}
}

func (s *Server) listKeys(w http.ResponseWriter, r *http.Request) {
	var found []Key
	for _, k := range s.keys {
		if !strings.HasPrefix(k.Name, r.URL.Query().Get("name")) {
			continue
		}
		if r.URL.Query().Get("includeValues") != "true" {
			k.Value = ""
		}
		found = append(found, k)
	}
	page(w, r, found)
}

func (s *Server) createKey(w http.ResponseWriter, r *http.Request) {
	var k Key
	if json.NewDecoder(r.Body).Decode(&k) != nil || len(k.Value) < 20 || len(k.Value) > 128 {
		fail(w, 400, "BadRequestException")
		return
	}
	if slices.ContainsFunc(s.keys, func(o Key) bool { return o.Value == k.Value }) {
		fail(w, 409, "ConflictException")
		return
	}
	k.ID = fmt.Sprintf("key%d", len(s.keys))
	s.keys = append(s.keys, k)
	answer(w, 201, k)
}

func (s *Server) listPlans(w http.ResponseWriter, r *http.Request) {
	var found []Plan
	for _, p := range s.plans {
		if key := r.URL.Query().Get("keyId"); key == "" || slices.Contains(p.Keys, key) {
			found = append(found, *p)
		}
	}
	page(w, r, found)
}

func (s *Server) addKey(w http.ResponseWriter, r *http.Request, plan string) {
	var in struct{ KeyID, KeyType string }
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.KeyType != "API_KEY" {
		fail(w, 400, "BadRequestException")
		return
	}
	p := s.plan(plan)
	if p == nil || !slices.ContainsFunc(s.keys, func(k Key) bool { return k.ID == in.KeyID }) {
		fail(w, 404, "NotFoundException")
		return
	}
	for _, other := range s.plans { // of the one stage
		if slices.Contains(other.Keys, in.KeyID) {
			fail(w, 409, "ConflictException")
			return
		}
	}
	p.Keys = append(p.Keys, in.KeyID)
	answer(w, 201, map[string]string{"id": in.KeyID, "type": "API_KEY"})
}

func (s *Server) removeKey(w http.ResponseWriter, plan, key string) {
	p := s.plan(plan)
	if p == nil || !slices.Contains(p.Keys, key) {
		fail(w, 404, "NotFoundException")
		return
	}
	p.Keys = slices.DeleteFunc(p.Keys, func(k string) bool { return k == key })
	w.WriteHeader(202)
}

func (s *Server) plan(id string) *Plan {
	if i := slices.IndexFunc(s.plans, func(p *Plan) bool { return p.ID == id }); i >= 0 {
		return s.plans[i]
	}
	return nil
}

// page answers with two of all, and where to go on.
func page[T any](w http.ResponseWriter, r *http.Request, all []T) {
	from, _ := strconv.Atoi(r.URL.Query().Get("position"))
	to := min(from+2, len(all))
	out := map[string]any{"item": all[min(from, to):to]}
	if to < len(all) {
		out["position"] = strconv.Itoa(to)
	}
	answer(w, 200, out)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Amzn-Errortype", code)
	answer(w, status, map[string]string{"message": "by gatewaytest"})
}
