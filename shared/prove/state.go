package prove

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"switchboard/shared/attack"
)

// list is something that is read in pages, and a cursor within it.
type list struct {
	owner  *identity
	route  *Route
	target string
	cursor string
}

// readLists reads first pages, by whoever may, to have cursors to attack.
func (m *matrix) readLists(ctx context.Context) {
	for _, rt := range m.routes {
		for _, c := range m.talks {
			if rt.Pattern == "GET /v1/conversations/{id}" {
				m.addList(ctx, list{owner: c.owner, route: rt, target: "/v1/conversations/" + c.id + "?limit=1"})
			}
		}
		for _, s := range m.sides() {
			if rt.Pattern == "GET "+adminProject+"/keys" {
				m.addList(ctx, list{owner: m.op.identity, route: rt, target: adminProjects + "/" + s.project + "/keys?limit=1"})
			}
		}
	}
}

func (m *matrix) addList(ctx context.Context, l list) {
	var page struct {
		Next string `json:"next_cursor"`
	}
	r := m.wire.send(ctx, &attempt{who: l.owner, method: "GET", target: l.target})
	if err := read(r, &page); err != nil || len(page.Next) < 20 {
		m.note("a list of %s gave no cursor to attack", l.owner.name)
		return
	}
	l.cursor = url.QueryEscape(page.Next)
	m.lists = append(m.lists, l)
}

// cursors is class 10.
func cursors(m *matrix, i *identity, rt *Route) (out []maker) {
	if rt.Pattern != "GET /v1/conversations/{id}" && rt.Pattern != "GET "+adminProject+"/keys" {
		return nil
	}
	get := func(who *identity, l list, target string, must bool) *attempt {
		return &attempt{who: who, route: l.route, method: "GET", target: target, must: must}
	}
	for n, l := range m.lists {
		out = append(out, always(func() *attempt { // on one's own list, or whichever one may see
			a := m.ask(i, rt, nil)
			a.must, a.target = true, a.target+"?limit=1&cursor="+l.cursor
			if strings.HasPrefix(l.target, strings.SplitN(a.target, "?", 2)[0]+"?") && m.may(i, rt) {
				a.must = false // that very list
			}
			return a
		}), always(func() *attempt { // on the list it is of, as somebody else
			if i == l.owner {
				return nil
			}
			return get(i, l, l.target+"&cursor="+l.cursor, true)
		}), func(rng *rand.Rand) *attempt { // by its owner, on another list
			other := m.lists[rng.IntN(len(m.lists))]
			if other.target == m.lists[n].target || i != l.owner {
				return nil
			}
			return get(l.owner, other, other.target+"&cursor="+l.cursor, true)
		}, func(rng *rand.Rand) *attempt { // edited
			at := rng.IntN(len(l.cursor))
			c := "A"
			if l.cursor[at] == 'A' {
				c = "x"
			}
			edits := []string{l.cursor[:at] + c + l.cursor[at+1:], l.cursor[:at], l.cursor + c, l.cursor[at:], l.cursor + "%3D", l.cursor + "%0a", "null", l.cursor[:at] + "%00" + l.cursor[at:]}
			if e := attack.Pick(rng, edits); e != l.cursor && e != "" {
				return get(l.owner, l, l.target+"&cursor="+e, true)
			}
			return nil
		}, always(func() *attempt { // as it is meant, which goes on
			a := get(l.owner, l, l.target+"&cursor="+l.cursor, false)
			a.check = func(r answer) fate {
				if r.status != 200 {
					return fate{hollow: fmt.Sprintf("control: a cursor is answered its owner %d", r.status)}
				}
				return fate{}
			}
			return a
		}))
	}
	return out
}

// turnOf is the id of the turn that was answered.
func turnOf(r answer) string {
	var out struct {
		Turn        string `json:"turn_id"`
		Switchboard struct {
			Turn string `json:"turn_id"`
		} `json:"switchboard"`
	}
	if r.status != 200 || json.Unmarshal(r.body, &out) != nil {
		return ""
	}
	return out.Turn + out.Switchboard.Turn
}

// sameKey is class 25: two companies that use one key have two turns, and one has one.
func sameKey(m *matrix, i *identity, rt *Route) (out []maker) {
	if !rt.turns() || !m.may(i, rt) {
		return nil
	}
	for _, other := range m.who {
		// One of the two may be the proven company, so each pair costs it a turn.
		if !m.may(other, rt) || other.of == m.proven && (i.of == m.proven || m.plan.ReadOnly) {
			continue
		}
		out = append(out, func(rng *rand.Rand) *attempt {
			return m.keyed(i, other, rt, fmt.Sprintf("%s-%d", m.root, rng.Uint64()))
		})
	}
	return out
}

// keyed has the other take a turn under the key before the identity does.
func (m *matrix) keyed(i, other *identity, rt *Route, key string) *attempt {
	header := []string{"Idempotency-Key", key}
	first, a := m.ask(other, rt, nil), m.ask(i, rt, nil)
	first.header, a.header = header, header
	if !m.afford(first) {
		return nil
	}
	var turn string
	a.before = func(ctx context.Context) { turn = turnOf(m.wire.send(ctx, first)) }
	a.check = func(r answer) fate {
		switch again := turnOf(r); {
		case turn == "" || again == "":
			return fate{hollow: fmt.Sprintf("control: a turn under a key is answered %d", r.status)}
		case i == other && turn != again:
			return fate{hollow: "control: one caller has two turns under one key"}
		case i != other && turn == again:
			return fate{wrong: "two callers have one turn under one key"}
		}
		return fate{}
	}
	return a
}

// resumes is class 16: what clients send who were cut off.
func resumes(m *matrix, i *identity, rt *Route) (out []maker) {
	if !rt.has("conversation_id") {
		return nil
	}
	for _, id := range m.foreign(i, rt, "conversation_id") {
		for _, h := range [][]string{{"Last-Event-Id", "1"}, {"Accept", "text/event-stream"}, {"Idempotency-Key", "resume-" + m.root}, {"Range", "bytes=0-"}} {
			out = append(out, always(func() *attempt {
				a := m.ask(i, rt, map[string]string{"conversation_id": id})
				a.must, a.body, a.header = true, `{"stream":true,`+a.body[1:], h
				return a
			}))
		}
		for _, end := range []string{"/stream/", "/messages", "/feedback", "/handoff", "/stream/" + id} {
			out = append(out, always(func() *attempt {
				return &attempt{who: i, must: true, method: "GET", target: "/v1/conversations/" + url.PathEscape(id) + end}
			}))
		}
	}
	return out
}

// knowledge is class 17: whoever asks with the words of another's article is answered
// from their own. The words are the canaries'; the proven company is seen from theirs, as
// nothing in it is known here: whatever a canary cites has to be the canary's.
func knowledge(m *matrix, i *identity, rt *Route) (out []maker) {
	if rt.Pattern != "POST /v1/chat" || !m.may(i, rt) {
		return nil
	}
	ask := func(text string) maker {
		return always(func() *attempt {
			a := m.ask(i, rt, nil)
			a.body = strings.Replace(a.body, question, text, 1)
			a.check = func(r answer) fate { return m.cites(i, r) }
			return a
		})
	}
	for _, w := range m.words {
		if w.what == inFees && w.of != i.of {
			out = append(out, ask("What of "+w.text+"?"))
		}
	}
	if i.of != m.proven {
		for _, text := range []string{"What does a visit cost on weekdays?", "When are you open, and where?", "What do you sell, and at what price?", "How can I reach you?"} {
			out = append(out, ask(text))
		}
	}
	return out
}

// cites says whether all that a canary's answer cites is its own.
func (m *matrix) cites(i *identity, r answer) fate {
	var out struct {
		Citations []struct {
			Title string `json:"title"`
		} `json:"citations"`
	}
	if err := read(r, &out); err != nil {
		return fate{hollow: "control: a question is answered " + err.Error()}
	}
	for _, c := range out.Citations {
		own := i.of == m.proven // whose articles are not known here
		for _, w := range m.words {
			own = own || w.of == i.of && w.what == inFees && strings.Contains(c.Title, w.text)
		}
		if !own {
			return fate{wrong: "an answer cites an article that is not the company's"}
		}
	}
	return fate{}
}

// shutOut is class 12: who is revoked or suspended stays out by every way in.
func shutOut(m *matrix, i *identity, rt *Route) (out []maker) {
	if rt.Public || !i.dead {
		return nil
	}
	empty := ""
	for n := range 5 {
		out = append(out, func(rng *rand.Rand) *attempt {
			a := m.ask(i, rt, nil)
			a.must = true
			switch n {
			case 1:
				a.key, a.header = &empty, []string{"X-Api-Key", i.key}
			case 2:
				a.header = []string{"X-Api-Key", i.key}
			case 3:
				a.header = []string{"Idempotency-Key", fmt.Sprint(rng.IntN(5))}
			case 4:
				a.header = []string{"Act-As", i.of.project, "Act-As-Reason", "because I would like to"}
			}
			return a
		})
	}
	for _, c := range m.talks { // what was theirs, too
		for _, f := range rt.IDs {
			if domainOf(rt.Pattern, f) == aConversation && c.of == i.of {
				out = append(out, always(func() *attempt {
					a := m.ask(i, rt, map[string]string{f: c.id})
					a.must = true
					return a
				}))
			}
		}
	}
	return out
}
