package main

import (
	"math"
	"slices"
	"time"
)

// figures describe one run of one scenario against one target. Times are in
// microseconds and exact percentiles: every duration is kept until then.
type figures struct {
	Requests int                `json:"requests"`
	Failed   int                `json:"failed"`
	Error    string             `json:"error,omitempty"` // of the first that failed
	Seconds  float64            `json:"seconds"`
	RPS      float64            `json:"rps"`
	Total    map[string]float64 `json:"total_us"` // "p50", "p95", "p99"
	First    map[string]float64 `json:"first_us"` // likewise: the first event
	CPU      float64            `json:"cpu_us"`   // of the target's process, for each request
	Others   float64            `json:"others"`   // cores that other programs used meanwhile
	Mallocs  float64            `json:"mallocs,omitempty"`
	Bytes    float64            `json:"allocated_bytes,omitempty"`
}

var percentiles = map[string]float64{"p50": .50, "p95": .95, "p99": .99}

// percent sorts d and takes its percentiles.
func percent(d []time.Duration) map[string]float64 {
	slices.Sort(d)
	out := make(map[string]float64)
	for name, p := range percentiles {
		if len(d) > 0 {
			out[name] = float64(d[max(0, int(math.Ceil(p*float64(len(d))))-1)].Nanoseconds()) / 1000
		}
	}
	return out
}

// median is the middle of what pick finds in the runs.
func median[T any](runs []T, pick func(T) float64) float64 {
	if len(runs) == 0 {
		return math.NaN()
	}
	v := make([]float64, len(runs))
	for i, r := range runs {
		v[i] = pick(r)
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
