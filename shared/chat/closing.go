package chat

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// A long note is worked off in batches: what a batch took off stays off, whatever
// becomes of the process. To write the note costs as much as some hundred looks.
const (
	lookBatch  = 400
	lookAtOnce = 8

	// dropTimeout is how long a write of the note may take. It outlives the end of
	// the time that there was for looking, and is shorter than what a Lambda has left
	// then: else a slow table would be looked at in vain for ever.
	dropTimeout = 2 * time.Second
)

// closing is work on a note of open turns.
type closing struct {
	service *Service
	// drop takes turns off the stored note.
	drop func(ctx context.Context, ended map[string]time.Time) error

	failed failures

	mu     sync.Mutex
	looked int
	closed int
	ended  map[string]time.Time // to be taken off: it need not be looked at again
}

// closeTurns looks at each noted turn whose time is up, until ctx ends. A turn that
// cannot be read keeps no other one open. It returns how many it closed.
func (c *closing) closeTurns(ctx context.Context, sc tenant.Scope, n note) (int, error) {
	var due []string
	for id, until := range n.Open { // in no order, so that none is always the last
		if c.service.Alone || !time.Now().Before(until) {
			due = append(due, id)
		}
	}
	times := maps.Clone(n.Open) // drop may change it
	c.ended = make(map[string]time.Time)
	var undropped error
	for batch := range slices.Chunk(due, lookBatch) {
		if ctx.Err() != nil {
			break
		}
		c.look(ctx, sc, batch, times)
		undropped = c.takeOff(ctx) // and what the batch before could not
	}
	c.failed.add(undropped)
	if left := len(due) - c.looked; left > 0 {
		c.failed.add(fmt.Errorf("%d noted turns are left for the next time: %w", left, ended(ctx)))
	}
	return c.closed, c.failed.err()
}

// look looks at some turns, several at a time.
func (c *closing) look(ctx context.Context, sc tenant.Scope, batch []string, times map[string]time.Time) {
	var g errgroup.Group
	g.SetLimit(lookAtOnce)
	for _, id := range batch {
		var over, wrote bool
		g.Go(func() error {
			err := problem.Guard("chat.look", func() (err error) {
				if ctx.Err() == nil {
					over, wrote, err = c.service.closeTurn(ctx, sc, id)
				}
				return err
			})
			if ctx.Err() != nil && (err != nil || !over) {
				return nil // that says nothing of the turn
			}
			c.failed.add(err)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.looked++
			if over {
				c.ended[id] = times[id]
			}
			if wrote {
				c.closed++
			}
			return nil
		})
	}
	g.Wait()
}

// takeOff takes off the note what has ended.
func (c *closing) takeOff(ctx context.Context) error {
	if len(c.ended) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
	defer cancel()
	err := c.drop(ctx, c.ended)
	if err == nil {
		clear(c.ended)
	}
	return err
}
