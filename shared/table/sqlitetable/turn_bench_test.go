package sqlitetable_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/shared/table"
)

// The two writes of a turn: its reservation and its item.
var (
	reservationBody = make([]byte, 400)
	turnBody        = make([]byte, 3000)
)

func reservation(i int64) table.Op {
	id := ulid(i)
	return table.Create(table.Key{Kind: "res", Parent: id[24:], ID: id}, reservationBody).Relaxed()
}

func turnItem(i int64) table.Op {
	return table.Create(table.Key{Kind: "turn", Parent: ulid(i / 4), ID: ulid(i)}, turnBody)
}

// ulid is as long as one, in order of i like one, and as evenly spread at its end.
func ulid(i int64) string { return fmt.Sprintf("%012d%014X", i, uint64(i)*0x9E3779B97F4A7C15>>8) }

// meter reports how long single writes took, the slow ones too.
type meter struct {
	mu   sync.Mutex
	took []time.Duration
}

func (m *meter) write(b *testing.B, tbl *table.Table, op table.Op) {
	began := time.Now()
	if err := tbl.Write(b.Context(), one, op); err != nil {
		b.Error(err)
	}
	took := time.Since(began)
	m.mu.Lock()
	m.took = append(m.took, took)
	m.mu.Unlock()
}

func (m *meter) report(b *testing.B) {
	slices.Sort(m.took)
	for name, of := range map[string]int{"p50-ns": 500, "p99-ns": 990, "p99.9-ns": 999} {
		b.ReportMetric(float64(m.took[len(m.took)*of/1000]), name)
	}
}

func BenchmarkReservation(b *testing.B) { benchmarkAlone(b, reservation) }
func BenchmarkTurnItem(b *testing.B)    { benchmarkAlone(b, turnItem) }

func benchmarkAlone(b *testing.B, op func(int64) table.Op) {
	tbl, report := benchmark(b)
	var m meter
	for i := int64(0); b.Loop(); i++ {
		m.write(b, tbl, op(i))
	}
	m.report(b)
	report()
}

// BenchmarkTurns has 32 clients do both writes of a turn, one after the other. An
// operation is a turn, so two writes.
func BenchmarkTurns(b *testing.B) {
	tbl, report := benchmark(b)
	var m meter
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 32 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				m.write(b, tbl, reservation(i))
				m.write(b, tbl, turnItem(i))
			}
		})
	}
	wg.Wait()
	m.report(b)
	report()
}
