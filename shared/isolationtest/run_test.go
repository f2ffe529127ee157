package isolationtest_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/shared/tenant/auth"
)

// class is one of the ways in which tenants have been crossed elsewhere. Its
// generator is asked for every identity at every route.
type class struct {
	number int
	name   string
	cells  func(w *world, i *identity, rt *auth.Route) []maker
}

// maker makes attempts, a different one each time as far as rng goes.
type maker func(rng *rand.Rand) *attempt

// cell is a maker in its place.
type cell struct {
	class  int
	make   maker
	costly bool // it writes: the later rounds have it seldom
}

// tally is what became of a class's attempts.
type tally struct {
	attempts, refused, served, failures int
	took                                time.Duration
}

func (t *tally) add(o *tally) {
	t.attempts, t.refused, t.served, t.failures, t.took = t.attempts+o.attempts, t.refused+o.refused, t.served+o.served, t.failures+o.failures, t.took+o.took
}

// probe learns who is allowed what with ids of their own. It is the control of every
// refusal.
func (w *world) probe() {
	w.allowed = map[string]bool{}
	for n := range w.routes {
		rt := &w.routes[n]
		for _, i := range w.who {
			for _, f := range append([]string{""}, rt.IDs...) {
				ids := map[string]string{}
				if f != "" {
					ids[f] = w.own(i, domainOf(rt.Pattern, f))
				}
				if r := w.send(w.ask(i, rt, ids)); r.status == 200 {
					w.allowed[place(rt, f, i.name)], w.allowed[place(rt, f, "")] = true, true
				}
			}
		}
	}
}

// place names somebody at a route's field; nobody's name is anybody.
func place(rt *auth.Route, field, who string) string { return rt.Pattern + " " + field + " " + who }

// cells are all there are.
func (w *world) cells() (out []*cell) {
	for _, c := range classes() {
		for n := range w.routes {
			for _, i := range w.who {
				for _, m := range c.cells(w, i, &w.routes[n]) {
					out = append(out, &cell{class: c.number, make: m})
				}
			}
		}
	}
	return out
}

// judge says what is wrong with an answer's status; "" = nothing.
func (w *world) judge(a *attempt, r response) string {
	if r.status == 0 || r.status >= 500 {
		return fmt.Sprintf("status %d", r.status)
	}
	if r.status < 400 && (a.must || a.route != nil && !a.route.Public && !w.allowed[place(a.route, "", a.who.name)]) {
		return fmt.Sprintf("served with %d", r.status)
	}
	return ""
}

// leak names what is in the answer and is not the caller's; "" = nothing.
func (w *world) leak(a *attempt, r response) string {
	all := slices.Clone(r.body)
	for _, name := range slices.Sorted(maps.Keys(r.header)) {
		all = append(all, "\n"+name+": "+strings.Join(r.header[name], ",")...)
	}
	for _, c := range w.Find(all) {
		if !w.may(a, c) && !strings.Contains(a.target+a.body, c.word) { // what they said themselves tells them nothing
			return "the canary " + c.word
		}
	}
	for _, s := range w.secrets {
		if bytes.Contains(all, []byte(s.text)) {
			return "a secret"
		}
	}
	for _, v := range w.victims {
		if bytes.Contains(all, []byte(v.id)) && !w.reads(a.who, v.project, v.person) {
			return "the conversation " + v.id
		}
	}
	return ""
}

// may reports whether the canary may be in what the attempt's identity is answered.
func (w *world) may(a *attempt, c canary) bool {
	target, err := url.PathUnescape(a.target)
	if err != nil {
		target = a.target
	}
	named, key := strings.HasPrefix(c.word, root+"name") || strings.HasPrefix(c.word, root+"desk"), strings.HasPrefix(c.word, root+"key")
	switch {
	case a.route != nil && a.route.Public:
		return named // the demo pages are the companies' shop windows
	case a.who.name == "op" || a.who.name == "op(acts)" && strings.HasPrefix(target, "/admin/"):
		// An operator defines the company that the path names. What is said there is not theirs.
		defined := strings.HasPrefix(c.word, root+"rule") || strings.HasPrefix(c.word, root+"fees")
		return named || key || defined && strings.HasPrefix(target+"/", "/admin/v1/projects/"+c.project+"/")
	case c.public:
		return c.project == a.who.project
	}
	return w.reads(a.who, c.project, c.person)
}

// same says how two answers differ; "" = not at all.
func same(a, b response) string {
	switch {
	case a.status != b.status:
		return fmt.Sprintf("%d, and %d for one that nobody has", a.status, b.status)
	case !bytes.Equal(a.body, b.body):
		return fmt.Sprintf("%s, and %s for one that nobody has", a.body, b.body)
	case fmt.Sprint(a.header) != fmt.Sprint(b.header):
		return fmt.Sprintf("%v, and %v for one that nobody has", a.header, b.header)
	}
	return ""
}

// runner makes attempts and keeps the score.
type runner struct {
	w     *world
	t     *testing.T
	mu    sync.Mutex
	score map[int]*tally
	shown atomic.Int32
}

// most is how many failures are shown; thousands of the same tell nobody more, so with
// them the run ends.
const most = 25

// try makes one attempt of the cell's.
func (r *runner) try(ctx context.Context, c *cell, n, round int) {
	rng := rand.New(rand.NewPCG(*seed, uint64(n)<<20|uint64(round)))
	began := time.Now()
	a := c.make(rng)
	answer := r.w.sendIn(ctx, a)
	var one tally
	one.attempts = 1
	gone := ctx.Err() != nil // nobody reads the answer; it is searched all the same
	wrong := r.w.leak(a, answer)
	if wrong == "" && !gone {
		wrong = r.w.judge(a, answer)
	}
	if answer.status >= 400 {
		one.refused = 1
	} else {
		one.served = 1
	}
	if a.check != nil && wrong == "" && !gone {
		wrong = a.check(answer)
	}
	if a.twin != nil && wrong == "" && !gone {
		wrong = same(answer, r.w.send(a.twin))
		r.count(24, &tally{attempts: 1, refused: 1, failures: failed(wrong)})
	}
	post := a.method != "GET" && a.method != "HEAD"
	c.costly = c.costly || post && a.route != nil && !a.route.Public && r.w.allowed[place(a.route, "", a.who.name)] && (answer.status < 400 || answer.status == 404 || answer.status == 409)
	one.failures, one.took = failed(wrong), time.Since(began)
	r.count(c.class, &one)
	if wrong != "" {
		r.report(c.class, a, answer, wrong, n, round)
	}
}

func failed(wrong string) int {
	if wrong != "" {
		return 1
	}
	return 0
}

func (r *runner) count(class int, one *tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.score[class] == nil {
		r.score[class] = &tally{}
	}
	r.score[class].add(one)
}

// report shows a failure whole.
func (r *runner) report(class int, a *attempt, answer response, wrong string, n, round int) {
	if r.shown.Add(1) > most {
		return
	}
	r.t.Errorf("class %d, %s: %s\n\tseed %d, cell %d, round %d: %s\n\t%s %s %q %.300s\n\tanswer: %d %.300s",
		class, a.who.name, wrong, *seed, n, round, a.note, a.method, a.target, a.header, a.body, answer.status, answer.body)
}

// print writes a line for each class and checks that each had attempts.
func (r *runner) print(began time.Time, cells int) {
	var total tally
	for _, c := range append(classes(), class{number: 24, name: "existence oracle: foreign and unknown are answered alike"}) {
		s := r.score[c.number]
		if s == nil || s.attempts == 0 {
			r.t.Errorf("class %d (%s) made no attempt", c.number, c.name)
			continue
		}
		total.add(s)
		r.t.Logf("class %2d  %7d attempts  %7d refused  %6d served their own  %d failures  %6.2fs  %s",
			c.number, s.attempts, s.refused, s.served, s.failures, s.took.Seconds(), c.name)
	}
	r.t.Logf("all       %7d attempts  %7d refused  %6d served their own  %d failures  %6.2fs  %d cells, seed %d",
		total.attempts, total.refused, total.served, total.failures, time.Since(began).Seconds(), cells, *seed)
}

// state is all that the attacks must leave as it is.
func (w *world) state() map[string]string {
	out := map[string]string{}
	op := w.by["op"]
	for _, v := range w.victims {
		r := w.send(&attempt{who: op, method: "GET", target: "/v1/conversations/" + v.id, header: []string{"Act-As", v.project, "Act-As-Reason", "to look at it"}})
		out["conversation "+v.id] = fmt.Sprint(r.status, string(r.body))
	}
	for _, p := range everyone {
		if p == delta { // whose lot is to be administered
			continue
		}
		for _, of := range []string{"", "/keys"} {
			r := w.send(&attempt{who: op, method: "GET", target: "/admin/v1/projects/" + p + of})
			out["project "+p+of] = fmt.Sprint(r.status, string(r.body))
		}
	}
	return out
}

// TestMatrix attacks every field of every route, as everybody, in every way there is.
func TestMatrix(t *testing.T) {
	t.Parallel()
	began := time.Now()
	w := newWorld(t)
	w.controls(t)
	cells := w.cells()
	before := w.state()
	r := &runner{w: w, t: t, score: map[int]*tally{}}
	r.rounds(cells, *attempts)
	after := w.state()
	for what, text := range before {
		if !strings.HasPrefix(text, "200") || after[what] != text {
			t.Errorf("%s was %s and is %s", what, text, after[what])
		}
	}
	r.print(began, len(cells))
}

// rounds makes at least so many attempts: each cell's once, and then again.
func (r *runner) rounds(cells []*cell, least int) {
	made := func() (n int) {
		for _, s := range r.score {
			n += s.attempts
		}
		return n
	}
	const workers = 4
	for round := 0; (round == 0 || made() < least) && r.shown.Load() < most; round++ {
		var g sync.WaitGroup
		for worker := range workers {
			g.Go(func() {
				for n := worker; n < len(cells); n += workers {
					if c := cells[n]; r.shown.Load() < most && (!c.costly || round == 0 || (n+round)%8 == 0) {
						r.try(context.Background(), c, n, round)
					}
				}
			})
		}
		g.Wait()
	}
}

// controls hold that every field of every route serves somebody their own: what is
// refused to all proves nothing.
func (w *world) controls(t *testing.T) {
	t.Helper()
	for n := range w.routes {
		rt := &w.routes[n]
		for _, f := range append([]string{""}, rt.IDs...) {
			if !w.allowed[place(rt, f, "")] && !rt.Public {
				t.Errorf("control: %s serves nobody their own %s", rt.Pattern, f)
			}
		}
	}
	for _, c := range []struct{ route, who string }{
		{"POST /v1/chat", "sk"}, {"POST /v1/chat", "ada"}, {"GET /v1/conversations/{id}", "ada"}, {"GET /v1/conversations/{id}", "viewer"},
		{"GET /v1/conversations/{id}", "op(acts)"}, {"POST /v1/widget/token", "pk"}, {"GET /admin/v1/projects", "op"}, {"GET /v1/models", "sk(neighbour)"},
	} {
		if !w.allowed[c.route+"  "+c.who] {
			t.Errorf("control: %s is not allowed %s", c.who, c.route)
		}
	}
}
