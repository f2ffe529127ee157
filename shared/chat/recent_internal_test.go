package chat

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/tenant"
)

// TestRecent: a project is looked at for as long as a turn of it can be open, and a
// minute.
func TestRecent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id, _ := tenant.ParseID("acme")
		s := &Service{Longest: time.Minute, Drain: time.Second}
		s.latest.Store(id, time.Now())
		time.Sleep(2*time.Minute + time.Second + keepTimeout)
		if got := s.Recent(); !slices.Equal(got, []tenant.ID{id}) {
			t.Errorf("still open: %v", got)
		}
		time.Sleep(1)
		if got := s.Recent(); len(got) != 0 {
			t.Errorf("at rest: %v", got)
		}
	})
}
