// Package modeltest is a language model without a model: a server that speaks the
// providers' true wire formats from a script, and the conformance suite that
// every driver of shared/model passes against it.
//
// Tests and the benchmark import it; nothing that ships does. Its one promise:
// what it sends is what the provider would send, byte shapes and all, so a driver
// that passes here has met its provider's protocol.
package modeltest

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"switchboard/shared/model"
)

// Step is one thing the scripted provider does. Exactly one of Text, ToolCall,
// Usage, Stop, Fail, Hang and Cut is set; Delay and Wait come before it.
type Step struct {
	Text     string          // one text chunk on the wire
	ToolCall *model.ToolCall // sent as the provider does: name first, arguments in pieces
	Usage    *model.Usage    // the provider's usage frame
	Stop     model.Stop      // the provider's finish reason
	Fail     *Failure        // as the first step an HTTP status; later a mid-stream error frame
	Hang     bool            // say nothing until the client goes away
	Cut      bool            // close the connection at once

	Delay time.Duration   // wait so long first
	Wait  <-chan struct{} // wait until it is closed first
}

// Failure is an error in the provider's own format.
type Failure struct {
	Status     int    // HTTP status, used where nothing has been sent yet
	RetryAfter string // value of the Retry-After header, "" for none
	Code       string // the provider's error type or code; "" = its usual one for Status
	Message    string
}

// Script is what the server does with one call, in order.
type Script []Step

// Call is one request the server received.
type Call struct {
	Provider string // "openai", "anthropic" or "bedrock"
	Model    string
	Streamed bool
	System   string // all system text
	User     string // text of the last user message
	Header   http.Header
	Body     []byte
}

// Server answers the three providers' requests from scripts.
type Server struct {
	respond func(Call) Script

	mu    sync.Mutex
	calls []Call
}

// NewServer returns a Server; respond gives the script for each call. It is
// called from many goroutines.
func NewServer(respond func(Call) Script) *Server { return &Server{respond: respond} }

// Calls returns the calls received so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// maxRecorded bounds what a long benchmark keeps.
const maxRecorded = 10_000

func (s *Server) record(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) < maxRecorded {
		s.calls = append(s.calls, c)
	}
}

// ServeHTTP speaks the wire format that the path belongs to.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/chat/completions"):
		s.serveOpenAI(w, r, body)
	case strings.HasSuffix(r.URL.Path, "/v1/messages"):
		s.serveAnthropic(w, r, body)
	case strings.HasSuffix(r.URL.Path, "/converse-stream"):
		s.serveBedrock(w, r, body)
	default:
		http.NotFound(w, r)
	}
}

// pause does a step's waiting. It reports whether the client is still there.
func (st Step) pause(r *http.Request) bool {
	if st.Delay > 0 {
		timer := time.NewTimer(st.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return false
		}
	}
	if st.Wait != nil {
		select {
		case <-st.Wait:
		case <-r.Context().Done():
			return false
		}
	}
	if st.Hang {
		<-r.Context().Done()
		return false
	}
	return true
}

// cut closes the connection without ending the response.
func cut() { panic(http.ErrAbortHandler) }
