package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// target is a server that a scenario is run against.
type target struct {
	name string
	*process
}

// The targets of a comparison, in the order they are printed.
const (
	onMock  = "model" // the scripted model itself, which is subtracted from the others
	onProxy = "proxy" // the control
	onOurs  = "switchboard"
)

// worker is one connection.
type worker struct {
	client
	s            scenario
	head         string
	conversation string
	body, echo   []byte

	total, first []time.Duration
	failed       int
	err          error
}

// run takes one scenario to one target. pids are of all processes of ours.
func run(ctx context.Context, s scenario, t target, pids []int) figures {
	workers := make([]*worker, s.clients)
	for i := range workers {
		workers[i] = newWorker(s, t)
		defer workers[i].close()
	}
	drive(ctx, workers, 0, max(s.warm, s.clients), 0)
	for _, w := range workers {
		w.total, w.first = w.total[:0], w.first[:0]
	}
	ctx, cancel := context.WithTimeout(ctx, s.atMost)
	defer cancel()
	own := func() (d time.Duration) {
		for _, pid := range append(pids, os.Getpid()) {
			d += cpuOf(pid)
		}
		return d
	}
	var before, after counted
	t.count(&before)
	cpu, mine, all, began := cpuOf(t.pid()), own(), machineBusy(), time.Now()
	drive(ctx, workers, 1_000_000, s.requests, s.rate)
	took := time.Since(began)
	cpu, mine, all = cpuOf(t.pid())-cpu, own()-mine, machineBusy()-all
	t.count(&after)
	f := gather(workers)
	f.Seconds, f.RPS = took.Seconds(), float64(f.Requests)/took.Seconds()
	f.Others = max(0, (all-mine).Seconds()/took.Seconds())
	if n := float64(f.Requests); n > 0 {
		f.CPU = float64(cpu.Microseconds()) / n
		f.Mallocs, f.Bytes = float64(after.Mallocs-before.Mallocs)/n, float64(after.Bytes-before.Bytes)/n
	}
	return f
}

func gather(workers []*worker) figures {
	var f figures
	var total, first []time.Duration
	for _, w := range workers {
		total, first = append(total, w.total...), append(first, w.first...)
		f.Failed += w.failed
		if w.err != nil && f.Error == "" {
			f.Error = w.err.Error()
		}
	}
	f.Requests, f.Total, f.First = len(total), percent(total), percent(first)
	return f
}

// drive has the workers send requests number from and so on, n of them. With a
// rate, request k is due k/rate seconds after the beginning and its time counts
// from then, so a server that falls behind cannot hide it.
func drive(ctx context.Context, workers []*worker, from, n int, rate float64) {
	var next atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for _, w := range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				k := int(next.Add(1)) - 1
				if k >= n {
					return
				}
				due := time.Now()
				if rate > 0 {
					due = begin.Add(time.Duration(float64(k) / rate * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				w.turn(from+k, due)
			}
		})
	}
	wg.Wait()
}

func newWorker(s scenario, t target) *worker {
	w := &worker{client: client{addr: t.addr}, s: s}
	path := "/v1/chat/completions"
	if s.chat && t.name == onOurs {
		path = "/v1/chat"
	} else {
		w.s.chat = false // nobody else has that route
	}
	w.head = "POST " + path + " HTTP/1.1\r\nHost: " + t.addr + "\r\nContent-Type: application/json\r\n"
	if t.key != "" {
		w.head += "Authorization: Bearer " + t.key + "\r\n"
	}
	return w
}

// turn sends request i and takes down how it went.
func (w *worker) turn(i int, due time.Time) {
	w.render(i)
	t, err := w.do(w.head, w.body, w.s.stream, w.echo, due)
	if err != nil {
		w.failed++
		if w.err == nil {
			w.err = err
		}
		return
	}
	w.total, w.first = append(w.total, t.total), append(w.first, t.first)
	if w.s.chat && w.conversation == "" {
		w.conversation = conversationOf(w.client.body.String())
	}
}

// render makes the body of request i, and what its answer has to hold.
func (w *worker) render(i int) {
	n := strconv.Itoa(i)
	w.echo = append(append(append(w.echo[:0], "turn "...), n...), '.')
	b := w.body[:0]
	if w.s.chat {
		b = append(b, `{"assistant":"`+w.s.model+`","stream":`+strconv.FormatBool(w.s.stream)...)
		if w.conversation != "" {
			b = append(b, `,"conversation_id":"`+w.conversation+`"`...)
		}
		b = append(b, `,"message":"`...)
		b = append(append(append(b, w.echo...), ' '), w.s.ask...)
		w.body = append(b, `"}`...)
		return
	}
	b = append(b, `{"model":"`+w.s.model+`","stream":`+strconv.FormatBool(w.s.stream)...)
	b = append(b, `,"messages":[{"role":"system","content":"You are a concise assistant."},{"role":"user","content":"`...)
	b = append(append(append(b, w.echo...), ' '), w.s.ask...)
	w.body = append(b, `"}]}`...)
}

// conversationOf finds the conversation's id in an answer.
func conversationOf(answer string) string {
	_, rest, _ := strings.Cut(answer, `"conversation_id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// openStreams opens n streams that stay open until they are closed.
func openStreams(t target, s scenario, n int) ([]*worker, error) {
	open := make([]*worker, 0, n)
	for i := range n {
		w := newWorker(s, t)
		w.render(i)
		open = append(open, w)
		if err := w.open(w.head, w.body); err != nil {
			return open, fmt.Errorf("stream %d: %w", i, err)
		}
	}
	return open, nil
}
