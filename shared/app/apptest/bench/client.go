package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// timing is how one request went, counted from its start.
type timing struct {
	first time.Duration // the first event of a stream, the head of any other answer
	total time.Duration
}

// client sends one request after another over one connection. It speaks HTTP/1.1
// on the socket itself, because net/http's client costs as much as what is
// measured here.
type client struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
	line *bufio.Reader // of a stream's body
	out  []byte
	body bytes.Buffer
}

// patience bounds one request.
const patience = 30 * time.Second

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *client) dial() error {
	conn, err := net.DialTimeout("tcp", c.addr, patience)
	if err != nil {
		return err
	}
	c.conn = conn
	if c.in == nil {
		c.in, c.line = bufio.NewReaderSize(conn, 16<<10), bufio.NewReaderSize(nil, 16<<10)
	}
	c.in.Reset(conn)
	return nil
}

// do sends a request, whose head lacks its Content-Length and the empty line, and
// reads the answer, which stays in c.body. An answer that is not whole, or does
// not hold echo, is an error. A connection that failed is not used again.
func (c *client) do(head string, body []byte, stream bool, echo []byte, start time.Time) (t timing, err error) {
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	res, err := c.send(head, body)
	if err != nil {
		return t, err
	}
	defer res.Body.Close()
	c.body.Reset()
	switch {
	case res.StatusCode != http.StatusOK:
		io.Copy(&c.body, io.LimitReader(res.Body, 4<<10))
		return t, fmt.Errorf("status %d: %.300s", res.StatusCode, c.body.Bytes())
	case stream:
		t.first, err = c.readEvents(res.Body, start)
	default:
		t.first = time.Since(start)
		_, err = c.body.ReadFrom(res.Body)
	}
	t.total = time.Since(start)
	if err != nil {
		return t, err
	}
	if !bytes.Contains(c.body.Bytes(), echo) {
		return t, fmt.Errorf("%q is not in the answer: %.300s", echo, c.body.Bytes())
	}
	return t, nil
}

func (c *client) send(head string, body []byte) (*http.Response, error) {
	if c.conn == nil {
		if err := c.dial(); err != nil {
			return nil, err
		}
	}
	c.conn.SetDeadline(time.Now().Add(patience))
	c.out = append(append(c.out[:0], head...), "Content-Length: "...)
	c.out = append(strconv.AppendInt(c.out, int64(len(body)), 10), "\r\n\r\n"...)
	c.out = append(c.out, body...)
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, err
	}
	return http.ReadResponse(c.in, nil)
}

// leastEvents is what a whole stream has: the model's chunks.
const leastEvents = chunks

// readEvents reads a stream to its end, which has to follow its terminal event,
// and says when the first event was there.
func (c *client) readEvents(body io.Reader, start time.Time) (first time.Duration, err error) {
	c.line.Reset(body)
	events, done := 0, false
	for {
		line, err := c.line.ReadSlice('\n')
		c.body.Write(line)
		switch {
		case bytes.HasPrefix(line, []byte("data: [DONE]")), bytes.HasPrefix(line, []byte("event: done")):
			done = true
		case bytes.HasPrefix(line, []byte("event: error")):
			rest, _ := c.line.ReadSlice('\n')
			return first, fmt.Errorf("the stream failed: %.300s", rest)
		case bytes.HasPrefix(line, []byte("data: ")):
			if events++; events == 1 {
				first = time.Since(start)
			}
		}
		if err == io.EOF && done && events >= leastEvents {
			return first, nil
		}
		if err == io.EOF {
			return first, fmt.Errorf("the stream ended after %d events (terminal one seen: %t)", events, done)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return first, err
		}
	}
}

// open sends a request and returns when the first event is there, leaving the
// stream open.
func (c *client) open(head string, body []byte) error {
	res, err := c.send(head, body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	_, err = res.Body.Read(make([]byte, 512))
	return err
}
