package main_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/shared/model/modeltest"
)

var (
	rounds = flag.Int("rounds", 5, "how often TestKill kills the server")
	seed   = flag.Uint64("seed", 0, "of TestKill; 0 = another each time")
)

// asked is a turn as its client knows it.
type asked struct {
	key, message string
	stream       bool
	conversation string // as it was sent: "" began a new one

	// What the client has read. An acknowledged turn has all of it; of one in
	// doubt the first two may be known.
	turn, home   string // home is the conversation it is in
	answer       string
	acknowledged bool
}

func (a *asked) body() string {
	b, _ := json.Marshal(map[string]any{"assistant": "website", "message": a.message, "stream": a.stream, "conversation_id": a.conversation})
	return string(b)
}

// killing is the state of the test: what was asked, and what the model was asked.
type killing struct {
	*testing.T
	rnd  *rand.Rand
	data string
	dir  string
	url  string // of the model

	turns []*asked
	doubt []*asked // not acknowledged yet

	mu    sync.Mutex
	calls map[string]int // of the model, by message
}

// The server is killed at random moments while clients take turns. Whatever it
// acknowledged is there for ever, once, with the answer that was given; whatever
// it did not can be sent again and is then there once.
func TestKill(t *testing.T) {
	t.Parallel()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d -rounds %d", *seed, *rounds)
	k := &killing{T: t, rnd: rand.New(rand.NewPCG(*seed, 0)), data: t.TempDir(), dir: companies(t, nil), calls: map[string]int{}}
	k.url = scripted(t, k.script)
	for round := range *rounds {
		s := serve(t, k.data, k.dir, k.url)
		k.settle(s)
		k.verify(s, k.sample())
		k.attack(s, round)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	s := serve(t, k.data, k.dir, k.url)
	k.settle(s)
	k.verify(s, k.turns)
	k.whole(s)
	if len(k.turns) < *rounds {
		t.Errorf("control: %d turns in %d rounds", len(k.turns), *rounds)
	}
	t.Logf("%d turns acknowledged, the model was asked %d times", len(k.turns), k.asked())
}

// script answers a message differently each time it is asked, so that an answer
// tells which call it is from, and slowly enough to be killed in the middle.
func (k *killing) script(c modeltest.Call) modeltest.Script {
	k.mu.Lock()
	k.calls[c.User]++
	n := k.calls[c.User]
	k.mu.Unlock()
	s := says("Call ", fmt.Sprint(n), " of ", c.User, ".")
	for i := range s[:4] {
		s[i].Delay = 2 * time.Millisecond
	}
	return s
}

func (k *killing) called(message string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls[message]
}

func (k *killing) asked() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.calls {
		n += c
	}
	return n
}

// attack has clients take turns until the server is killed.
func (k *killing) attack(s *server, round int) {
	const clients = 8
	var wg sync.WaitGroup
	told := make([][]*asked, clients)
	for i := range clients {
		talk, stream := "", k.rnd.IntN(2) == 0
		if old := k.turns; len(old) > 0 && k.rnd.IntN(2) == 0 {
			if a := old[len(old)-1-k.rnd.IntN(min(len(old), 20))]; k.turnsIn(a.home) < 30 {
				talk = a.home
			}
		}
		wg.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("r%d-c%d-n%d", round, i, n)
				a := &asked{key: key, message: "question " + key, stream: stream != (n%3 == 0), conversation: talk}
				told[i] = append(told[i], a)
				if err := s.take(a); err != nil {
					if refused := new(refusal); errors.As(err, refused) {
						k.Errorf("%s: %v", key, err)
					}
					return
				}
				if talk = a.home; n%6 == 5 {
					talk = ""
				}
			}
		})
	}
	<-time.After(time.Duration(k.rnd.IntN(250)) * time.Millisecond)
	s.kill()
	wg.Wait()
	for _, list := range told {
		for _, a := range list {
			if a.acknowledged {
				k.turns = append(k.turns, a)
			} else {
				k.doubt = append(k.doubt, a)
			}
		}
	}
}

func (k *killing) turnsIn(conversation string) (n int) {
	for _, a := range k.turns {
		if a.home == conversation {
			n++
		}
	}
	return n
}

// settle sends what is in doubt again, all at once, as clients do.
func (k *killing) settle(s *server) {
	var wg sync.WaitGroup
	for _, a := range k.doubt {
		wg.Go(func() {
			again := &asked{key: a.key, message: a.message, stream: a.stream, conversation: a.conversation}
			if err := s.take(again); err != nil {
				k.Errorf("%s, sent again: %v", a.key, err)
				return
			}
			if a.turn != "" && (a.turn != again.turn || a.home != again.home) {
				k.Errorf("%s was turn %s of %s, is %s of %s now", a.key, a.turn, a.home, again.turn, again.home)
			}
			*a = *again
		})
	}
	wg.Wait()
	k.turns = append(k.turns, k.doubt...)
	k.doubt = nil
}

// sample is the newest turns and some of the older ones.
func (k *killing) sample() []*asked {
	newest := min(len(k.turns), 60)
	out := append([]*asked(nil), k.turns[len(k.turns)-newest:]...)
	for range min(20, len(k.turns)-newest) {
		out = append(out, k.turns[k.rnd.IntN(len(k.turns)-newest)])
	}
	return out
}

// verify sends turns again, which must change nothing and ask no model, and looks
// at their conversations.
func (k *killing) verify(s *server, turns []*asked) {
	var wg sync.WaitGroup
	limit := make(chan struct{}, 8)
	for _, a := range turns {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			before := k.called(a.message)
			again := &asked{key: a.key, message: a.message, stream: a.stream, conversation: a.conversation}
			if err := s.take(again); err != nil {
				k.Errorf("%s, asked for again: %v", a.key, err)
				return
			}
			if *again != *a {
				k.Errorf("it was  %+v\nand now %+v", *a, *again)
			}
			if after := k.called(a.message); after != before {
				k.Errorf("%s: the model was asked %d times more", a.key, after-before)
			}
		})
	}
	wg.Wait()
	k.conversations(s, turns)
}

// message is one of GET /v1/conversations/{id}.
type message struct {
	Turn    string `json:"turn_id"`
	Role    string `json:"role"`
	Content string `json:"content"`
	State   string `json:"state"`
}

// conversations looks for each turn in its conversation: once, whole.
func (k *killing) conversations(s *server, turns []*asked) {
	seen := map[string]map[string][]message{} // by conversation and turn
	for _, a := range turns {
		if seen[a.home] == nil {
			seen[a.home] = k.read(s, a.home)
		}
		want := []message{{a.turn, "user", a.message, ""}, {a.turn, "assistant", a.answer, "done"}}
		if got := seen[a.home][a.turn]; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			k.Errorf("turn %s (%s) of %s is stored as %+v, want %+v", a.turn, a.key, a.home, got, want)
		}
	}
}

func (k *killing) read(s *server, conversation string) map[string][]message {
	var page struct{ Messages []message }
	if err := json.Unmarshal(s.get(k.T, "/v1/conversations/"+conversation+"?limit=100"), &page); err != nil {
		k.Error(err)
	}
	out := map[string][]message{}
	for _, m := range page.Messages {
		out[m.Turn] = append(out[m.Turn], m)
	}
	return out
}

// whole compares all conversations with all that was asked: nothing else is
// there, and no message twice.
func (k *killing) whole(s *server) {
	mine := map[string]int{}
	turns := map[string]bool{}
	for _, a := range k.turns {
		mine[a.home]++
		if turns[a.turn] {
			k.Errorf("turn %s is the turn of two keys", a.turn)
		}
		turns[a.turn] = true
	}
	for conversation, n := range mine {
		contents := map[string]bool{}
		got := k.read(s, conversation)
		for _, messages := range got {
			for _, m := range messages {
				if contents[m.Content] {
					k.Errorf("%q is twice in %s", m.Content, conversation)
				}
				contents[m.Content] = true
			}
		}
		if len(got) != n {
			k.Errorf("%s has %d turns, %d were asked", conversation, len(got), n)
		}
	}
}

// refusal is an answer that says no; an error of another type is a connection's.
type refusal string

func (r refusal) Error() string { return string(r) }

// take sends a turn and fills in what the client learns. It is acknowledged when
// the whole answer, or the stream's done event, was read.
func (s *server) take(a *asked) error {
	res, err := s.send(a.body(), a.key)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		return refusal(fmt.Sprintf("%d %s", res.StatusCode, text))
	}
	if a.stream {
		return a.readStream(res.Body)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	return a.learn(text, true)
}

// learn reads an answer, or the start or done event of one.
func (a *asked) learn(text []byte, acknowledged bool) error {
	var v struct {
		Turn         string `json:"turn_id"`
		Conversation string `json:"conversation_id"`
		Message      struct{ Content string }
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return refusal(fmt.Sprintf("%v in %s", err, text))
	}
	if a.turn != "" && a.turn != v.Turn {
		return refusal(fmt.Sprintf("started as turn %s, done as %s", a.turn, v.Turn))
	}
	a.turn, a.home, a.answer = v.Turn, v.Conversation, a.answer+v.Message.Content
	a.acknowledged = acknowledged
	if want := " of " + a.message + "."; acknowledged && !strings.HasSuffix(a.answer, want) {
		return refusal(fmt.Sprintf("%q is the answer to another question", a.answer))
	}
	return nil
}

func (a *asked) readStream(body io.Reader) error {
	next := events(body)
	for e, ok := next(); ok; e, ok = next() {
		switch e.name {
		case "start":
			if err := a.learn([]byte(e.data), false); err != nil {
				return err
			}
		case "delta":
			var d struct{ Text string }
			if err := json.Unmarshal([]byte(e.data), &d); err != nil {
				return refusal(fmt.Sprintf("%v in %s", err, e.data))
			}
			a.answer += d.Text
		case "done":
			return a.learn([]byte(e.data), true)
		case "error":
			return refusal(e.data)
		}
	}
	return io.ErrUnexpectedEOF
}

// event is a server-sent event.
type event struct{ name, data string }

// events reads server-sent events; an event that was cut off is none.
func events(r io.Reader) (next func() (event, bool)) {
	scan := bufio.NewScanner(r)
	return func() (event, bool) {
		var e event
		for scan.Scan() {
			line := scan.Text()
			if line == "" && e != (event{}) {
				return e, true
			}
			if v, ok := strings.CutPrefix(line, "event: "); ok {
				e.name = v
			}
			if v, ok := strings.CutPrefix(line, "data: "); ok {
				e.data += v
			}
		}
		return event{}, false
	}
}
