package company

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"golang.org/x/sync/singleflight"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// Entry is a company as it is served.
type Entry struct {
	Company
	Version string // see [Version]
}

// Catalog gives a scope its company from a tree of folders. A folder is read when
// its company is first asked for and then held: asking again costs a look-up, and
// the hundredth company costs the first nothing. Its tree does not change while
// the process runs.
type Catalog struct {
	fsys    fs.FS
	flights singleflight.Group

	mu   sync.Mutex
	held map[tenant.ID]Entry
}

// maxHeld bounds the companies in memory; one that is dropped is read again.
const maxHeld = 500

// Open returns the catalog of fsys, which has the form that [Load] reads.
func Open(fsys fs.FS) *Catalog {
	return &Catalog{fsys: fsys, held: make(map[tenant.ID]Entry)}
}

// Hold gives the catalog companies that [Load] has read from its tree, so that they
// are not read again.
func (c *Catalog) Hold(companies []Company) {
	for _, co := range companies {
		c.hold(co)
	}
}

func (c *Catalog) hold(co Company) Entry {
	e := Entry{co, Version(co)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) >= maxHeld {
		clear(c.held)
	}
	c.held[co.ID] = e
	return e
}

// Company returns the scope's own company. A project without a folder is
// NotFound; a folder with a mistake is Unavailable for that company alone.
func (c *Catalog) Company(ctx context.Context, sc tenant.Scope) (Entry, error) {
	if err := sc.Check("company.Company"); err != nil {
		return Entry{}, err
	}
	c.mu.Lock()
	e, ok := c.held[sc.Project()]
	c.mu.Unlock()
	if ok {
		return e, nil
	}
	v, err, _ := c.flights.Do(sc.Project().String(), func() (any, error) { return c.read(sc.Project()) })
	if err != nil {
		return Entry{}, err
	}
	return v.(Entry), nil
}

func (c *Catalog) read(id tenant.ID) (Entry, error) {
	const op = "company.Company"
	info, err := fs.Lstat(c.fsys, id.String())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Entry{}, &problem.Error{Kind: problem.NotFound, Op: op, Detail: "This project has no assistants.", Err: err}
	case err != nil:
		return Entry{}, problem.Wrap(problem.Unavailable, op, err)
	case !info.IsDir():
		return Entry{}, problem.Wrap(problem.Unavailable, op, errors.New("a company's folder is a link or a file"))
	}
	r := &report{}
	co := r.folder(c.fsys, id.String())
	if err := r.err(); err != nil {
		return Entry{}, problem.Wrap(problem.Unavailable, op, err)
	}
	return c.hold(co), nil
}
