package dynamotable

import (
	"sync"
	"time"
)

const (
	// spotLife keeps well away from the 15 minutes that an iterator lives.
	spotLife = 5 * time.Minute
	// maxSpots bounds memory; a forgotten spot costs one more request.
	maxSpots = 1000
)

// spots remembers the iterators behind positions that were handed out, so that
// going on needs no new one, and so that a reader gets past a stretch of a shard
// without records, which no position tells apart from its beginning. They are
// the same for all tenants. The zero spots is ready for use.
type spots struct {
	mu sync.Mutex
	at map[spot]iterator
}

type spot struct{ shard, mark string }

type iterator struct {
	id   string
	made time.Time
}

func (s *spots) find(shard, mark string, now time.Time) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, ok := s.at[spot{shard, mark}]
	return it.id, ok && now.Sub(it.made) < spotLife
}

func (s *spots) keep(shard, mark, id string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil || len(s.at) >= maxSpots {
		s.at = map[spot]iterator{}
	}
	s.at[spot{shard, mark}] = iterator{id, now}
}
