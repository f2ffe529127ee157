package prove

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"

	"switchboard/shared/problem"
)

// cell is a maker of attempts in its place.
type cell struct {
	class int
	who   *identity
	route *Route
	make  maker
	turn  float64 // those of a lower one come first
}

// maker makes attempts, a different one each time as far as rng goes; nil = none.
type maker func(rng *rand.Rand) *attempt

// cells are all there are: every class at every route as everybody; and of how many
// classes, routes and identities they are.
func (m *matrix) cells() (out []*cell, groups int) {
	rng := rand.New(rand.NewPCG(m.plan.Seed, 0))
	for _, c := range classes() {
		if len(m.plan.Classes) > 0 && !slices.Contains(m.plan.Classes, c.number) {
			continue
		}
		for _, rt := range m.routes {
			for _, i := range m.who {
				if Unknown(*rt) != "" || rt.Admin && i.kind == "op" || m.without(i, rt) {
					continue
				}
				makers := c.cells(m, i, rt)
				groups += min(1, len(makers))
				for n, at := range rng.Perm(len(makers)) {
					out = append(out, &cell{c.number, i, rt, makers[at], orderOf(c.number, rt, n)})
				}
			}
		}
	}
	rng.Shuffle(len(out), func(a, b int) { out[a], out[b] = out[b], out[a] })
	slices.SortStableFunc(out, func(a, b *cell) int { return cmp.Compare(a.turn, b.turn) })
	return out, groups
}

// orderOf is when the nth cell of its class, route and identity is made. First come
// those that are few and, as the proven company, take turns of which there are few; then
// one of each at every route, all there are where companies' data is, and the rest.
func orderOf(class int, rt *Route, n int) float64 {
	switch {
	case class == 25 || class == 17 || class == 12:
		return 0
	case rt.Admin || rt.Public:
		return float64(n) // the first of each is among the first of all
	}
	return min(float64(n)/1000, 0.9)
}

// without reports whether there can be no control for the identity at the route, for
// nothing is said in the proven company.
func (m *matrix) without(i *identity, rt *Route) bool {
	return m.plan.ReadOnly && i.of == m.proven && !i.dead && m.may(i, rt) && !m.allowed[place(rt, i.name)]
}

// rounds makes as many attempts as there are to be: of each class, route and identity
// one, whatever their number.
func (m *matrix) rounds(ctx context.Context, cells []*cell, groups int) error {
	most := max(m.plan.Attempts, groups)
	if m.plan.Attempts == 0 {
		most = len(cells)
	}
	m.untried = max(0, len(cells)-most)
	for round := 0; most > 0; round++ {
		now := cells[:min(len(cells), most)]
		var g sync.WaitGroup
		for worker := range workers {
			g.Go(func() {
				if err := problem.Guard("prove.rounds", func() error { return m.work(ctx, now, worker, round) }); err != nil {
					m.failing(err)
				}
			})
		}
		g.Wait()
		if err := ctx.Err(); err != nil {
			return err
		}
		if most -= len(now); len(now) == 0 {
			return nil
		}
	}
	return m.broken
}

// failing keeps what ended a worker: the run is none then.
func (m *matrix) failing(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

// work makes one worker's share of a round.
func (m *matrix) work(ctx context.Context, cells []*cell, worker, round int) error {
	for at := worker; at < len(cells); at += workers {
		if ctx.Err() != nil {
			return nil // rounds says so
		}
		m.try(ctx, cells[at], at, round)
		if n := m.passing(); n%5000 == 0 {
			m.tell("%d of %d", n, len(cells))
		}
	}
	return nil
}

// passing counts the cells that were made.
func (m *matrix) passing() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passed++
	return m.passed
}
