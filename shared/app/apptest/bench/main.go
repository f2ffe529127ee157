// Command bench measures what Switchboard adds to a turn.
//
// `make bench` runs it. It starts, as processes of their own on loopback, a
// scripted model that speaks OpenAI's format, Go's reverse proxy in front of it as
// the control, and `switchboard serve --dev` with every feature on and durable
// commits; sends the same requests to all three in a random order, round after
// round; and prints medians, as ratios to the control, beside the goals. Its one
// promise: an answer counts only if it is whole and its asker's own.
//
//	go run ./shared/app/apptest/bench [-rounds 5] [-quick] [-only NAME,...] [-json FILE]
//	go run ./shared/app/apptest/bench -inprocess -only stream-saturated -cpuprofile cpu.out -allocs allocs.out
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	rounds            int
	brief, inProcess  bool
	only, json, ask   string
	cpu, allocs       string
	streams, restarts int
}

func main() {
	if len(os.Args) > 3 && os.Args[1] == "role" {
		if err := playRole(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each scenario is run")
	flag.BoolVar(&o.brief, "quick", false, "one short round: a look, not a measurement")
	flag.StringVar(&o.only, "only", "", "scenarios, with commas between; also: memory, start")
	flag.StringVar(&o.json, "json", "", "`file` for the raw figures")
	flag.StringVar(&o.ask, "ask", "How much does a 200 amp panel upgrade cost?", "what the user asks, behind the request's number")
	flag.BoolVar(&o.inProcess, "inprocess", false, "serve from this binary, which counts allocations and can be profiled")
	flag.StringVar(&o.cpu, "cpuprofile", "", "with -inprocess: `file` for a CPU profile of the server during the measured runs")
	flag.StringVar(&o.allocs, "allocs", "", "with -inprocess: `file` for a profile of all the server allocated")
	flag.Parse()
	o.streams, o.restarts = 1000, 5
	if o.brief {
		o.rounds, o.restarts = 1, 3
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// results are all that was measured.
type results struct {
	Date    time.Time                       `json:"date"`
	Sync    map[string]float64              `json:"fdatasync_us"` // what a durable write costs on this disk
	Runs    map[string]map[string][]figures `json:"runs"`         // by scenario and target
	Memory  map[string]float64              `json:"memory_mb"`
	Streams map[string]float64              `json:"stream_kb"` // of an open one, by target
	Ready   map[string][]float64            `json:"ready_ms"`  // by the state of the data directory
}

func bench(ctx context.Context, o options) error {
	w, err := newWorld(ctx, o.inProcess)
	defer w.close()
	if err != nil {
		return err
	}
	r := &results{Date: time.Now(), Runs: map[string]map[string][]figures{}, Memory: map[string]float64{}, Streams: map[string]float64{}, Ready: map[string][]float64{}}
	if r.Sync, err = syncCost(w.dir); err != nil {
		return err
	}
	chosen := choose(scenarios(o.ask, o.brief), o.only)
	if len(chosen) > 0 {
		err = compare(ctx, w, r, chosen, o)
	}
	if err == nil && wanted(o.only, "memory") {
		err = heldStreams(w, r, o)
	}
	if err == nil && wanted(o.only, "start") {
		err = starts(w, r, o)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, w.tail())
	}
	report(os.Stdout, r)
	if o.json == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(b, '\n'), 0o644)
}

func wanted(only, name string) bool {
	return only == "" || slices.Contains(strings.Split(only, ","), name)
}

func choose(all []scenario, only string) []scenario {
	return slices.DeleteFunc(all, func(s scenario) bool { return !wanted(only, s.name) })
}

// compare runs the scenarios, each round in the same order and against the
// targets in a new random one, so that drift of the machine falls on all alike.
func compare(ctx context.Context, w *world, r *results, chosen []scenario, o options) error {
	ours, err := w.product(filepath.Join(w.dir, "data"))
	if err != nil {
		return err
	}
	defer ours.stop()
	r.Memory["idle"] = memory(ours.pid(), "VmRSS")
	targets := []target{{onMock, w.mock}, {onProxy, w.proxy}, {onOurs, ours}}
	pids := []int{w.mock.pid(), w.proxy.pid(), ours.pid()}
	for round := range o.rounds {
		for _, s := range chosen {
			rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
			for _, t := range targets {
				if t.name == onOurs {
					profile(ours, o, "cpu "+o.cpu)
				}
				f := run(ctx, s, t, pids)
				if t.name == onOurs {
					profile(ours, o, "end")
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if f.Requests == 0 {
					return fmt.Errorf("%s, %s: nothing was answered: %s", s.name, t.name, f.Error)
				}
				if r.Runs[s.name] == nil {
					r.Runs[s.name] = map[string][]figures{}
				}
				r.Runs[s.name][t.name] = append(r.Runs[s.name][t.name], f)
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d done\n", round+1, o.rounds)
	}
	r.Memory["saturated"] = memory(ours.pid(), "VmHWM")
	if o.inProcess && o.allocs != "" {
		return ours.ask("allocs "+o.allocs, new(bool))
	}
	return nil
}

// profile has the server begin or end its CPU profile, if one is wanted.
func profile(p *process, o options, line string) {
	if o.inProcess && o.cpu != "" {
		p.ask(line, new(bool))
	}
}

// heldStreams opens streams that stay open, and sees what each costs the product
// and the control.
func heldStreams(w *world, r *results, o options) error {
	ours, err := w.product(filepath.Join(w.dir, "held"))
	if err != nil {
		return err
	}
	defer ours.kill() // its streams would be waited for
	control, err := w.role("proxy", "http://"+w.mock.addr)
	if err != nil {
		return err
	}
	defer control.kill()
	for _, t := range []target{{onProxy, control}, {onOurs, ours}} {
		if r.Streams[t.name], err = streamCost(w.ctx, t, o); err != nil {
			return err
		}
	}
	if o.inProcess && o.allocs != "" {
		return ours.ask("allocs "+o.allocs, new(bool))
	}
	return nil
}

// streamCost is the memory of an open stream, in KB.
func streamCost(ctx context.Context, t target, o options) (float64, error) {
	warm := scenario{model: quick, stream: true, clients: 1, requests: 50, atMost: patience, ask: o.ask}
	if f := run(ctx, warm, t, nil); f.Failed > 0 {
		return 0, errors.New(f.Error)
	}
	var before, after counted
	t.count(&before)
	rss := memory(t.pid(), "VmRSS")
	warm.model = held
	open, err := openStreams(t, warm, o.streams)
	defer func() {
		for _, w := range open {
			w.close()
		}
	}()
	if err != nil {
		return 0, err
	}
	rss = memory(t.pid(), "VmRSS") - rss
	if t.count(&after); after.Heap > 0 {
		each := func(now, before uint64) float64 { return float64(now-before) / 1024 / float64(o.streams) }
		fmt.Fprintf(os.Stderr, "%s, an open stream: heap %.1f KB, stacks %.1f KB\n", t.name, each(after.Heap, before.Heap), each(after.Stacks, before.Stacks))
	}
	return rss * 1024 / float64(o.streams), nil
}

// starts sees how long the product takes to be ready, on an empty data directory
// and on one that was used before.
func starts(w *world, r *results, o options) error {
	for i := range o.restarts {
		dir := filepath.Join(w.dir, fmt.Sprint("start", i))
		for _, state := range []string{"empty", "prepared"} {
			p, err := w.product(dir)
			if err != nil {
				return err
			}
			r.Ready[state] = append(r.Ready[state], float64(p.took.Microseconds())/1000)
			if r.Memory["idle"] = memory(p.pid(), "VmRSS"); state == "prepared" {
				r.Memory["idle prepared"] = r.Memory["idle"]
			}
			if err := p.stop(); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncCost is how long the disk takes to make a small write durable.
func syncCost(dir string) (map[string]float64, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var took []time.Duration
	for range 200 {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return percent(took), nil
}
