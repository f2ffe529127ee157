package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"switchboard/shared/app/apptest"
	"switchboard/shared/model/modeltest"
)

// TestNoTurnIsForgotten: A and B overlap, and C, which begins when A has ended, comes
// to nothing. Who asks then is answered with both in mind.
func TestNoTurnIsForgotten(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{"in memory": nil, "in Redis": {"REDIS_URL": "redis://" + miniredis.RunT(t).Addr()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overlap(t, env)
		})
	}
}

func overlap(t *testing.T, env map[string]string) {
	gates := map[string]chan struct{}{"turn-A": make(chan struct{}), "turn-B": make(chan struct{}), "turn-C": make(chan struct{})}
	seen := make(chan string, 2)
	s := apptest.Start(t, apptest.Options{Env: env, Script: func(c modeltest.Call) modeltest.Script {
		switch c.User {
		case "turn-A", "turn-B":
			return append(modeltest.Script{{Text: "re " + c.User, Wait: gates[c.User]}}, apptest.Says()...)
		case "turn-C":
			return modeltest.Script{{Fail: &modeltest.Failure{Status: 400}, Wait: gates[c.User]}}
		case "turn-D", "turn-E":
			seen <- string(c.Body)
		}
		return apptest.Says("re ", c.User)
	}})
	key := s.Key(apptest.Alpha)
	conv := s.Post(key, chatPath, `{"assistant":"website","message":"turn-0"}`).Get("conversation_id")
	begin := func(message string) (end func()) { // it returns once the turn has read its window
		body := fmt.Sprintf(`{"stream":true,"assistant":"website","message":%q,"conversation_id":%q}`, message, conv)
		res, err := s.Send(t.Context(), key, "POST", chatPath, body)
		if err != nil {
			t.Fatal(err)
		}
		next := apptest.Events(res.Body)
		next()
		return func() {
			close(gates[message])
			for _, ok := next(); ok; _, ok = next() {
			}
			res.Body.Close()
		}
	}
	endA, endB := begin("turn-A"), begin("turn-B")
	endA()
	endC := begin("turn-C")
	endB()
	endC()
	for _, m := range []string{"turn-D", "turn-E"} {
		want(t, s.Post(key, chatPath, fmt.Sprintf(`{"assistant":"website","message":%q,"conversation_id":%q}`, m, conv)), 200)
		if got := <-seen; !strings.Contains(got, "re turn-A") || !strings.Contains(got, "re turn-B") {
			t.Errorf("the prompt of %s has A: %v, B: %v", m, strings.Contains(got, "re turn-A"), strings.Contains(got, "re turn-B"))
		}
	}
}
