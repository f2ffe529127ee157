package isolationtest_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
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

// TestTiming prints how far the times of answers tell a foreign id from one that nobody
// has. It asserts nothing of times: on a machine that others use they say little. The
// two kinds take turns, so that what disturbs one disturbs both.
func TestTiming(t *testing.T) {
	w := newWorld(t)
	read := w.get(w.by["sk"], "")
	for _, c := range []struct {
		name             string
		who              *identity
		method           string
		foreign, unknown string
	}{
		{"conversation", read.who, "GET", "/v1/conversations/" + w.by["sk(neighbour)"].conv, "/v1/conversations/" + unknownConv},
		{"key", w.by["op"], "DELETE", "/admin/v1/projects/" + delta + "/keys/" + w.keys[beta], "/admin/v1/projects/" + delta + "/keys/" + unknownKey},
	} {
		var took [2][]float64
		for n := range 2 * min(*samples, 100_000) {
			target := c.foreign
			if n%2 == 1 {
				target = c.unknown
			}
			began := time.Now()
			r := w.send(&attempt{who: c.who, method: c.method, target: target})
			took[n%2] = append(took[n%2], float64(time.Since(began)))
			if r.status != 404 {
				t.Fatalf("%s: %d %s", target, r.status, r.body)
			}
		}
		t.Logf("timing: a foreign %s and an unknown one: |t| = %.2f over %d samples each (4.5 would be a sign)", c.name, welch(took[0], took[1]), len(took[0]))
	}
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
