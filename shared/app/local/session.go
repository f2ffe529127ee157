package local

import (
	"context"
	"net"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"switchboard/shared/session"
)

// openSession connects to the Redis that url names, or, where it names none,
// starts one in this process.
func openSession(url string, closers *[]func() error) (*session.Session, error) {
	embedded := url == ""
	if embedded {
		url = "redis://127.0.0.1:0"
	}
	o, err := session.Options(url)
	if err != nil {
		return nil, err
	}
	if embedded {
		m := miniredis.NewMiniRedis()
		// Over pipes: no port is opened that a neighbour on the machine could use.
		o.Dialer = func(context.Context, string, string) (net.Conn, error) { return m.Dial() }
		*closers = append(*closers, func() error { m.Close(); return nil }, keepTime(m))
	}
	s := session.Open(redis.NewClient(o))
	*closers = append(*closers, s.Close)
	return s, nil
}

// tick is how often the in-process Redis is told that time passes. It looks at
// every key then, so not with every command.
const tick = 30 * time.Second

// keepTime lets keys expire, and returns what ends it.
func keepTime(m *miniredis.Miniredis) func() error {
	ticker, done := time.NewTicker(tick), make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				m.FastForward(tick)
			case <-done:
				return
			}
		}
	}()
	return func() error {
		ticker.Stop()
		close(done)
		return nil
	}
}
