package auth_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant/auth"
)

// run serves one request of the stream route into w.
func (d *door) run(text string, w http.ResponseWriter) {
	r := httptest.NewRequest("GET", "/stream", nil)
	r.Header.Set("Authorization", "Bearer "+text)
	d.ServeHTTP(w, r)
}

func TestEventsArriveWholeAndInOrder(t *testing.T) {
	t.Parallel()
	odd := []string{"", " ", "a", " leading", "trailing ", "data: x", ": comment", "event: done", "id: 1", "\x00", "\u2028\u2029",
		"\xff", "é😀", strings.Repeat("long", 100_000), "\\n", "a\nb", "a\n\nevent: done\ndata: {}\n\n", "\r", "\r\n", "a\r\nb\rc\n"}
	var want []event
	d := newDoor(t, stream(func(_ context.Context, out *auth.Reply) error {
		out.Events()
		out.Events() // the second is no second stream
		for i := range 200 {
			out.Event("delta", fmt.Appendf(nil, "%d", i))
		}
		for _, s := range odd {
			out.Event("odd", []byte(s))
			out.Data([]byte(s))
		}
		return nil
	}))
	for i := range 200 {
		want = append(want, event{"delta", fmt.Sprint(i)})
	}
	for _, s := range odd {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
		want = append(want, event{"odd", s}, event{"", s})
	}
	_, text := d.issue(t, auth.Credential{})
	server := httptest.NewServer(d)
	defer server.Close()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/stream", nil)
	r.Header.Set("X-Api-Key", text)
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	h := res.Header
	if h.Get("Content-Type") != "text/event-stream; charset=utf-8" || h.Get("Cache-Control") != "no-store" || h.Get("X-Request-Id") == "" {
		t.Errorf("headers %v", h)
	}
	got := events(string(raw))
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%d events, want %d; the first that differs is number %d", len(got), len(want), i)
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("{}"), []byte("a\n\nevent: x\r\n"))
	f.Add([]byte{}, []byte("\r"))
	handler := make(chan [2][]byte, 1)
	d := newDoor(f, stream(func(_ context.Context, out *auth.Reply) error {
		in := <-handler
		out.Events()
		out.Event("first", in[0])
		out.Data(in[1])
		return nil
	}))
	_, text := d.issue(f, auth.Credential{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		handler <- [2][]byte{a, b}
		w := newWire()
		d.run(text, w)
		lines := strings.NewReplacer("\r\n", "\n", "\r", "\n")
		got := events(w.text())
		if len(got) != 2 || got[0] != (event{"first", lines.Replace(string(a))}) || got[1] != (event{"", lines.Replace(string(b))}) {
			t.Errorf("%q and %q arrived as %q", a, b, got)
		}
	})
}

// A silent stream says that it is alive within 15 seconds, again and again, and
// not before its first silence.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := newDoor(t, stream(func(_ context.Context, out *auth.Reply) error {
			out.Events()
			<-release
			out.Event("done", []byte("{}"))
			return nil
		}))
		_, text := d.issue(t, auth.Credential{})
		w := newWire()
		var wg sync.WaitGroup
		wg.Go(func() { d.run(text, w) })
		synctest.Wait()
		if w.text() != "" {
			t.Errorf("sent before there was anything to say: %q", w.text())
		}
		for n := 1; n <= 20; n++ {
			time.Sleep(15 * time.Second)
			synctest.Wait()
			if got := events(w.text()); len(got) < n || got[len(got)-1].name != ":" {
				t.Fatalf("after %d s: %q", 15*n, got)
			}
			if left := w.left(); left <= 0 || left > time.Minute {
				t.Errorf("the write deadline is %v away", left)
			}
		}
		close(release)
		wg.Wait()
		if got := events(w.text()); got[len(got)-1] != (event{"done", "{}"}) {
			t.Errorf("last: %q", got[len(got)-1])
		}
	})
}

// A client that reads slowly holds its handler, not the process's memory.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, n = 1000, 2000
		sent := 0
		d := newDoor(t, stream(func(_ context.Context, out *auth.Reply) error {
			out.Events()
			for range n {
				out.Data(bytes.Repeat([]byte("x"), size))
				sent++
			}
			return nil
		}))
		_, text := d.issue(t, auth.Credential{})
		w := newWire()
		w.hold = make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { d.run(text, w) })
		synctest.Wait()
		if most := auth.MaxUnsent/size + 1; sent == 0 || sent > most {
			t.Errorf("%d events were taken from the handler; at most %d", sent, most)
		}
		close(w.hold)
		wg.Wait()
		if got := len(events(w.text())); sent != n || got != n {
			t.Errorf("%d sent, %d arrived, want %d", sent, got, n)
		}
	})
}

// A client that is gone does not hold its handler, whatever is still to say.
func TestGoneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, stream(func(_ context.Context, out *auth.Reply) error {
			out.Events()
			for range 5000 {
				out.Event("delta", bytes.Repeat([]byte("x"), 1000))
			}
			time.Sleep(time.Minute) // heartbeats go nowhere
			out.Event("done", []byte("{}"))
			return nil
		}))
		_, text := d.issue(t, auth.Credential{})
		w := newWire()
		w.err, w.slow = os.ErrDeadlineExceeded, 30*time.Second // the first write ends at its deadline
		began := time.Now()
		d.run(text, w)
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("the handler was held for %v", took)
		}
	})
}

// Events that are ready together go out together, when the handler says so.
func TestBurstIsOneFlush(t *testing.T) {
	t.Parallel()
	w := newWire()
	d := newDoor(t, stream(func(_ context.Context, out *auth.Reply) error {
		out.Flush() // there is nothing yet
		out.Events()
		out.Flush()
		for range 100 {
			out.Event("delta", []byte(`{"text":"x"}`))
		}
		if w.text() != "" {
			t.Error("sent before the flush")
		}
		out.Flush()
		if got := len(events(w.text())); got != 100 || w.flushed() != 1 {
			t.Errorf("%d events in %d flushes", got, w.flushed())
		}
		out.Event("done", []byte("{}"))
		return nil
	}))
	_, text := d.issue(t, auth.Credential{})
	d.run(text, w)
	if got := len(events(w.text())); got != 101 || w.flushed() != 2 {
		t.Errorf("%d events in %d flushes", got, w.flushed())
	}
}

// What a handler does not flush goes out with the heartbeat: a handler that waits
// for a model that never pauses is no reason to withhold what it has said.
func TestHeartbeatFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		d := newDoor(t, stream(func(_ context.Context, out *auth.Reply) error {
			out.Events()
			out.Event("delta", []byte("{}"))
			time.Sleep(15 * time.Second)
			if got := events(w.text()); len(got) != 1 || got[0] != (event{"delta", "{}"}) {
				t.Errorf("after 15 s: %q", got)
			}
			return nil
		}))
		_, text := d.issue(t, auth.Credential{})
		d.run(text, w)
	})
}

// A stream of which nothing was sent can still become an error with a status; one
// that has begun cannot.
func TestAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name   string
			during func(*auth.Reply)
			code   int
		}{
			{"nothing was said", func(*auth.Reply) {}, 409},
			{"what was said was not sent", func(out *auth.Reply) { out.Data([]byte("{}")) }, 409},
			{"it was sent", func(out *auth.Reply) { out.Data([]byte("{}")); out.Flush() }, 200},
			{"a heartbeat was sent", func(*auth.Reply) { time.Sleep(15 * time.Second) }, 200},
		} {
			d := newDoor(t, stream(func(_ context.Context, out *auth.Reply) error {
				out.Events()
				if c.during(out); out.Abandon() {
					return problem.New(problem.Conflict, "test", "Later.")
				}
				out.Event("error", []byte("{}"))
				return nil
			}))
			_, text := d.issue(t, auth.Credential{})
			w := ask(d, "GET", "/stream", "", "Authorization", "Bearer "+text)
			if w.Code != c.code || (c.code == 409) != strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") {
				t.Errorf("%s: %d %v %q", c.name, w.Code, w.Header(), w.Body)
			}
			if ended := strings.Contains(w.Body.String(), "event: error"); ended != (c.code == 200) {
				t.Errorf("%s: %q", c.name, w.Body)
			}
		}
	})
}

// cutShort reports how an answer over a real connection ended.
func cutShort(t *testing.T, h http.Handler, text string) (body string, err error) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = nil
	server.Start()
	defer server.Close()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /stream HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\n\r\n", text)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

// What failed after it began never looks like a whole answer.
func TestBrokenStreamHasNoEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func() error{
		"panic": func() error { panic("half way") },
		"abort": func() error { panic(http.ErrAbortHandler) },
		"error": func() error { return errors.New("half way") },
		"fine":  func() error { return nil },
	} {
		d := newDoor(t, stream(func(_ context.Context, out *auth.Reply) error {
			out.Events()
			out.Event("delta", []byte("{}"))
			return end()
		}))
		_, text := d.issue(t, auth.Credential{})
		body, err := cutShort(t, d, text)
		if name == "fine" != (err == nil) || len(events(body)) < 1 {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
}

// A stream that fails before its first event is answered with a problem.
func TestStreamFailsBeforeItBegins(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(out *auth.Reply) error{
		"panic":                  func(*auth.Reply) error { panic("early") },
		"error":                  func(*auth.Reply) error { return errors.New("early") },
		"nothing":                func(*auth.Reply) error { return nil },
		"another kind of answer": func(out *auth.Reply) error { return out.JSON("x") },
	} {
		d := newDoor(t, stream(func(_ context.Context, out *auth.Reply) error {
			out.Events()
			return end(out)
		}))
		_, text := d.issue(t, auth.Credential{})
		w := ask(d, "GET", "/stream", "", "Authorization", "Bearer "+text)
		if problemOf(t, w, 500); strings.Contains(w.Body.String(), "early") {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}

func TestJSONIsMended(t *testing.T) {
	t.Parallel()
	d := newDoor(t, stream(func(_ context.Context, out *auth.Reply) error { return out.JSON(map[string]string{"text": "a\xffb"}) }))
	_, text := d.issue(t, auth.Credential{})
	w := ask(d, "GET", "/stream", "", "Authorization", "Bearer "+text)
	if wantStatus(t, w, 200); w.Body.String() != `{"text":"a`+"\ufffd"+`b"}` {
		t.Errorf("%q", w.Body)
	}
}
