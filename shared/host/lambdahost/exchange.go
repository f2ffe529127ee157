package lambdahost

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// exchange is one request and its answer: an http.ResponseWriter for the handler,
// the response's body for the Runtime API's client. It lives for one event.
type exchange struct {
	stream

	request *http.Request
	stop    context.CancelCauseFunc // ends the request's context

	// The handler's alone until begun is closed, the reader's too from then on.
	header    http.Header // what the handler edits
	sent      http.Header // what WriteHeader saw of it
	status    int
	wrote     bool // WriteHeader was called, or implied
	committed bool // begun is closed: status and sent are on their way

	begun chan struct{} // closed when the prelude may go out
	done  chan struct{} // closed when the handler has ended, however it did
}

var (
	_ http.ResponseWriter = (*exchange)(nil)
	_ http.Flusher        = (*exchange)(nil)
	_ io.ReadCloser       = (*exchange)(nil)
)

func newExchange(stop context.CancelCauseFunc, r *http.Request) *exchange {
	x := &exchange{
		request: r, stop: stop, header: make(http.Header),
		begun: make(chan struct{}), done: make(chan struct{}),
	}
	x.ctx, x.changed.L = r.Context(), &x.mu
	return x
}

// Header returns the header that the first write will send.
func (x *exchange) Header() http.Header { return x.header }

// WriteHeader fixes status and header. They go out with the first byte, so that a
// handler that panics before it is answered for with a problem.
func (x *exchange) WriteHeader(status int) {
	if status < 100 || status > 999 { // as net/http has it
		panic(fmt.Sprintf("lambdahost: invalid status %d", status))
	}
	if x.wrote || status < 200 { // the prelude has no place for an informational answer
		return
	}
	x.wrote, x.status, x.sent = true, status, outgoing(x.header)
}

// Write sends p, waiting while the reader is more than [streamBuffer] behind.
func (x *exchange) Write(p []byte) (int, error) {
	if !x.wrote {
		if _, typed := x.header["Content-Type"]; !typed && len(p) > 0 {
			x.header.Set("Content-Type", http.DetectContentType(p))
		}
		x.WriteHeader(http.StatusOK)
	}
	if x.status == http.StatusNoContent || x.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	if len(p) == 0 {
		return 0, nil
	}
	x.commit()
	if x.request.Method == http.MethodHead {
		return len(p), nil
	}
	return x.stream.Write(p)
}

// Flush sends the header if it has not gone yet. Bytes never wait for it.
func (x *exchange) Flush() { x.FlushError() }

// FlushError is Flush for http.ResponseController.
func (x *exchange) FlushError() error {
	x.WriteHeader(http.StatusOK)
	x.commit()
	return x.stream.err()
}

// Close is the Runtime API's client letting go of the body. After a whole answer
// nothing is left to do. Before its end the client is gone: the handler is told
// and awaited, because Lambda freezes the process after this and what the handler
// still had to store would be lost.
func (x *exchange) Close() error {
	x.stop(ErrClientGone)
	x.abandon()
	<-x.done
	return nil
}

// commit lets the prelude go.
func (x *exchange) commit() {
	if !x.committed {
		x.committed = true
		close(x.begun)
	}
}

// finish ends the answer of a handler that returned.
func (x *exchange) finish() {
	x.WriteHeader(http.StatusOK)
	x.commit()
	x.end(io.EOF)
}

// outgoing is the header as the prelude may carry it. The gateway frames the
// stream itself, so what speaks of a connection, or of a length, is not ours to
// say; a line break in a value must not begin another header.
func outgoing(h http.Header) http.Header {
	out := h.Clone()
	for _, hop := range []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Trailer", "Upgrade", "Content-Length"} {
		out.Del(hop)
	}
	for name, values := range out {
		if !isToken(name) {
			delete(out, name)
			continue
		}
		for i, v := range values {
			values[i] = strings.NewReplacer("\r", " ", "\n", " ").Replace(v)
		}
	}
	return out
}
