package isolationtest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"switchboard/shared/app/apptest"
	"switchboard/shared/attack"
	"switchboard/shared/tenant/auth"
)

// cursors is class 10.
func cursors(w *world, i *identity, rt *auth.Route) (out []maker) {
	var lists []*attempt // whose answers have a cursor: the owners' own
	for _, v := range w.victims {
		if v.reader.name != "suspended" {
			lists = append(lists, w.get(v.reader, "/v1/conversations/"+v.id+"?limit=1"))
		}
	}
	for _, p := range []string{alpha, beta} {
		lists = append(lists, w.get(w.by["op"], "/admin/v1/projects/"+p+"/keys?limit=1"))
	}
	switch rt.Pattern {
	case "GET /v1/conversations/{id}", "GET /admin/v1/projects/{project}/keys":
	default:
		return nil
	}
	for n, list := range lists {
		first := w.send(list)
		cursor := apptest.Get(first.body, "next_cursor")
		if first.status != 200 || len(cursor) < 20 {
			w.t.Errorf("control: %s of %s has no cursor: %d %s", list.target, list.who.name, first.status, first.body)
			continue
		}
		out = append(out, func(rng *rand.Rand) *attempt { // on one's own list, or whichever one may see
			a := w.ask(i, rt, nil)
			a.must = true
			a.target += "?limit=1&cursor=" + cursor
			return a
		}, func(rng *rand.Rand) *attempt { // on the list it is of, as somebody else
			a := w.get(i, list.target+"&cursor="+cursor)
			a.must = i.key != list.who.key || strings.Contains(list.target, "/admin/") && !strings.HasPrefix(i.name, "op")
			return a
		}, func(rng *rand.Rand) *attempt { // by its owner, on another list of theirs
			other := lists[(n+1+rng.IntN(len(lists)-1))%len(lists)]
			a := w.get(list.who, other.target+"&cursor="+cursor)
			a.must = true
			return a
		}, func(rng *rand.Rand) *attempt { // edited
			at := rng.IntN(len(cursor))
			c := string("AQgw"[rng.IntN(4)])
			if cursor[at] == c[0] {
				c = "x"
			}
			edits := []string{cursor[:at] + c + cursor[at+1:], cursor[:at], cursor + c, cursor[at:], cursor + "=", cursor + "%0a", "null", strings.ToLower(cursor) + "A", cursor[:at] + "%00" + cursor[at:]}
			edited := attack.Pick(rng, edits)
			if edited == cursor || edited == "" {
				edited = "x"
			}
			a := w.get(list.who, list.target+"&cursor="+edited)
			a.must = true
			return a
		}, func(rng *rand.Rand) *attempt { // as it is meant, which goes on
			a := w.get(list.who, list.target+"&cursor="+cursor)
			a.check = func(r response) string {
				if r.status != 200 {
					return fmt.Sprintf("control: its own cursor is answered %d", r.status)
				}
				return ""
			}
			return a
		})
	}
	return out
}

// get reads a path, with the route that will answer.
func (w *world) get(i *identity, target string) *attempt {
	a := &attempt{who: i, method: "GET", target: target}
	for n := range w.routes {
		if p := w.routes[n].Pattern; p == "GET /v1/conversations/{id}" && strings.HasPrefix(target, "/v1/conv") ||
			p == "GET /admin/v1/projects/{project}/keys" && strings.HasPrefix(target, "/admin/") {
			a.route = &w.routes[n]
		}
	}
	return a
}

// sameKey is class 25: two who use one key have two turns, and one has one.
func sameKey(w *world, i *identity, rt *auth.Route) (out []maker) {
	if rt.Pattern != "POST /v1/chat" && rt.Pattern != "POST /v1/chat/completions" || !w.allowed[place(rt, "", i.name)] {
		return nil
	}
	id := map[bool]string{true: "turn_id", false: "switchboard.turn_id"}[rt.Pattern == "POST /v1/chat"]
	for _, other := range w.who {
		if !w.allowed[place(rt, "", other.name)] {
			continue
		}
		out = append(out, func(rng *rand.Rand) *attempt {
			key := []string{"Idempotency-Key", fmt.Sprintf("%d-%d", *seed, rng.Uint64())}
			first, a := w.ask(i, rt, nil), w.ask(other, rt, nil)
			first.header, a.header = key, key
			turn := apptest.Get(w.send(first).body, id)
			a.check = func(r response) string {
				again := apptest.Get(r.body, id)
				switch one := i == other; {
				case r.status != 200 || turn == "" || again == "":
					return fmt.Sprintf("control: %d, turns %q and %q", r.status, turn, again)
				case one != (turn == again):
					return fmt.Sprintf("%s and %s have the turns %s and %s under one key", i.name, other.name, turn, again)
				}
				return ""
			}
			return a
		})
	}
	return out
}
