package lambdahost_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/host/lambdahost"
)

// held is more than a stream takes of a handler whose client does not read.
var held = make([]byte, 100<<10)

// TestAWriteEndsAtItsDeadline: a client that does not read holds the handler for as
// long as the handler says, and what it has then does not look whole.
func TestAWriteEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		resp := answer(t, request(t, "GET", "/"), func(w http.ResponseWriter, _ *http.Request) {
			begin, rc := time.Now(), http.NewResponseController(w)
			if err := rc.SetWriteDeadline(begin.Add(30 * time.Second)); err != nil {
				t.Error(err)
			}
			n, err := w.Write(held)
			if took := time.Since(begin); n != 64<<10 || !errors.Is(err, os.ErrDeadlineExceeded) || took != 30*time.Second {
				t.Errorf("Write: %d, %v after %v", n, err, took)
			}
			if err := rc.Flush(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Flush: %v", err)
			}
			rc.SetWriteDeadline(time.Now().Add(time.Hour))
			if n, err := w.Write(held[:1]); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a deadline that was met was extended: %d, %v", n, err)
			}
		})
		synctest.Wait()
		time.Sleep(31 * time.Second)
		body, err := io.ReadAll(resp.Body)
		if len(body) != 64<<10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the reader got %d bytes, %v", len(body), err)
		}
		resp.Close()
	})
}

// TestAWriteDeadlineCanBeMoved: while the write waits, too, and a deadline that no
// write met is no harm.
func TestAWriteDeadlineCanBeMoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		resp := answer(t, request(t, "GET", "/"), func(w http.ResponseWriter, _ *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetWriteDeadline(time.Now().Add(time.Second))
			time.Sleep(2 * time.Second)
			rc.SetWriteDeadline(time.Now().Add(time.Second))
			time.AfterFunc(time.Second/2, func() { rc.SetWriteDeadline(time.Time{}) })
			if n, err := w.Write(held); n != len(held) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		})
		time.Sleep(time.Hour)
		if got := finish(t, resp); len(got) != len(held) {
			t.Errorf("%d bytes arrived", len(got))
		}
	})
}

// TestNoWriteWaitsPastTheContext: near Lambda's deadline the handler gets free to
// store what it has, whatever its client does. While there is room it may still say
// its last words.
func TestNoWriteWaitsPastTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		resp, err := lambdahost.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := w.Write(held)
			if took := time.Since(begin); n != 64<<10 || err != lambdahost.ErrDeadline || took != 57*time.Second {
				t.Errorf("Write: %d, %v after %v", n, err, took)
			}
		}))(ctx, request(t, "GET", "/"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(58 * time.Second)
		synctest.Wait()
		if body, err := io.ReadAll(resp.Body); len(body) != 64<<10 || err != lambdahost.ErrDeadline {
			t.Errorf("the reader got %d bytes, %v", len(body), err)
		}
		resp.Close()
	})
}
