package main

import "time"

// scenario is a way of asking.
type scenario struct {
	name     string
	model    string
	stream   bool
	chat     bool // /v1/chat in a conversation, where the target has it
	clients  int
	rate     float64 // requests a second; 0 = the next one when one is done
	warm     int     // requests before, not measured
	requests int
	atMost   time.Duration
	ask      string // what the user says behind the request's number
}

// plenty is more requests than a saturated run can take.
const plenty = 10_000_000

// scenarios are those of the independent referee (60 ms and 0 ms, one client and
// saturated), and the same streams by our own route.
func scenarios(ask string, brief bool) []scenario {
	all := []scenario{
		{name: "plain-c1", model: quick, clients: 1, warm: 200, requests: 1500, atMost: 15 * time.Second},
		{name: "stream-c1", model: quick, stream: true, clients: 1, warm: 100, requests: 800, atMost: 15 * time.Second},
		{name: "chat-c1", model: quick, stream: true, chat: true, clients: 1, warm: 100, requests: 800, atMost: 15 * time.Second},
		{name: "plain-60ms-200rps", model: slow, clients: 64, rate: 200, warm: 64, requests: 1000, atMost: 20 * time.Second},
		{name: "stream-60ms-100rps", model: slow, stream: true, clients: 64, rate: 100, warm: 64, requests: 500, atMost: 20 * time.Second},
		{name: "plain-saturated", model: quick, clients: 64, warm: 500, requests: plenty, atMost: 5 * time.Second},
		{name: "stream-saturated", model: quick, stream: true, clients: 32, warm: 200, requests: plenty, atMost: 5 * time.Second},
		{name: "chat-saturated", model: quick, stream: true, chat: true, clients: 32, warm: 200, requests: plenty, atMost: 5 * time.Second},
	}
	for i := range all {
		s := &all[i]
		s.ask = ask
		if brief {
			s.atMost = min(s.atMost, 2*time.Second)
			s.warm /= 2
			if s.rate > 0 {
				s.requests = int(s.rate)
			}
		}
	}
	return all
}
