// Package memsearch is a search index in memory: BM25 over a tenant's passages,
// for processes whose knowledge comes with their deployment (a Lambda without
// Pinecone) and for tests.
//
// Only shared/app and tests import it. Its one promise: a tenant's namespace is a
// map of its own, so nothing of one tenant is ever ranked for another.
package memsearch

import (
	"context"
	"errors"
	"maps"
	"sync"

	"golang.org/x/sync/singleflight"

	"switchboard/shared/search"
	"switchboard/shared/search/internal/bm25"
	"switchboard/shared/search/internal/driver"
	"switchboard/shared/tenant"
)

// New returns an empty index.
func New() *search.Index { return Filled(nil, nil) }

// Filled returns an index whose namespaces are filled by load, each when it is
// first asked for, so that a process pays for the companies it serves alone, and again
// when version, which is asked with every query, says another than it was then. A
// namespace that could not be filled is tried again with the next query.
func Filled(version func(context.Context, tenant.Scope) (string, error), load func(context.Context, tenant.Scope) ([]search.Document, error)) *search.Index {
	return search.New(&memory{version: version, load: load, spaces: make(map[tenant.ID]*space)})
}

type memory struct {
	version func(context.Context, tenant.Scope) (string, error)
	load    func(context.Context, tenant.Scope) ([]search.Document, error)
	flights singleflight.Group
	writing sync.Mutex // one Replace at a time; queries do not wait for it

	mu     sync.RWMutex
	spaces map[tenant.ID]*space
	closed bool
}

var _ driver.Driver = (*memory)(nil)

var (
	errClosed = errors.New("memsearch: closed")
	errFilled = errors.New("memsearch: what is filled by its owner is not written")
)

// space is one tenant's namespace. It is replaced, never changed, so a query
// works on one while the next is made.
type space struct {
	version string // of what it was filled with
	docs    map[string]driver.Document
	index   *bm25.Index
}

func newSpace(version string, docs map[string]driver.Document) *space {
	var passages []driver.Passage
	for _, d := range docs {
		passages = append(passages, d.Passages...)
	}
	return &space{version, docs, bm25.New(passages)}
}

// have returns the project's namespace as it is now; nil if there is none.
func (m *memory) have(id tenant.ID) (*space, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, errClosed
	}
	return m.spaces[id], nil
}

func (m *memory) put(id tenant.ID, s *space) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errClosed
	}
	m.spaces[id] = s
	return nil
}

// space returns the scope's namespace, filled; nil if there is none.
func (m *memory) space(ctx context.Context, sc tenant.Scope) (*space, error) {
	if m.load == nil {
		return m.have(sc.Project())
	}
	version, err := m.version(ctx, sc)
	if err != nil {
		return nil, err
	}
	current := func() (*space, error) {
		s, err := m.have(sc.Project())
		if s != nil && s.version != version {
			s = nil
		}
		return s, err
	}
	if s, err := current(); s != nil || err != nil {
		return s, err
	}
	v, err, _ := m.flights.Do(sc.Project().String()+" "+version, func() (any, error) {
		// It may have been filled since it was looked for.
		if s, err := current(); s != nil || err != nil {
			return s, err
		}
		docs, err := m.load(ctx, sc)
		if err != nil {
			return nil, err
		}
		s := newSpace(version, byID(docs))
		return s, m.put(sc.Project(), s)
	})
	if err != nil {
		return nil, err
	}
	return v.(*space), nil
}

func byID(docs []driver.Document) map[string]driver.Document {
	all := make(map[string]driver.Document, len(docs))
	for _, d := range docs {
		all[d.ID] = d
	}
	return all
}

func (m *memory) Replace(ctx context.Context, sc tenant.Scope, docs []driver.Document, gone []string) error {
	if err := sc.Check("memsearch.Replace"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.load != nil {
		return errFilled
	}
	m.writing.Lock()
	defer m.writing.Unlock()
	old, err := m.have(sc.Project())
	if err != nil {
		return err
	}
	all := make(map[string]driver.Document)
	if old != nil {
		maps.Copy(all, old.docs)
	}
	for _, id := range gone {
		delete(all, id)
	}
	maps.Copy(all, byID(docs))
	return m.put(sc.Project(), newSpace("", all))
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
	return s.index.Query(terms, limit), ctx.Err()
}

// Close gives up what is in memory.
func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.spaces = true, nil
	return nil
}
