package dynamotest

import (
	"context"
	"net/http"
)

// Call is one request that arrived.
type Call struct {
	Op string // e.g. "PutItem"
	N  int    // how many of this operation have arrived, this one included
}

// Fault is what becomes of a request. The zero Fault lets it through.
type Fault struct {
	// Code refuses the request with this error, e.g. "ThrottlingException", before
	// anything is applied.
	Code   string
	Status int // of Code; 0 = 400
	// Reasons are the codes of a TransactionCanceledException.
	Reasons []string
	// DropReply applies the request and closes the connection without an answer.
	DropReply bool
	// Wait, if set, holds the request until it is closed or the client has gone,
	// and in the second case applies nothing.
	Wait <-chan struct{}
}

// OnCall sets what decides about each request from now on; nil lets all through.
// It is called in the order of arrival, one at a time.
func (s *Server) OnCall(hook func(Call) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// arrived counts a request and asks the hook about it.
func (s *Server) arrived(op string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[op]++
	if s.hook == nil {
		return Fault{}
	}
	return s.hook(Call{Op: op, N: s.calls[op]})
}

// wait reports false if the client went away.
func (f Fault) wait(ctx context.Context) bool {
	if f.Wait == nil {
		return true
	}
	select {
	case <-f.Wait:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f Fault) failure() error {
	if f.Code == "" {
		return nil
	}
	reasons := make([]cancellationReason, len(f.Reasons))
	for i, code := range f.Reasons {
		reasons[i].Code = code
	}
	return &failure{Status: f.Status, Type: f.Code, Message: "injected by a test", Reasons: reasons}
}

// hangUp closes the connection, so that the client sees its request answered by
// nothing at all.
func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}
