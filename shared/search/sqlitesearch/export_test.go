package sqlitesearch

import (
	"github.com/ncruces/go-sqlite3"

	"switchboard/shared/search"
	"switchboard/shared/search/internal/driver"
	"switchboard/shared/tenant"
)

func storeOf(x *search.Index) (s *store) {
	search.Decorate(x, func(d driver.Driver) driver.Driver {
		s = d.(*store)
		return d
	})
	return s
}

// Held returns whose passages are in memory, and the bytes they are estimated at.
func Held(x *search.Index) (map[string]bool, int) {
	s := storeOf(x)
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	ids := make(map[string]bool)
	s.held.tenants.Range(func(k, _ any) bool {
		ids[k.(tenant.ID).String()] = true
		return true
	})
	return ids, s.held.size
}

// Busy locks the scope's file, as a slow Replace does, until done is called.
func Busy(x *search.Index, sc tenant.Scope) (done func(), err error) {
	f, err := storeOf(x).file(sc.Project())
	if err != nil {
		return nil, err
	}
	return f.mu.Unlock, nil
}

// Forget makes the next query of the scope read its file, as a Replace does.
func Forget(x *search.Index, sc tenant.Scope) { storeOf(x).held.drop(sc.Project()) }

// OnClose has do called when the scope's file, which is open, is closed.
func OnClose(x *search.Index, sc tenant.Scope, do func()) error {
	f, err := storeOf(x).file(sc.Project())
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	return f.conn.Trace(sqlite3.TRACE_CLOSE, func(sqlite3.TraceEvent, any, any) error {
		do()
		return nil
	})
}
