package httphost_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/host/httphost"
)

// line is a listener with one connection, over which nothing goes that is not read.
type line struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *line) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *line) Close() error   { close(l.done); return nil }
func (l *line) Addr() net.Addr { return &net.TCPAddr{} }

// TestAStopWaitsForNoReader: a handler whose client does not read is free, while
// there is time, to store what it has.
func TestAStopWaitsForNoReader(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]bool{"with a deadline of its own": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { stopUnread(t, set) })
		})
	}
}

func stopUnread(t *testing.T, set bool) {
	client, server := net.Pipe()
	defer client.Close()
	l := &line{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	l.conns <- server
	ctx, cancel := context.WithCancel(t.Context())
	stored := time.Duration(0)
	served := make(chan error)
	go func() {
		served <- httphost.Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begin := time.Now()
			for i := range 2 { // the second begins after the stop
				if set {
					http.NewResponseController(w).SetWriteDeadline(time.Now().Add(30 * time.Second))
				}
				_, err := w.Write(make([]byte, 1<<20))
				if !errors.Is(err, os.ErrDeadlineExceeded) || context.Cause(r.Context()) != httphost.ErrStopping {
					t.Errorf("Write %d: %v, cause %v", i, err, context.Cause(r.Context()))
				}
			}
			stored = time.Since(begin)
		}), nil)
	}()
	fmt.Fprint(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	synctest.Wait()
	cancel()
	err := <-served
	if err != nil || stored == 0 || stored > 22*time.Second {
		t.Errorf("Serve: %v, the handler was free after %v", err, stored)
	}
	io.Copy(io.Discard, client)
}
