package local

import (
	"context"
	"net"
	"os"
	"syscall"
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
		if err := startUnheard(m); err != nil {
			return nil, err
		}
		o.Dialer = func(context.Context, string, string) (net.Conn, error) { return connect(m) }
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

// startUnheard starts m without a listener: no port is opened that a neighbour on
// the machine could use.
func startUnheard(m *miniredis.Miniredis) error {
	c, err := m.Dial()
	if err != nil {
		return err
	}
	return c.Close()
}

// connect returns a connection to m over a pair of sockets. Not over net.Pipe, as
// m.Dial does: that has no buffer, so a client that is still writing a long request
// and a server that answers its beginning wait for each other.
func connect(m *miniredis.Miniredis) (net.Conn, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "in-process redis")
		c, cerr := net.FileConn(f) // a duplicate; f is done with
		f.Close()
		if cerr != nil {
			err = cerr
			continue
		}
		ends[i] = c
	}
	if err != nil {
		for _, c := range ends {
			if c != nil {
				c.Close()
			}
		}
		return nil, err
	}
	m.Server().ServeConn(ends[1])
	return ends[0], nil
}
