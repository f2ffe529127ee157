package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/clock"
)

func TestTheClockThatSaysMoreIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := clock.At(began)
		time.Sleep(time.Minute)
		now := time.Now()
		for name, c := range map[string]struct {
			stamp clock.Stamp
			want  time.Duration
		}{
			"both agree":                {s, time.Minute},
			"a machine that slept":      {clock.Stamp{Mono: s.Mono, Wall: s.Wall.Add(-time.Hour)}, time.Hour + time.Minute},
			"a clock that was set back": {clock.Stamp{Mono: s.Mono, Wall: s.Wall.Add(time.Hour)}, time.Minute},
		} {
			if got := c.stamp.Age(now); got != c.want {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
		var zero clock.Stamp
		if zero.Age(now) < 24*time.Hour {
			t.Error("the zero Stamp is recent")
		}
	})
}
