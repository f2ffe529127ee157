package prove

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"switchboard/shared/attack"
	"switchboard/shared/problem"
)

// workers is how many attempts are under way at once.
const workers = 4

// DefaultAttempts is enough for all that there are where companies' data is, and for one
// of each kind elsewhere.
const DefaultAttempts = 18_000

// Plan says what to prove, where, and within which bounds.
type Plan struct {
	Server    string // its URL
	Project   string
	Operator  string // operator key
	Assistant string // of the project, to be asked; "" = its first
	Routes    []Route
	Version   string // of this program, for the report

	Attempts  int    // so many; never fewer than one of each class, route and identity; 0 = each that there is, once
	Classes   []int  // only these; empty = all
	Rate      int    // requests a second
	Turns     int    // of the project's own assistant, at most, beside those that every run takes
	Seed      uint64 // of everything random but ids and words
	Timeout   time.Duration
	ReadOnly  bool // nothing is said in the project
	Progress  func(string)
	Finishing func() // nil, or told when the attacks are over
}

// matrix is everything there is to attack, and with what.
type matrix struct {
	plan    Plan
	wire    *wire
	op      *operator
	secrets *secrets
	root    string // what all words begin with
	words   []word
	scan    *attack.Scanner[word]

	proven, canary, near, shut *side
	who                        []*identity
	talks                      []talk
	lists                      []list
	identity                   key // with which the canary says who its visitors are
	routes                     []*Route
	allowed                    map[string]bool      // see place: who is served with their own
	servers                    map[string]*identity // by pattern: somebody who is

	mu              sync.Mutex
	strays          []*side // that an attack made
	notes           []string
	turns           int // of the proven company's assistant
	spared          int // attempts that were not made, for they would have taken one more
	score           map[int]*Row
	passed, untried int             // cells that were made, and that were not
	broken          error           // what ended a worker
	beheld          map[string]bool // see count: the controls that a row has already
}

// sides are the two that attack each other.
func (m *matrix) sides() []*side { return []*side{m.proven, m.canary} }

func newMatrix(p Plan) (*matrix, error) {
	w, err := newWire(p.Server, p.Rate)
	if err != nil {
		return nil, err
	}
	m := &matrix{plan: p, wire: w, root: letters(10), secrets: &secrets{}, allowed: map[string]bool{}, servers: map[string]*identity{}, score: map[int]*Row{}, beheld: map[string]bool{}}
	name := "canary-" + letters(10)
	m.proven = &side{label: "the company", project: p.Project}
	m.canary = &side{label: "the canary", project: name, origin: "https://" + name + ".example"}
	m.near = &side{label: "the canary of the longer name", project: name + "-b", origin: "https://" + name + "-b.example"}
	m.shut = &side{label: "the suspended canary", project: name + "-s", origin: "https://" + name + "-s.example"}
	for _, s := range []*side{m.proven, m.canary, m.near, m.shut} {
		s.keyName = keyName + " " + m.word(s, inKeys, "")
	}
	m.secrets.add(p.Operator)
	life := time.Now().Add(p.Timeout + grace + 5*time.Minute)
	m.op = &operator{identity: &identity{name: "the operator, as nobody", kind: "op", key: p.Operator}, wire: w, life: life, served: map[string]bool{}}
	for n := range p.Routes {
		m.routes = append(m.routes, &p.Routes[n])
	}
	return m, nil
}

func (m *matrix) tell(format string, args ...any) {
	if m.plan.Progress != nil {
		m.plan.Progress(m.secrets.redact(fmt.Sprintf(format, args...)))
	}
}

// note is kept for the report's list of what was not tested.
func (m *matrix) note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes = append(m.notes, m.secrets.redact(fmt.Sprintf(format, args...)))
}

// took counts a turn that the proven company's assistant is asked for.
func (m *matrix) took(i *identity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i.of == m.proven {
		m.turns++
	}
}

// Run proves the plan's project and reports. What it made is cleaned up when it returns,
// whatever it returns; the report is there also where the run failed, unless nothing had
// begun.
func Run(ctx context.Context, p Plan) (*Report, error) {
	m, err := newMatrix(p)
	if err != nil {
		return nil, err
	}
	defer m.wire.close()
	began := time.Now()
	running, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	err = problem.Guard("prove.Run", func() error { return m.attack(running) })
	if p.Finishing != nil {
		p.Finishing()
	}
	m.tell("cleaning up: revoking keys, suspending the canaries")
	cleaned := m.clean(ctx)
	return m.report(began, cleaned, err), err
}

// attack makes the stage, the controls, the attempts, and the controls again.
func (m *matrix) attack(ctx context.Context) error {
	if err := m.stage(ctx); err != nil {
		return err
	}
	m.scan = newScanner(m.root, m.words)
	m.probe(ctx)
	m.mutes()
	m.readLists(ctx)
	cells, groups := m.cells()
	m.tell("%d routes, %d identities, %d cells; seed %d", len(m.routes), len(m.who), len(cells), m.plan.Seed)
	if err := m.rounds(ctx, cells, groups); err != nil {
		return err
	}
	return m.again(ctx)
}

// probe learns who is served what with all that is their own. It is the control of every
// refusal, and searches these answers like all others.
func (m *matrix) probe(ctx context.Context) {
	for _, rt := range m.routes {
		if rt.Admin {
			m.allowed[place(rt, "")] = m.op.served[rt.Pattern]
			m.allowed[place(rt, m.op.name)] = m.op.served[rt.Pattern]
			continue
		}
		for _, i := range m.who {
			if rt.Public && i.kind != "" || rt.turns() && i.of == m.proven && m.plan.ReadOnly {
				continue
			}
			if rt.turns() && m.may(i, rt) {
				m.took(i)
			}
			a := m.whole(i, rt)
			r := m.wire.send(ctx, a)
			if r.err == nil && r.status < 400 && !m.may(i, rt) {
				m.fail(12, rt, a, r, fmt.Sprintf("served with %d who may not ask", r.status))
				continue
			}
			if r.err == nil && r.status == 200 {
				m.allowed[place(rt, i.name)], m.allowed[place(rt, "")], m.servers[rt.Pattern] = true, true, i
			}
			if wrong := m.leak(a, r); wrong != "" {
				m.fail(1, rt, a, r, wrong)
			}
		}
	}
}

// mutes finds who was served nowhere: what they are refused says nothing.
func (m *matrix) mutes() {
	for _, i := range m.who {
		served := i.kind == "" || i.kind == "op" || i.dead
		for _, rt := range m.routes {
			served = served || m.allowed[place(rt, i.name)]
		}
		i.mute = !served && !(m.plan.ReadOnly && i.of == m.proven)
	}
}

// again holds at the end that who was served still is: a key that died on the way would
// have been refused whatever it asked.
func (m *matrix) again(ctx context.Context) error {
	for _, i := range m.who {
		rt := m.free(i)
		if rt == nil {
			continue
		}
		r := m.wire.send(ctx, m.whole(i, rt))
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.status != 200 {
			m.mu.Lock()
			for _, row := range m.score {
				row.hollow(1, fmt.Sprintf("%s was served at the beginning, and answered %d at the end", i.name, r.status))
			}
			m.mu.Unlock()
		}
	}
	return nil
}

// free is a route at which the identity is served and that asks no model; nil if there
// is none.
func (m *matrix) free(i *identity) *Route {
	for _, rt := range m.routes {
		if !rt.Public && !rt.Admin && !rt.turns() && m.allowed[place(rt, i.name)] {
			return rt
		}
	}
	return nil
}

// afford reports whether the attempt may be made: one that is served by the proven
// company's assistant costs a turn of it.
func (m *matrix) afford(a *attempt) bool {
	if a.who.of != m.proven || a.who.dead || a.must || a.route == nil || !a.route.turns() || !m.may(a.who, a.route) {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.plan.ReadOnly || m.plan.Turns <= 0 {
		m.spared++
		return false
	}
	m.plan.Turns--
	m.turns++
	return true
}

// try makes one attempt of the cell's, with its control beside it.
func (m *matrix) try(ctx context.Context, c *cell, n, round int) {
	rng := rand.New(rand.NewPCG(m.plan.Seed, uint64(n)<<20|uint64(round)))
	a := c.make(rng)
	if a == nil || a.route != nil && m.without(a.who, a.route) || !m.afford(a) {
		return
	}
	if a.before != nil {
		a.before(ctx)
	}
	r := m.wire.send(ctx, a)
	if ctx.Err() != nil {
		return // nobody knows what became of it
	}
	f := fate{wrong: m.leak(a, r)}
	if f.wrong == "" {
		f = m.judge(a, r)
	}
	if a.check != nil && f == (fate{}) {
		f = a.check(r)
	}
	m.count(c.class, c.route, a, r, f)
	if len(a.twins) == 2 && f == (fate{}) {
		m.oracle(ctx, c.route, a, r)
	}
	if rng.IntN(8) == 0 {
		m.beside(ctx, c)
	}
	if r.status != 0 && r.status < 400 && c.route.Pattern == "POST "+adminProjects {
		m.mu.Lock()
		m.strays = append(m.strays, &side{label: "a company that an attack made", project: m.near.project + "-x", made: true})
		m.mu.Unlock()
	}
}

// oracle is class 24: what is another's is answered as what nobody has.
func (m *matrix) oracle(ctx context.Context, rt *Route, a *attempt, r answer) {
	one, two := m.wire.send(ctx, a.twins[0]), m.wire.send(ctx, a.twins[1])
	if ctx.Err() != nil {
		return
	}
	f := m.judge(a.twins[0], one)
	if f == (fate{}) {
		f.wrong = same(r, one, two)
	}
	m.count(24, rt, a, r, f)
}

// beside asks for what the identity of the cell, or else anybody, may have there.
func (m *matrix) beside(ctx context.Context, c *cell) {
	i, rt := c.who, c.route
	if !m.allowed[place(rt, i.name)] {
		i = m.servers[rt.Pattern]
	}
	if i == nil || rt.Admin || rt.Public || rt.turns() && i.of == m.proven {
		return
	}
	a := m.whole(i, rt)
	r := m.wire.send(ctx, a)
	if ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	row := m.row(c.class)
	row.Controls++
	if r.status != 200 {
		row.hollow(1, fmt.Sprintf("control: %s was answered %d at %s", i.name, r.status, rt.Pattern))
	}
}
