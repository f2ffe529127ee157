package chat_test

import (
	"fmt"
	"testing"

	"switchboard/shared/app/apptest"
)

// A visitor's token is for one visitor, one assistant and one site: what it takes is
// its own, by whatever field it asks for another's.
func TestAVisitorHasTheirOwnAlone(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: apptest.Echo})
	sk, ada, bob := s.Key(apptest.Alpha), s.Token(apptest.Alpha, "ada"), s.Token(apptest.Alpha, "bob")
	page := []string{"Origin", apptest.Origin(apptest.Alpha)}
	neighbor, there := s.Token(apptest.Beta, "ada"), []string{"Origin", apptest.Origin(apptest.Beta)}

	first := s.Post(ada, chatPath, `{"assistant":"website","message":"I am Ada"}`, page...)
	want(t, first, 200)
	conv := first.Get("conversation_id")
	path, more := "/v1/conversations/"+conv, fmt.Sprintf(`{"assistant":"website","message":"and?","conversation_id":%q}`, conv)
	want(t, s.Do(ada, "GET", path, "", page...), 200, "user.id", "visitor:~ada", "messages.0.content", "I am Ada")
	want(t, s.Post(ada, chatPath, more, page...), 200, "conversation_id", conv)
	want(t, s.Do(sk, "GET", path, ""), 200) // the company sees all of its own

	unknown := s.Do(bob, "GET", "/v1/conversations/01JDCTS5QK8Z2V7M4N6P9R3T1C", "", page...)
	want(t, unknown, 404)
	for name, a := range map[string]apptest.Answer{
		"reads it":                    s.Do(bob, "GET", path, "", page...),
		"goes on with it":             s.Post(bob, chatPath, more, page...),
		"the neighbour reads it":      s.Do(neighbor, "GET", path, "", there...),
		"the neighbour goes on":       s.Post(neighbor, chatPath, more, there...),
		"begins with a foreign model": s.Post(bob, chatPath, `{"assistant":"chain","message":"hi"}`, page...),
	} {
		if want(t, a, 404); a.Get("detail") != unknown.Get("detail") {
			t.Errorf("bob, %s: %s", name, a.Body)
		}
	}
	want(t, s.Post(bob, chatPath, `{"assistant":"website","message":"hi","user":{"id":"visitor:~ada"}}`, page...), 400, "field", "user.id")
	want(t, s.Post(bob, chatPath, `{"assistant":"website","message":"hi","user":{"id":"bob","name":"Bob"}}`, page...), 200)

	// A conversation that the company began with nobody in particular is no visitor's.
	anon := s.Post(sk, chatPath, `{"assistant":"website","message":"hi"}`).Get("conversation_id")
	want(t, s.Do(bob, "GET", "/v1/conversations/"+anon, "", page...), 404)
	want(t, s.Post(bob, chatPath, fmt.Sprintf(`{"assistant":"website","message":"hi","conversation_id":%q}`, anon), page...), 404)
}

// Two visitors whose pages make up the same key have each their own turn.
func TestAKeyIsTheVisitorsOwn(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Script: apptest.Echo})
	turns := map[string]string{}
	for _, name := range []string{"ada", "bob", "ada"} {
		a := s.Post(s.Token(apptest.Alpha, name), chatPath, `{"assistant":"website","message":"hi"}`, "Origin", apptest.Origin(apptest.Alpha), idem, "1")
		want(t, a, 200)
		if turn := turns[name]; turn != "" && turn != a.Get("turn_id") {
			t.Errorf("%s: %s and %s", name, turn, a.Get("turn_id"))
		}
		turns[name] = a.Get("turn_id")
	}
	if turns["ada"] == turns["bob"] {
		t.Error("two visitors have one turn")
	}
	if n := len(s.Provider.Calls()); n != 2 {
		t.Errorf("the model was asked %d times", n)
	}
}
