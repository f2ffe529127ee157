package sqlitesearch

import (
	"sync"
	"sync/atomic"

	"switchboard/shared/search/internal/bm25"
	"switchboard/shared/tenant"
)

// held are the indexes in memory, each of one tenant. Reading takes no lock.
// Whoever puts or drops a tenant's has its file locked, so what is here is never
// older than the last Replace that returned.
type held struct {
	max     int
	tenants sync.Map // tenant.ID -> *entry
	clock   atomic.Int64

	mu   sync.Mutex // of those who write
	size int
}

type entry struct {
	index *bm25.Index
	used  atomic.Int64 // the clock when it was last asked for
}

func (h *held) get(id tenant.ID) *bm25.Index {
	v, ok := h.tenants.Load(id)
	if !ok {
		return nil
	}
	e := v.(*entry)
	// The clock moves when an index is read, not with every query, so that
	// queries write to no memory that they share.
	if now := h.clock.Load(); e.used.Load() != now {
		e.used.Store(now)
	}
	return e.index
}

// put adds an index, in place of those that were asked for longest ago. It reports
// whether there is room for it at all.
func (h *held) put(id tenant.ID, x *bm25.Index) bool {
	if x.Size() > h.max {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(id)
	for h.size+x.Size() > h.max && h.removeOldest() {
	}
	e := &entry{index: x}
	e.used.Store(h.clock.Add(1) - 1)
	h.tenants.Store(id, e)
	h.size += x.Size()
	return true
}

func (h *held) drop(id tenant.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(id)
}

// remove is called with h.mu held.
func (h *held) remove(id tenant.ID) {
	if v, ok := h.tenants.LoadAndDelete(id); ok {
		h.size -= v.(*entry).index.Size()
	}
}

// removeOldest reports whether there was one. h.mu is held.
func (h *held) removeOldest() bool {
	var (
		oldest tenant.ID
		found  bool
		used   int64
	)
	h.tenants.Range(func(k, v any) bool {
		if u := v.(*entry).used.Load(); !found || u < used {
			oldest, used, found = k.(tenant.ID), u, true
		}
		return true
	})
	if found {
		h.remove(oldest)
	}
	return found
}

// close drops all. Nobody puts any more.
func (h *held) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tenants.Clear()
	h.size = 0
}
