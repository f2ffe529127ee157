package prove

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what is said to the server and read of it.
const (
	mostAnswer = 4 << 20          // bytes of an answer; one that is longer cannot be searched whole
	patience   = 60 * time.Second // for one answer
	mostTries  = 4                // of a request that is answered "too many"
	mostPause  = 30 * time.Second // that a server may ask for
)

// answer is a response, read whole.
type answer struct {
	status int // 0 = none came
	header http.Header
	body   []byte
	err    error // why none came, or it could not be read whole
}

// wire speaks to the server. It sends what it is given as it is: no redirect is
// followed, nothing unpacked, no path made clean.
type wire struct {
	base *url.URL
	http *http.Client
	pace *pace

	mu    sync.Mutex
	sent  int
	waits int // how often the server asked for a pause
}

// newWire returns a wire to the server. A credential goes over TLS, or nowhere beyond
// this machine.
func newWire(server string, perSecond int) (*wire, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not the address of a server, such as https://api.example.com", server)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if local := u.Hostname() == "localhost" || err == nil && ip.IsLoopback(); u.Scheme == "http" && !local {
		return nil, fmt.Errorf("%s: the operator's key is not sent in the clear; use https", server)
	}
	u.Path = strings.TrimSuffix(u.EscapedPath(), "/")
	return &wire{base: u, pace: &pace{every: time.Second / time.Duration(max(1, perSecond))}, http: &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
			DisableCompression:  true,
			MaxIdleConnsPerHost: workers * 2,
		},
	}}, nil
}

func (w *wire) close() { w.http.CloseIdleConnections() }

// send makes the attempt, as often as the server says "later".
func (w *wire) send(ctx context.Context, a *attempt) answer {
	for try := 1; ; try++ {
		if err := w.pace.wait(ctx); err != nil {
			return answer{err: err}
		}
		out := w.once(ctx, a)
		if out.status != http.StatusTooManyRequests || try == mostTries {
			return out
		}
		w.count(0, 1)
		w.pace.hold(pauseOf(out.header))
	}
}

// pauseOf is how long the server wants to be left alone.
func pauseOf(h http.Header) time.Duration {
	s, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || s < 1 {
		return time.Second
	}
	return min(time.Duration(s)*time.Second, mostPause)
}

func (w *wire) count(sent, waits int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent, w.waits = w.sent+sent, w.waits+waits
}

// counts returns how many requests were sent and how many pauses the server asked for.
func (w *wire) counts() (sent, waits int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent, w.waits
}

func (w *wire) once(ctx context.Context, a *attempt) answer {
	r, err := w.request(ctx, a)
	if err != nil {
		return answer{err: err}
	}
	w.count(1, 0)
	res, err := w.http.Do(r)
	if err != nil {
		return answer{err: shorn(err)}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer+1))
	if err == nil && len(body) > mostAnswer {
		err = errors.New("the answer is too long to be searched")
	}
	return answer{res.StatusCode, res.Header, body, shorn(err)}
}

// shorn is the error without the URL, in which a credential may stand.
func shorn(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func (w *wire) request(ctx context.Context, a *attempt) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, a.method, w.base.Scheme+"://"+w.base.Host+"/", bytes.NewReader([]byte(a.body)))
	if err != nil {
		return nil, err
	}
	// Opaque goes out as it is.
	r.URL.Path, r.URL.Opaque = "", w.base.Path+a.target
	if a.body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Host = a.host
	key := a.who.key
	if a.key != nil {
		key = *a.key
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	r.Header.Set("User-Agent", "switchboard-prove")
	pairs := a.header
	if !a.bare {
		pairs = append(append([]string{}, a.who.header...), a.header...)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		name := http.CanonicalHeaderKey(pairs[i])
		if name == "Content-Type" {
			r.Header.Del(name)
		}
		r.Header[name] = append(r.Header[name], pairs[i+1])
	}
	return r, nil
}

// pace keeps to a number of requests a second, and to what the server asks for.
type pace struct {
	every time.Duration

	mu   sync.Mutex
	next time.Time
}

// wait returns when the next request may be sent.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(p.every)
	p.mu.Unlock()
	return pause(ctx, at.Sub(now))
}

// hold lets nobody send before the time has passed.
func (p *pace) hold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := time.Now().Add(d); at.After(p.next) {
		p.next = at
	}
}

// pause waits, or returns why there is nothing to wait for any more.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
