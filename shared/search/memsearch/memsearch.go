// Package memsearch is a search index in memory: BM25 over a tenant's passages,
// for processes whose knowledge comes with their deployment (a Lambda without
// Pinecone) and for tests.
//
// Only shared/app and tests import it. Its one promise: a tenant's namespace is a
// map of its own, so nothing of one tenant is ever ranked for another.
package memsearch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"

	"golang.org/x/sync/singleflight"

	"switchboard/shared/search"
	"switchboard/shared/search/internal/driver"
	"switchboard/shared/tenant"
)

// New returns an empty index.
func New() *search.Index { return Filled(nil) }

// Filled returns an index whose namespaces are filled by load, each when it is
// first asked for, so that a process pays for the companies it serves alone. A
// namespace that could not be filled is tried again with the next query.
func Filled(load func(context.Context, tenant.Scope) ([]search.Document, error)) *search.Index {
	return search.New(&memory{load: load, spaces: make(map[tenant.ID]*space)})
}

// BM25's usual parameters; those of SQLite's FTS5 too.
const (
	k1 = 1.2
	b  = 0.75
)

type memory struct {
	load    func(context.Context, tenant.Scope) ([]search.Document, error)
	flights singleflight.Group

	mu     sync.RWMutex
	spaces map[tenant.ID]*space
}

var _ driver.Driver = (*memory)(nil)

// space is one tenant's namespace. It is replaced, never changed, so a query
// works on one while the next is made.
type space struct {
	docs  map[string]driver.Document
	units []unit
	with  map[string]int // passages that have the stem
	mean  float64        // mean weighted length
}

// unit is a passage ready to be ranked.
type unit struct {
	driver.Passage
	freq map[string]float64 // weighted occurrences of each stem
	size float64            // weighted length
}

// space returns the scope's namespace, filled; nil if there is none.
func (m *memory) space(ctx context.Context, sc tenant.Scope) (*space, error) {
	m.mu.RLock()
	s := m.spaces[sc.Project()]
	m.mu.RUnlock()
	if s != nil || m.load == nil {
		return s, nil
	}
	v, err, _ := m.flights.Do(sc.Project().String(), func() (any, error) {
		docs, err := m.load(ctx, sc)
		if err != nil {
			return nil, err
		}
		all := make(map[string]driver.Document, len(docs))
		for _, d := range docs {
			all[d.ID] = d
		}
		s := build(all)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.spaces[sc.Project()] = s
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*space), nil
}

func (m *memory) Replace(ctx context.Context, sc tenant.Scope, docs []driver.Document, gone []string) error {
	if err := sc.Check("memsearch.Replace"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := m.space(ctx, sc); err != nil { // filled first, if it can be
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]driver.Document)
	if old := m.spaces[sc.Project()]; old != nil {
		maps.Copy(all, old.docs)
	}
	for _, id := range gone {
		delete(all, id)
	}
	for _, d := range docs {
		all[d.ID] = d
	}
	m.spaces[sc.Project()] = build(all)
	return nil
}

func build(docs map[string]driver.Document) *space {
	s := &space{docs: docs, with: make(map[string]int)}
	for _, d := range docs {
		for _, p := range d.Passages {
			u := unit{Passage: p, freq: make(map[string]float64)}
			for _, f := range []struct {
				text   string
				weight float64
			}{{p.Title, driver.TitleWeight}, {p.Heading, driver.HeadingWeight}, {p.Text, driver.TextWeight}} {
				for _, w := range search.Words(f.text) {
					u.freq[search.Stem(w)] += f.weight
					u.size += f.weight
				}
			}
			for stem := range u.freq {
				s.with[stem]++
			}
			s.mean += u.size
			s.units = append(s.units, u)
		}
	}
	s.mean /= max(1, float64(len(s.units)))
	return s
}

func (m *memory) Versions(ctx context.Context, sc tenant.Scope) (map[string]string, error) {
	if err := sc.Check("memsearch.Versions"); err != nil {
		return nil, err
	}
	out := make(map[string]string)
	s, err := m.space(ctx, sc)
	if err != nil {
		return nil, err
	}
	if s != nil {
		for id, d := range s.docs {
			out[id] = d.Version
		}
	}
	return out, ctx.Err()
}

func (m *memory) Query(ctx context.Context, sc tenant.Scope, terms []string, limit int) ([]driver.Hit, error) {
	if err := sc.Check("memsearch.Query"); err != nil {
		return nil, err
	}
	s, err := m.space(ctx, sc)
	if s == nil || err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	stems := make([]string, len(terms))
	for i, t := range terms {
		stems[i] = search.Stem(t)
	}
	var hits []driver.Hit
	for i := range s.units {
		if score := s.score(&s.units[i], stems); score > 0 {
			hits = append(hits, driver.Hit{Passage: s.units[i].Passage, Score: score})
		}
	}
	slices.SortFunc(hits, func(a, b driver.Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID))
	})
	return hits[:min(limit, len(hits))], ctx.Err()
}

func (s *space) score(u *unit, stems []string) float64 {
	var sum float64
	for _, stem := range stems {
		f := u.freq[stem]
		if f == 0 {
			continue
		}
		n := float64(s.with[stem])
		idf := math.Log(1 + (float64(len(s.units))-n+0.5)/(n+0.5))
		sum += idf * f * (k1 + 1) / (f + k1*(1-b+b*u.size/s.mean))
	}
	return sum
}

func (m *memory) Close() error { return nil }
