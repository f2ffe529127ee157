package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"text/tabwriter"
)

// report prints what was measured, then the goals.
func report(w io.Writer, r *results) {
	fmt.Fprintf(w, "\nMedians. One durable write of 4 KB on this disk takes %.0f us (p99 %.0f).\n\n", r.Sync["p50"], r.Sync["p99"])
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\ttarget\tp50 us\tp95\tp99\tfirst p50\trps\tCPU us\tfailed\tothers' cores\tallocations")
	for _, name := range slices.Sorted(maps.Keys(r.Runs)) {
		for _, who := range []string{onMock, onProxy, onOurs} {
			runs := r.Runs[name][who]
			mid := func(pick func(figures) float64) float64 { return median(runs, pick) }
			failed := 0
			for _, f := range runs {
				failed += f.Failed
			}
			fmt.Fprintf(t, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%d\t%.2f\t%s\n", name, who,
				mid(total("p50")), mid(total("p95")), mid(total("p99")), mid(first("p50")),
				mid(func(f figures) float64 { return f.RPS }), mid(func(f figures) float64 { return f.CPU }), failed,
				mid(func(f figures) float64 { return f.Others }), allocations(runs))
		}
	}
	t.Flush()
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "goal\tswitchboard\tproxy\tis\tis to be\t")
	for _, g := range goals(r) {
		g.print(t)
	}
	t.Flush()
}

func total(p string) func(figures) float64 { return func(f figures) float64 { return f.Total[p] } }
func first(p string) func(figures) float64 { return func(f figures) float64 { return f.First[p] } }

func allocations(runs []figures) string {
	n := median(runs, func(f figures) float64 { return f.Mallocs })
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f (%.1f KB)", n, median(runs, func(f figures) float64 { return f.Bytes })/1024)
}

// goal is one figure beside what it is to be. ours and control are NaN where they
// were not measured or where there is no such figure.
type goal struct {
	name          string
	ours, control float64
	is, limit     float64
	atLeast       bool
	unit          string
}

func (g goal) print(w io.Writer) {
	met, sign := "met", "<="
	if g.atLeast {
		sign = ">="
	}
	if g.atLeast && g.is < g.limit || !g.atLeast && g.is > g.limit {
		met = "NOT MET"
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%.2f%s\t%s %g%s\t%s\n", g.name, figure(g.ours), figure(g.control), g.is, g.unit, sign, g.limit, g.unit, met)
}

func figure(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return fmt.Sprintf("%.0f", v)
}

// goals are those of the project's design that can be measured from outside.
func goals(r *results) []goal {
	var gs []goal
	ratio := func(name, scenario string, limit float64, atLeast, added bool, pick func(figures) float64) {
		runs := r.Runs[scenario]
		if runs == nil {
			return
		}
		ours, control := median(runs[onOurs], pick), median(runs[onProxy], pick)
		if added {
			base := median(runs[onMock], pick)
			ours, control = ours-base, control-base
		}
		gs = append(gs, goal{scenario + ": " + name, ours, control, ours / control, limit, atLeast, "x"})
	}
	cpu := func(f figures) float64 { return f.CPU }
	rps := func(f figures) float64 { return f.RPS }
	for _, s := range []string{"plain-c1", "stream-c1", "chat-c1"} {
		ratio("added p50, us", s, 2, false, true, total("p50"))
		ratio("added p99, us", s, 3, false, true, total("p99"))
		if s != "plain-c1" {
			ratio("first event, added p50, us", s, 2, false, true, first("p50"))
			ratio("CPU of a turn, us", s, 1.5, false, false, cpu)
		}
	}
	ratio("CPU of a turn, us", "stream-saturated", 1.5, false, false, cpu)
	ratio("CPU of a turn, us", "chat-saturated", 1.5, false, false, cpu)
	ratio("turns a second", "plain-saturated", 0.67, true, false, rps)
	ratio("turns a second", "stream-saturated", 0.85, true, false, rps)
	ratio("turns a second", "chat-saturated", 0.85, true, false, rps)
	for _, s := range []string{"plain-60ms-200rps", "stream-60ms-100rps"} {
		if runs := r.Runs[s]; runs != nil {
			base := median(runs[onMock], total("p99"))
			ours, control := median(runs[onOurs], total("p99"))-base, median(runs[onProxy], total("p99"))-base
			gs = append(gs, goal{s + ": added p99, us", ours, control, ours / 1000, 5, false, " ms"})
		}
	}
	return append(gs, absolute(r)...)
}

// absolute are the goals that are no ratio to the control.
func absolute(r *results) []goal {
	nan := math.NaN()
	self := func(v float64) float64 { return v }
	var gs []goal
	add := func(name string, is, limit float64, unit string) {
		if is > 0 {
			gs = append(gs, goal{name, nan, nan, is, limit, false, unit})
		}
	}
	add("ready, prepared data", median(r.Ready["prepared"], self), 100, " ms")
	add("ready, empty data", median(r.Ready["empty"], self), 100, " ms")
	add("memory, idle", r.Memory["idle"], 40, " MB")
	add("memory, saturated", r.Memory["saturated"], 100, " MB")
	if is := r.Streams[onOurs]; is > 0 {
		gs = append(gs, goal{"memory of an open stream, KB", is, r.Streams[onProxy], is, 32, false, " KB"})
	}
	return gs
}
