package runtimetest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// streamedHTTP is the content type of a prelude followed by a body.
const streamedHTTP = "application/vnd.awslambda.http-integration-response"

// maxPrelude is where API Gateway stops to look for the delimiter.
const maxPrelude = 16 << 10

// api is the Runtime API as one bootstrap sees it.
func (f *Function) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", f.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", f.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", f.failure)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", f.initError)
	return mux
}

// next blocks until there is an event.
func (f *Function) next(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if f.readyAt.IsZero() {
		f.readyAt = time.Now()
		close(f.ready)
	}
	f.mu.Unlock()
	select {
	case inv := <-f.invoke:
		f.hand(w, inv)
	case <-r.Context().Done():
	}
}

func (f *Function) hand(w http.ResponseWriter, inv *invocation) {
	deadline := time.Now().Add(f.timeout)
	f.mu.Lock()
	f.handed++
	inv.id = fmt.Sprintf("00000000-0000-4000-8000-%012d", f.handed)
	inv.deadline = time.AfterFunc(f.timeout, func() { f.cmd.Process.Kill() })
	f.inFlight[inv.id] = inv
	f.mu.Unlock()

	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:test")
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0")
	w.Write(inv.event) // a child that is gone is noticed by its exit
}

// take returns the invocation that the request answers, which must be its first
// answer.
func (f *Function) take(w http.ResponseWriter, r *http.Request) (*invocation, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	inv, ok := f.inFlight[r.PathValue("id")]
	if !ok {
		http.Error(w, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return nil, false
	}
	delete(f.inFlight, inv.id)
	return inv, true
}

// response receives an answer and hands it on while it comes.
func (f *Function) response(w http.ResponseWriter, r *http.Request) {
	inv, ok := f.take(w, r)
	if !ok {
		return
	}
	defer inv.deadline.Stop()
	body := bufio.NewReader(r.Body)
	resp := &Response{RequestID: inv.id, ContentType: r.Header.Get("Content-Type")}
	if resp.ContentType == streamedHTTP {
		if err := readPrelude(body, resp); err != nil {
			inv.answered <- answer{err: errors.Join(err, trailerError(r.Trailer))}
			http.Error(w, `{"errorType":"InvalidPrelude"}`, http.StatusBadRequest)
			return
		}
	}
	// A read deadline in the past is the one way to stop a read that has begun.
	control := http.NewResponseController(w)
	a := newArrival(inv.ctx, func() { control.SetReadDeadline(time.Unix(1, 0)) })
	resp.Body, resp.arrival = a, a
	inv.answered <- answer{response: resp}
	if err := a.drain(body, r); err != nil {
		panic(http.ErrAbortHandler) // hang up on whoever was still writing
	}
	w.WriteHeader(http.StatusAccepted)
	io.WriteString(w, `{"status":"OK"}`)
}

// drain takes the body until its end and says how that was.
func (a *arrival) drain(body io.Reader, r *http.Request) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		switch {
		case err == io.EOF:
			a.add(buf[:n], cmp.Or(trailerError(r.Trailer), io.EOF))
			return nil
		case err != nil:
			a.add(buf[:n], io.ErrUnexpectedEOF)
			return err
		}
		a.add(buf[:n], nil)
	}
}

// readPrelude reads up to the eight NUL bytes that end the prelude.
func readPrelude(body *bufio.Reader, resp *Response) error {
	var raw []byte
	delimiter := make([]byte, 8)
	for !bytes.HasSuffix(raw, delimiter) {
		c, err := body.ReadByte()
		if err != nil {
			return fmt.Errorf("runtimetest: the prelude does not end: %w", err)
		}
		if raw = append(raw, c); len(raw) > maxPrelude {
			return errors.New("runtimetest: the prelude is longer than 16 KB")
		}
	}
	var prelude struct {
		StatusCode        int                 `json:"statusCode"`
		Headers           map[string]string   `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
		Cookies           []string            `json:"cookies"`
	}
	if err := json.Unmarshal(raw[:len(raw)-len(delimiter)], &prelude); err != nil {
		return fmt.Errorf("runtimetest: prelude: %w", err)
	}
	resp.StatusCode, resp.Cookies, resp.Header = prelude.StatusCode, prelude.Cookies, make(http.Header)
	for k, v := range prelude.Headers {
		resp.Header.Set(k, v)
	}
	for k, vs := range prelude.MultiValueHeaders {
		resp.Header[http.CanonicalHeaderKey(k)] = vs // it wins over the single one, as in the gateway
	}
	return nil
}

// trailerError is the error that a broken stream ends with, nil for a clean end.
func trailerError(trailer http.Header) error {
	kind := trailer.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		return nil
	}
	fe := &FunctionError{Type: kind}
	body, err := base64.StdEncoding.DecodeString(trailer.Get("Lambda-Runtime-Function-Error-Body"))
	if err == nil {
		err = json.Unmarshal(body, fe)
	}
	if err != nil {
		fe.Message = fmt.Sprintf("unreadable error trailer: %v", err)
	}
	return fe
}

// failure receives an error in place of an answer.
func (f *Function) failure(w http.ResponseWriter, r *http.Request) {
	inv, ok := f.take(w, r)
	if !ok {
		return
	}
	inv.deadline.Stop()
	inv.answered <- answer{err: readError(r)}
	w.WriteHeader(http.StatusAccepted)
}

// initError receives why the process cannot take events; it will exit.
func (f *Function) initError(w http.ResponseWriter, r *http.Request) {
	err := readError(r)
	f.mu.Lock()
	f.initErr = err
	f.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func readError(r *http.Request) *FunctionError {
	fe := new(FunctionError)
	if err := json.NewDecoder(r.Body).Decode(fe); err != nil {
		fe.Message = fmt.Sprintf("unreadable error: %v", err)
	}
	return fe
}
