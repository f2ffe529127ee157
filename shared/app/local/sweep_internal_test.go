package local

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/tenant"
)

// TestSweeper: everybody is swept once, and after that those who take turns, and those
// whose sweep failed until it does not.
func TestSweeper(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ids [3]tenant.ID
		for i, name := range []string{"resting", "talking", "failing"} {
			ids[i], _ = tenant.ParseID(name)
		}
		var mu sync.Mutex
		var swept []string
		var listed, fails int
		s := &sweeper{
			all: func(context.Context) ([]tenant.ID, error) {
				if listed++; listed == 1 {
					return nil, errors.New("the directory is away")
				}
				return ids[:], nil
			},
			recent: func() []tenant.ID { return []tenant.ID{ids[1]} },
			sweep: func(_ context.Context, id tenant.ID) error {
				mu.Lock()
				swept = append(swept, id.String())
				mu.Unlock()
				if id == ids[2] && fails < 2 {
					if fails++; fails == 1 {
						panic("whatever becomes of it")
					}
					return errors.New("a table that is away")
				}
				return nil
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		go s.run(ctx)
		for n, want := range [][]string{
			{"talking"}, // all are not known yet
			{"failing", "resting", "talking"},
			{"failing", "talking"},
			{"failing", "talking"}, // the one that succeeds
			{"talking"},
		} {
			synctest.Wait()
			mu.Lock()
			if !slices.Equal(swept, want) {
				t.Errorf("pass %d swept %q, want %q", n, swept, want)
			}
			swept = nil
			mu.Unlock()
			time.Sleep(sweepEvery)
		}
		cancel()
		synctest.Wait()
	})
}
