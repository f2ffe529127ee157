// Package dynamotest is a stand-in for Amazon DynamoDB, for tests on a machine
// that has Go and nothing else.
//
// Tests of dynamotable and of what is built on it import it. It speaks DynamoDB's
// wire protocol (JSON 1.0 over HTTP) and knows the part of it that dynamotable
// uses: items of strings, whole numbers and binaries in tables of pk and sk,
// conditions, updates, queries, transactions, streams, and what each costs. What
// it does not know it refuses by name, so that a test cannot pass on a feature
// that is not there. Its one promise is modest: it is strict where DynamoDB is
// strict. It is not the judge. DynamoDB Local is, in `make verify`, and where the
// two differ this package is wrong. Known to be missing: page limits by size in
// streams, throttling of its own accord, and deletion of expired items.
package dynamotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Server is a running stand-in. Its methods are safe for concurrent use.
type Server struct {
	mu     sync.Mutex
	tables map[string]*table
	tokens map[string]string // ClientRequestToken -> the request it named
	calls  map[string]int
	hook   func(Call) Fault
	units  Units
	seq    int64
}

// Units are capacity units, counted for every request that was billed: those
// whose condition failed as well, of which DynamoDB itself reports nothing.
type Units struct{ Read, Write float64 }

// Start runs a Server until the test ends and returns its endpoint.
func Start(t testing.TB) (endpoint string, s *Server) {
	s = &Server{tables: map[string]*table{}, tokens: map[string]string{}, calls: map[string]int{}}
	hs := httptest.NewServer(s)
	t.Cleanup(hs.Close)
	return hs.URL, s
}

// Calls returns how many requests of the operation arrived, e.g. "PutItem"; those
// that a Fault refused count too.
func (s *Server) Calls(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// Units returns what was consumed so far.
func (s *Server) Units() Units {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.units
}

// operation answers one kind of request; it is called with s.mu held.
type operation func(s *Server, body []byte) (any, error)

// answer adapts a typed handler. A field that it does not know is refused.
func answer[In any](fn func(*Server, *In) (any, error)) operation {
	return func(s *Server, body []byte) (any, error) {
		in := new(In)
		dec := json.NewDecoder(strings.NewReader(string(body)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(in); err != nil {
			if f, ok := errors.AsType[*failure](err); ok {
				return nil, f
			}
			return nil, &failure{Type: "SerializationException", Message: "dynamotest: " + err.Error()}
		}
		return fn(s, in)
	}
}

// operations by the X-Amz-Target header.
var operations = map[string]operation{
	"DynamoDB_20120810.CreateTable":             answer((*Server).createTable),
	"DynamoDB_20120810.DescribeTable":           answer((*Server).describeTable),
	"DynamoDB_20120810.UpdateTimeToLive":        answer((*Server).updateTimeToLive),
	"DynamoDB_20120810.GetItem":                 answer((*Server).getItem),
	"DynamoDB_20120810.PutItem":                 answer((*Server).putItem),
	"DynamoDB_20120810.UpdateItem":              answer((*Server).updateItem),
	"DynamoDB_20120810.DeleteItem":              answer((*Server).deleteItem),
	"DynamoDB_20120810.Query":                   answer((*Server).query),
	"DynamoDB_20120810.TransactWriteItems":      answer((*Server).transactWriteItems),
	"DynamoDBStreams_20120810.ListStreams":      answer((*Server).listStreams),
	"DynamoDBStreams_20120810.DescribeStream":   answer((*Server).describeStream),
	"DynamoDBStreams_20120810.GetShardIterator": answer((*Server).getShardIterator),
	"DynamoDBStreams_20120810.GetRecords":       answer((*Server).getRecords),
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	target := r.Header.Get("X-Amz-Target")
	_, op, _ := strings.Cut(target, ".")
	fault := s.arrived(op)
	if !fault.wait(r.Context()) {
		return
	}
	if f := fault.failure(); f != nil {
		respond(w, nil, f)
		return
	}
	out, err := s.handle(target, body)
	if fault.DropReply {
		hangUp(w)
		return
	}
	respond(w, out, err)
}

func (s *Server) handle(target string, body []byte) (any, error) {
	do, ok := operations[target]
	if !ok {
		return nil, &failure{Type: "UnknownOperationException", Message: "dynamotest does not know " + target}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return do(s, body)
}

// failure is an error as DynamoDB sends it.
type failure struct {
	Status  int                  `json:"-"` // 0 = 400
	Type    string               `json:"__type"`
	Message string               `json:"message"`
	Item    item                 `json:"Item,omitempty"`
	Reasons []cancellationReason `json:"CancellationReasons,omitempty"`
}

type cancellationReason struct {
	Code    string
	Message string `json:",omitempty"`
	Item    item   `json:",omitempty"`
}

func (f *failure) Error() string { return f.Type + ": " + f.Message }

// invalid is the refusal of a request that is not well formed.
func invalid(format string, args ...any) *failure {
	return &failure{Type: "ValidationException", Message: fmt.Sprintf(format, args...)}
}

func respond(w http.ResponseWriter, out any, err error) {
	status := http.StatusOK
	if err != nil {
		f, ok := err.(*failure)
		if !ok {
			f = &failure{Status: http.StatusInternalServerError, Type: "InternalServerError", Message: err.Error()}
		}
		status = f.Status
		if status == 0 {
			status = http.StatusBadRequest
		}
		sent := *f
		sent.Type = "com.amazonaws.dynamodb.v20120810#" + f.Type
		out = &sent
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(err) // our own types; the test should see it
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)) // the SDK checks it
	w.WriteHeader(status)
	w.Write(body)
}
