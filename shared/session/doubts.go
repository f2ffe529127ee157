package session

import (
	"sync"
	"time"

	"switchboard/shared/session/internal/driver"
	"switchboard/shared/tenant"
)

// maxDoubts bounds the windows in doubt that are remembered of a tenant.
const maxDoubts = 2_000

// doubts are the windows that the store may hold though they lack a turn: one that
// could not put. They are not to be believed when the store is back, for as long as
// it may hold them.
type doubts struct {
	mu sync.Mutex
	of map[tenant.ID]*doubted
}

// doubted is what is in doubt of one tenant.
type doubted struct {
	until map[string]time.Time // by conversation
	all   time.Time            // until then every window is, because there were too many
}

func (d *doubts) add(w window) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	t := d.of[w.project]
	if t == nil {
		t = &doubted{until: make(map[string]time.Time)}
		d.of[w.project] = t
	}
	if len(t.until) >= maxDoubts {
		t.prune(now)
	}
	if len(t.until) >= maxDoubts {
		t.all = now.Add(driver.Life)
		clear(t.until)
	}
	t.until[w.conversation] = now.Add(driver.Life)
}

// prune forgets what has expired by itself.
func (t *doubted) prune(now time.Time) {
	for c, until := range t.until {
		if !now.Before(until) {
			delete(t.until, c)
		}
	}
}

// has reports whether w is in doubt; until is for settle.
func (d *doubts) has(w window) (until time.Time, doubted bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, now := d.of[w.project], time.Now()
	if t == nil {
		return until, false
	}
	until = t.until[w.conversation]
	return until, now.Before(t.all) || now.Before(until)
}

// settle says that what was in doubt is gone, unless there is a newer doubt.
func (d *doubts) settle(w window, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.of[w.project]
	if t == nil || !t.until[w.conversation].Equal(until) {
		return
	}
	if delete(t.until, w.conversation); len(t.until) == 0 && !time.Now().Before(t.all) {
		delete(d.of, w.project)
	}
}
