package chat_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/shared/app/apptest"
	"switchboard/shared/chat"
	"switchboard/shared/model"
	"switchboard/shared/model/modeltest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

const idem = "Idempotency-Key"

// messages returns how many messages the answer's conversation has.
func messages(t *testing.T, s *apptest.Server, key, conv string) int {
	t.Helper()
	return strings.Count(s.Do(key, "GET", "/v1/conversations/"+conv, "").Body, `"role"`)
}

func TestARetryGivesTheSameTurn(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s := apptest.Start(t, apptest.Options{Script: func(c modeltest.Call) modeltest.Script {
		calls.Add(1)
		return apptest.Says("answer ", c.User)
	}})
	key := s.Key(apptest.Alpha)
	first := s.Post(key, chatPath, visit, idem, "k-1")
	want(t, first, 200)
	again := s.Post(key, chatPath, visit, idem, "k-1")
	if again.Body != first.Body {
		t.Errorf("first %s\nagain %s", first.Body, again.Body)
	}
	streamed := s.Stream(key, chatPath, strings.Replace(visit, "{", `{"stream":true,`, 1), idem, "k-1")
	if n := len(streamed); n < 3 || streamed[n-1].Name != "done" || apptest.Get([]byte(streamed[n-1].Data), "turn_id") != first.Get("turn_id") {
		t.Errorf("streamed again: %v", streamed)
	}
	want(t, s.Post(key, chatPath, strings.Replace(visit, "visit", "panel", 1), idem, "k-1"), 409)
	if n := calls.Load(); n != 1 {
		t.Errorf("the model was called %d times", n)
	}
	if n := messages(t, s, key, first.Get("conversation_id")); n != 2 {
		t.Errorf("%d messages are stored", n)
	}
	// The same key in another project is another turn.
	other := s.Post(s.Key(apptest.Beta), chatPath, visit, idem, "k-1")
	want(t, other, 200)
	if other.Get("turn_id") == first.Get("turn_id") {
		t.Error("two projects share a turn id")
	}
}

func TestFiveAtTheSameMomentAreOneTurn(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	var calls atomic.Int32
	s := apptest.Start(t, apptest.Options{Script: func(modeltest.Call) modeltest.Script {
		if calls.Add(1) == 1 {
			close(gate) // the others are on their way: let them meet the reservation
		}
		return apptest.Says("the one answer")
	}})
	key := s.Key(apptest.Alpha)
	bodies := make([]string, 5)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() { bodies[i] = s.Post(key, chatPath, visit, idem, "k-5").Body })
	}
	wg.Wait()
	<-gate
	for _, b := range bodies {
		if b != bodies[0] || !strings.Contains(b, "the one answer") {
			t.Errorf("got %s and %s", bodies[0], b)
		}
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the model was called %d times", n)
	}
}

func TestAHangUpKeepsTheTurnAndItsCount(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	s := apptest.Start(t, apptest.Options{Script: func(modeltest.Call) modeltest.Script {
		return append(modeltest.Script{{Text: "the beginning"}, {Text: " and the end", Wait: gate}}, apptest.Says()...)
	}})
	key := s.Key(apptest.Alpha)
	ctx, hangUp := context.WithCancel(t.Context())
	res, err := s.Send(ctx, key, "POST", chatPath, strings.Replace(visit, "{", `{"stream":true,`, 1), idem, "k-h")
	if err != nil {
		t.Fatal(err)
	}
	next := apptest.Events(res.Body)
	start, _ := next()
	if e, ok := next(); !ok || !strings.Contains(e.Data, "the beginning") {
		t.Fatalf("got %v", e)
	}
	hangUp()
	close(gate)
	// The retry waits for the turn that goes on unseen.
	a := s.Post(key, chatPath, visit, idem, "k-h")
	want(t, a, 200, "turn_id", apptest.Get([]byte(start.Data), "turn_id"), "message.content", "the beginning and the end",
		"usage.input_tokens", "10", "usage.output_tokens", "20")
	if n := len(s.Provider.Calls()); n != 1 {
		t.Errorf("the model was called %d times", n)
	}
}

func TestAFailureMidStreamIsSaidKeptAndTakenUp(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s := apptest.Start(t, apptest.Options{Script: func(modeltest.Call) modeltest.Script {
		if calls.Add(1) == 1 {
			return modeltest.Script{{Text: "half an"}, {Cut: true}}
		}
		return apptest.Says("a whole answer")
	}})
	key := s.Key(apptest.Alpha)
	events := s.Stream(key, chatPath, strings.Replace(visit, "{", `{"stream":true,`, 1), idem, "k-m")
	last := apptest.Answer{Status: 200, Body: events[len(events)-1].Data}
	if events[len(events)-1].Name != "error" {
		t.Fatalf("the stream ended in %v", events)
	}
	want(t, last, 200, "status", "502", "reason", "network")
	turn := last.Get("turn_id")
	conv := apptest.Get([]byte(events[0].Data), "conversation_id")
	want(t, s.Do(key, "GET", "/v1/conversations/"+conv, ""), 200, "messages.1.state", "interrupted", "messages.1.content", "half an")
	a := s.Post(key, chatPath, visit, idem, "k-m")
	want(t, a, 200, "turn_id", turn, "conversation_id", conv, "message.content", "a whole answer")
	want(t, s.Do(key, "GET", "/v1/conversations/"+conv, ""), 200, "messages.1.state", "done", "messages.1.content", "a whole answer")
	if n := messages(t, s, key, conv); n != 2 {
		t.Errorf("%d messages are stored", n)
	}
}

func TestAModelThatIsDownIsA502AndNothingIsLost(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: func(modeltest.Call) modeltest.Script {
		return modeltest.Script{{Fail: &modeltest.Failure{Status: 429, RetryAfter: "7", Message: "secret of the provider"}}}
	}})
	key := s.Key(apptest.Alpha)
	a := s.Post(key, chatPath, visit, idem, "k-d")
	want(t, a, 502, "reason", "rate_limited", "retry_after", "7")
	if a.Header.Get("Retry-After") != "7" || strings.Contains(a.Body, "secret of the provider") {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	c := s.Post(key, "/v1/chat/completions", `{"model":"website","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	want(t, c, 502, "error.type", "api_error", "reason", "rate_limited")
	events := s.Stream(key, chatPath, strings.Replace(visit, "{", `{"stream":true,`, 1))
	if n := len(events); n != 2 || events[0].Name != "start" || events[1].Name != "error" {
		t.Fatalf("events: %v", events)
	}
	conv := apptest.Get([]byte(events[0].Data), "conversation_id")
	want(t, s.Do(key, "GET", "/v1/conversations/"+conv, ""), 200, "messages.0.content", "What does a diagnostic visit cost?", "messages.1.state", "failed")
}

func TestTheNextModelAnswersBeforeTheFirstToken(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: func(c modeltest.Call) modeltest.Script {
		if c.Provider == "openai" {
			return modeltest.Script{{Fail: &modeltest.Failure{Status: 401}}}
		}
		return apptest.Says("from the second")
	}})
	a := s.Post(s.Key(apptest.Alpha), chatPath, `{"assistant":"chain","message":"hi there"}`)
	want(t, a, 200, "message.content", "from the second", "usage.model", "anthropic/second", "usage.input_tokens", "10")
}

// TestADeadProcessLeavesNoTurnOpen: a reservation of a process that is gone is
// closed by the sweeper, and a retry takes the turn up.
func TestADeadProcessLeavesNoTurnOpen(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	var held atomic.Bool
	began := make(chan struct{})
	o := apptest.Options{Drain: time.Millisecond, Script: func(modeltest.Call) modeltest.Script {
		if held.CompareAndSwap(false, true) {
			close(began)
			return modeltest.Script{{Text: "never ends", Wait: hold}}
		}
		return append(apptest.Says("a whole answer"), modeltest.Step{Usage: &model.Usage{}})
	}}
	s := apptest.Start(t, o)
	key := s.Key(apptest.Alpha)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	go func() {
		if res, err := s.Send(ctx, key, "POST", chatPath, visit, idem, "k-dead"); err == nil {
			res.Body.Close()
		}
	}()
	<-began
	// Another process over the same table: to it, the first one is dead.
	c := s.Local.Chat
	svc := &chat.Service{
		Companies: c.Companies, Table: c.Table, Session: c.Session, Search: c.Search, Models: c.Models, Prices: c.Prices,
		Process: chat.NewProcess(), Alone: true,
	}
	id, err := tenant.ParseID(apptest.Alpha)
	if err != nil {
		t.Fatal(err)
	}
	if recent := c.Recent(); !slices.Contains(recent, id) {
		t.Errorf("the process that died was at work for %v", recent)
	}
	if n, err := svc.Sweep(t.Context(), auth.ForWork(id, "test")); err != nil || n != 1 {
		t.Fatalf("closed %d, %v", n, err)
	}
	if n, err := svc.Sweep(t.Context(), auth.ForWork(id, "test")); err != nil || n != 0 {
		t.Fatalf("closed %d again, %v", n, err)
	}
}

// TestAnEndlessAnswerIsCutAndStored: a provider that ignores every limit does not
// cost the turn.
func TestAnEndlessAnswerIsCutAndStored(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: func(modeltest.Call) modeltest.Script {
		var script modeltest.Script
		for range 400 {
			script = append(script, modeltest.Step{Text: strings.Repeat("x", 1<<10)})
		}
		return append(script, apptest.Says()...)
	}})
	key := s.Key(apptest.Alpha)
	a := s.Post(key, "/v1/chat/completions", `{"model":"website","messages":[{"role":"user","content":"`+strings.Repeat("long ", 40<<10)+`"}]}`)
	want(t, a, 200, "choices.0.finish_reason", "length")
	if n := len(a.Get("choices.0.message.content")); n < 120<<10 || n > 160<<10 {
		t.Errorf("the answer has %d bytes", n)
	}
	if n := messages(t, s, key, a.Get("switchboard.conversation_id")); n != 2 {
		t.Errorf("%d messages are stored", n)
	}
}

// TestATakenUpTurnIsRememberedOnce: what a failed try got to say is not what the
// next turn is told.
func TestATakenUpTurnIsRememberedOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s := apptest.Start(t, apptest.Options{Script: func(modeltest.Call) modeltest.Script {
		if calls.Add(1) == 1 {
			return modeltest.Script{{Text: "half an"}, {Cut: true}}
		}
		return apptest.Says("a whole answer")
	}})
	key := s.Key(apptest.Alpha)
	s.Stream(key, chatPath, strings.Replace(visit, "{", `{"stream":true,`, 1), idem, "k-once")
	a := s.Post(key, chatPath, visit, idem, "k-once")
	want(t, a, 200)
	want(t, s.Post(key, chatPath, strings.Replace(visit, "{", `{"conversation_id":"`+a.Get("conversation_id")+`",`, 1)), 200)
	last := string(s.Provider.Calls()[2].Body)
	if strings.Contains(last, "half an") || strings.Count(last, "a whole answer") != 1 {
		t.Errorf("the model saw %s", last)
	}
}

// TestWhatGrowsWhenItIsStoredFits: quotes and control characters take two to six
// bytes in an item, and a call's arguments count too.
func TestWhatGrowsWhenItIsStoredFits(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]modeltest.Script{
		"quotes":   append(modeltest.Script{{Text: strings.Repeat(`"`, 127<<10)}}, apptest.Says()...),
		"controls": append(modeltest.Script{{Text: strings.Repeat("\x01", 127<<10)}}, apptest.Says()...),
		"call": {{ToolCall: &model.ToolCall{ID: "c", Name: "f", Arguments: `{"a":"` + strings.Repeat("x", 400<<10) + `"}`}},
			{Usage: &model.Usage{Input: 10, Output: 20}}, {Stop: model.StopTools}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apptest.Start(t, apptest.Options{Script: func(modeltest.Call) modeltest.Script { return script }})
			key := s.Key(apptest.Alpha)
			ask := strings.Repeat(`\"`, 60_000)
			for _, stream := range []string{"", `"stream":true,`} {
				body := `{` + stream + `"model":"website","tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"` + ask + `"}]}`
				a := s.Post(key, "/v1/chat/completions", body, idem, "k"+stream)
				want(t, a, 200)
				again := s.Post(key, "/v1/chat/completions", strings.Replace(body, stream, "", 1), idem, "k"+stream)
				want(t, again, 200, "choices.0.finish_reason", "length")
			}
			if n := len(s.Provider.Calls()); n != 2 {
				t.Errorf("%d calls for two turns", n)
			}
		})
	}
}

// TestALongMessageHarmsNoWindow: the window of a conversation with long messages is
// kept, and nobody else's is lost with it.
func TestALongMessageHarmsNoWindow(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: apptest.Echo})
	alpha, beta := s.Key(apptest.Alpha), s.Key(apptest.Beta)
	say := func(key, conv, message string) apptest.Answer {
		t.Helper()
		a := s.Post(key, chatPath, `{"assistant":"website","conversation_id":"`+conv+`","message":"`+message+`"}`)
		want(t, a, 200)
		return a
	}
	b := say(beta, "", "turn one").Get("conversation_id")
	long := say(alpha, "", strings.Repeat("y", 30_000)).Get("conversation_id")
	say(beta, b, "my name is BOB")
	say(beta, b, "what is my name?")
	calls := s.Provider.Calls()
	if last := string(calls[len(calls)-1].Body); !strings.Contains(last, "BOB") {
		t.Errorf("the model saw %s", last)
	}
	say(alpha, long, "and now?")
	say(alpha, long, "and then?")
	calls = s.Provider.Calls()
	if last := string(calls[len(calls)-1].Body); !strings.Contains(last, "and now?") {
		t.Errorf("the model saw %.200s", last)
	}
}

// TestTurnsAtTheSameTimeAreBothRemembered, also where the window had to be rebuilt.
func TestTurnsAtTheSameTimeAreBothRemembered(t *testing.T) {
	t.Parallel()
	var together sync.WaitGroup
	together.Add(2)
	s := apptest.Start(t, apptest.Options{Script: func(c modeltest.Call) modeltest.Script {
		if strings.HasPrefix(c.User, "para") {
			together.Done()
			together.Wait()
		}
		return apptest.Echo(c)
	}})
	key := s.Key(apptest.Alpha)
	conv := s.Post(key, chatPath, `{"assistant":"website","message":"t1"}`).Get("conversation_id")
	say := func(message string) {
		want(t, s.Post(key, chatPath, `{"assistant":"website","conversation_id":"`+conv+`","message":"`+message+`"}`), 200)
	}
	var wg sync.WaitGroup
	wg.Go(func() { say("para0") })
	wg.Go(func() { say("para1") })
	wg.Wait()
	say("after both")
	calls := s.Provider.Calls()
	if last := string(calls[len(calls)-1].Body); !strings.Contains(last, "para0") || !strings.Contains(last, "para1") {
		t.Errorf("the model saw %s", last)
	}
}

// TestARetryDoesNotSeeItsOwnBrokenAnswer.
func TestARetryDoesNotSeeItsOwnBrokenAnswer(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: func(c modeltest.Call) modeltest.Script {
		if c.Streamed {
			return modeltest.Script{{Text: "broken half"}, {Cut: true}}
		}
		return apptest.Echo(c)
	}})
	key := s.Key(apptest.Alpha)
	conv := s.Post(key, chatPath, `{"assistant":"website","message":"t1"}`).Get("conversation_id")
	body := `{"assistant":"website","conversation_id":"` + conv + `","message":"t2"}`
	s.Stream(key, chatPath, strings.Replace(body, "{", `{"stream":true,`, 1), idem, "k-own")
	want(t, s.Post(key, chatPath, body, idem, "k-own"), 200, "message.content", "You said: t2")
	last := string(s.Provider.Calls()[2].Body)
	if strings.Contains(last, "broken half") || strings.Count(last, "t2") != 1 || !strings.Contains(last, "You said: t1") {
		t.Errorf("the model saw %s", last)
	}
}
