package redissession_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"switchboard/shared/seal"
	"switchboard/shared/session/redissession"
	"switchboard/shared/session/sessiontest"
)

// slow is a Redis whose answers a test can hold back, over connections that are
// counted. Nothing of it is real time: it lives in a bubble.
type slow struct {
	server *miniredis.Miniredis
	mu     sync.Mutex
	hold   string        // the answer to the next request with this in it is held
	until  chan struct{} // until it is closed
	dialed int
	closed int
	late   int // held answers that were sent on
}

func (s *slow) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	s.dialed++
	s.mu.Unlock()
	up, err := s.server.Dial()
	if err != nil {
		return nil, err
	}
	client, ours := net.Pipe()
	go s.carry(up, ours)
	return client, nil
}

// carry hands requests on, and their answers back.
func (s *slow) carry(up, ours net.Conn) {
	held := make(chan struct{}, 1)
	go func() {
		defer ours.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := up.Read(b)
			if err != nil {
				return
			}
			select {
			case <-held:
				<-s.until
				s.count(&s.late)
			default:
			}
			ours.Write(b[:n]) // fails where the client has closed
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := ours.Read(b)
		if err != nil {
			s.count(&s.closed)
			up.Close()
			return
		}
		s.mu.Lock()
		if s.hold != "" && strings.Contains(string(b[:n]), s.hold) {
			held <- struct{}{}
			s.hold = ""
		}
		s.mu.Unlock()
		up.Write(b[:n])
	}
}

func (s *slow) count(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

// TestALateAnswerIsNobodyElses: tenant A's call times out, or A goes away, while the
// answer is on its way; then it comes, and tenant B's call is the next on the only
// connection that the pool may have. Sealing is switched off, so nothing but the
// connection's end keeps A's window from B.
func TestALateAnswerIsNobodyElses(t *testing.T) {
	t.Parallel()
	for name, give := range map[string]func(ctx context.Context) (context.Context, context.CancelFunc){
		"the call's own time is up": func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
		"the caller's time is up": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 20*time.Millisecond)
		},
		"the caller goes away": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { late(t, give) })
		})
	}
}

func late(t *testing.T, give func(context.Context) (context.Context, context.CancelFunc)) {
	r := &slow{server: miniredis.NewMiniRedis()}
	defer r.server.Close()
	o, err := redissession.Options("redis://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Dialer, o.PoolSize = r.dial, 1
	s := redissession.Open(redis.NewClient(o), seal.Unsealed())
	defer synctest.Wait()
	defer s.Close()
	sessiontest.Put(t, s, a, "c", canary)
	sessiontest.Put(t, s, b, "c", "b's")
	if r.dialed != 1 {
		t.Fatalf("control: %d connections", r.dialed)
	}

	r.mu.Lock()
	r.hold, r.until = "abc#window#{c}", make(chan struct{})
	r.mu.Unlock()
	ctx, cancel := give(t.Context())
	defer cancel()
	if got, _, err := s.Take(ctx, a, "c"); err == nil {
		t.Fatalf("control: the answer came in time: %q", got)
	}
	close(r.until) // and now it comes
	synctest.Wait()
	if r.late != 1 {
		t.Fatalf("control: %d late answers", r.late)
	}
	time.Sleep(2 * time.Second) // of the bubble's time: the store is asked again
	if got := sessiontest.Window(t, s, b, "c"); len(got) != 1 || got[0] != "b's" {
		t.Errorf("the next call reads %q", got)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dialed != 2 || r.closed != 1 {
		t.Errorf("%d connections made, %d closed: the first was used again", r.dialed, r.closed)
	}
}
