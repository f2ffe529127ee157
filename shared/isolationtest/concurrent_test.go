package isolationtest_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestConcurrent makes a sample of the matrix's attempts 64 at a time, some of which
// their clients give up. `make verify` runs it under the race detector.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	began := time.Now()
	w := newWorld(t)
	w.controls(t)
	cells := w.cells()
	before := w.state()
	r := &runner{w: w, t: t, score: map[int]*tally{}}
	order := rand.New(rand.NewPCG(*seed, 64)).Perm(max(*parallel, len(cells)))[:*parallel]
	var g sync.WaitGroup
	for worker := range 64 {
		g.Go(func() {
			rng := rand.New(rand.NewPCG(*seed, uint64(worker)))
			for n := worker; n < len(order); n += 64 {
				cell := *cells[order[n]%len(cells)] // a copy: what it costs is noted in it
				ctx, cancel := context.WithCancel(t.Context())
				if rng.IntN(8) == 0 {
					time.AfterFunc(time.Duration(rng.IntN(2000))*time.Microsecond, cancel)
				}
				r.try(ctx, &cell, order[n]%len(cells), order[n])
				cancel()
			}
		})
	}
	g.Wait()
	for what, text := range w.state() {
		if before[what] != text {
			t.Errorf("%s was %s and is %s", what, before[what], text)
		}
	}
	var total tally
	for _, s := range r.score {
		total.add(s)
	}
	t.Logf("64 at a time: %d attempts, %d refused, %d served their own, %d failures, seed %d, %.2fs",
		total.attempts, total.refused, total.served, total.failures, *seed, time.Since(began).Seconds())
}

// oracle asks for another's and for what nobody has, and is refused both.
type oracle struct{ foreign, unknown *attempt }

// oracles are one for each field of each route: of the first identity that the route
// lets in, so that it is the id that is refused.
func (w *world) oracles() (out []oracle) {
	for n := range w.routes {
		rt := &w.routes[n]
		measured := map[string]bool{}
		for _, i := range w.who {
			if rt.Public || !w.allowed[place(rt, "", i.name)] {
				continue
			}
			for _, m := range foreignID(w, i, rt) {
				a := m(nil)
				lists := strings.HasPrefix(i.name, "op") && a.field == "{project}" // they may list all there are
				if lists || a.twin == nil || measured[a.field] || w.send(a).status < 400 || w.send(a.twin).status < 400 {
					continue
				}
				measured[a.field] = true
				out = append(out, oracle{a, a.twin})
			}
		}
	}
	return out
}

// TestTiming prints how far the times of answers tell another's id from one that nobody
// has, of every id field of every route. It asserts nothing of times: on a machine that
// others use they say little. Which of the two is next is chance, so that what disturbs
// one disturbs both.
func TestTiming(t *testing.T) {
	w := newWorld(t)
	chance := rand.New(rand.NewPCG(*seed, 24))
	all := w.oracles()
	if len(all) < 10 { // control
		t.Fatalf("%d oracles", len(all))
	}
	worst := 0.0
	for _, o := range all {
		var took [2][]float64
		for range 2 * min(*samples, 100_000) {
			n := chance.IntN(2)
			began := time.Now()
			w.send([]*attempt{o.foreign, o.unknown}[n])
			took[n] = append(took[n], float64(time.Since(began)))
		}
		is := welch(took[0], took[1])
		worst = max(worst, is)
		t.Logf("class 24: %s by %s, another's %s and an unknown one: |t| = %.2f over %d and %d samples",
			o.foreign.route.Pattern, o.foreign.who.name, o.foreign.field, is, len(took[0]), len(took[1]))
	}
	t.Logf("class 24: timing of %d refusals, the largest |t| is %.2f (4.5 would be a sign), seed %d", len(all), worst, *seed)
}

// welch is |t| of Welch's test, without the slowest twentieth of each side.
func welch(a, b []float64) float64 {
	ma, va := moments(a)
	mb, vb := moments(b)
	return math.Abs(ma-mb) / math.Sqrt(va/float64(len(a))+vb/float64(len(b)))
}

// moments are mean and variance of the faster nineteen twentieths.
func moments(x []float64) (mean, variance float64) {
	x = slices.Sorted(slices.Values(x))
	x = x[:len(x)*19/20]
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, variance
}
