package auth

import (
	"context"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/internal/scope"
)

// projects is where the directory keeps what is true of a project whatever its company
// says of itself.
const projects = table.Kind("project")

// roster lists the projects by id. Its items are counters, which are in the clear, so
// that it can be read without the directory's key.
const roster = table.Kind("roster")

// Project is what the directory knows of a project.
type Project struct {
	ID        string               `json:"id"`
	Created   time.Time            `json:"created,omitzero"` // zero: there is no such project, whatever else is known
	About     About                `json:"about,omitzero"`
	Suspended time.Time            `json:"suspended,omitzero"`
	Reason    string               `json:"reason,omitempty"`  // why it is suspended
	Blocked   map[string]time.Time `json:"blocked,omitempty"` // persons who are suspended, and since when
}

// About is what the platform needs to know of a company without opening it.
type About struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"` // company | client | personal
	Tier  string `json:"tier"` // free | standard | pro | enterprise
	Group string `json:"group,omitempty"`
}

// Exists reports whether there is such a project.
func (p Project) Exists() bool { return !p.Created.IsZero() }

func (p Project) blocks(person string) bool { _, ok := p.Blocked[person]; return ok }

// maxBlocked bounds the persons that a project can have suspended: the record is
// read with every lookup.
const maxBlocked = 2000

func projectKey(id string) table.Key { return table.Key{Kind: projects, ID: id} }

// Project returns what the directory knows of the project.
func (d *Directory) Project(ctx context.Context, id tenant.ID) (Project, error) {
	p, err := d.project(ctx, id.String())
	p.ID = id.String()
	return p, err
}

// project returns the project's record, or a zero one.
func (d *Directory) project(ctx context.Context, id string) (Project, error) {
	_, p, err := load[Project](ctx, d, projectKey(id))
	return p, err
}

// PutProject makes the project, if there is none yet, and notes what it is about.
func (d *Directory) PutProject(ctx context.Context, id tenant.ID, about About) (Project, error) {
	p, err := d.Project(ctx, id)
	if err != nil || p.Exists() && p.About == about {
		return p, err
	}
	if !p.Exists() {
		// On the roster first: a project that is on it alone is none, and a retry makes it.
		if err := d.table.Write(ctx, scope.Directory(), table.Add(table.Key{Kind: roster, ID: id.String()}, map[string]int64{"listed": 1})); err != nil {
			return p, err
		}
	}
	return d.change(ctx, id, func(p *Project) error {
		if p.About = about; !p.Exists() {
			p.Created = time.Now().UTC().Truncate(time.Second)
		}
		return nil
	})
}

// List returns a page of the projects, by id, and the cursor of the next ("" = there is
// none). A page can have fewer than limit and not be the last.
func (d *Directory) List(ctx context.Context, limit int, cursor string) ([]Project, string, error) {
	page, err := d.table.List(ctx, scope.Directory(), table.Query{Kind: projects, Limit: limit, Cursor: cursor})
	if err != nil {
		return nil, "", err
	}
	var out []Project
	for _, it := range page.Items {
		p, err := decode[Project](it)
		if err != nil {
			return nil, "", err
		}
		if p.Exists() {
			out = append(out, p)
		}
	}
	return out, page.Cursor, nil
}

// Projects returns a page of the ids of all projects, in their order, and the cursor of
// the next ("" = there is none). directory is the directory's table; its key is not
// needed, so this is also for those who may not know more of it.
func Projects(ctx context.Context, directory *table.Table, limit int, cursor string) ([]tenant.ID, string, error) {
	page, err := directory.List(ctx, scope.Directory(), table.Query{Kind: roster, Limit: limit, Cursor: cursor})
	if err != nil {
		return nil, "", err
	}
	var ids []tenant.ID
	for _, it := range page.Items {
		id, err := tenant.ParseID(it.Key.ID)
		if err != nil {
			return nil, "", problem.Wrap(problem.Internal, "auth.Projects", err)
		}
		ids = append(ids, id)
	}
	return ids, page.Cursor, nil
}

// IDs is [Projects] of this directory.
func (d *Directory) IDs(ctx context.Context, limit int, cursor string) ([]tenant.ID, string, error) {
	return Projects(ctx, d.table, limit, cursor)
}

// SuspendProject stops every credential of the project, widget tokens and open streams
// included, within 60 seconds. Its data stays. Doing it twice is no error.
func (d *Directory) SuspendProject(ctx context.Context, id tenant.ID, reason string) error {
	return d.edit(ctx, id, func(p *Project) error {
		if p.Suspended.IsZero() {
			p.Suspended, p.Reason = time.Now().UTC().Truncate(time.Second), reason
		}
		return nil
	})
}

// ResumeProject undoes SuspendProject.
func (d *Directory) ResumeProject(ctx context.Context, id tenant.ID) error {
	return d.edit(ctx, id, func(p *Project) error {
		p.Suspended, p.Reason = time.Time{}, ""
		return nil
	})
}

// SuspendPerson stops the widget tokens of one person of the project within 60
// seconds, ResumePerson lets them in again.
func (d *Directory) SuspendPerson(ctx context.Context, id tenant.ID, person string) error {
	return d.edit(ctx, id, func(p *Project) error {
		if len(p.Blocked) >= maxBlocked && !p.blocks(person) {
			return problem.New(problem.Conflict, "auth.SuspendPerson", "%d persons are suspended already; there is no room for more", maxBlocked)
		}
		if p.Blocked == nil {
			p.Blocked = make(map[string]time.Time)
		}
		p.Blocked[person] = time.Now().UTC().Truncate(time.Second)
		return nil
	})
}

// ResumePerson undoes SuspendPerson.
func (d *Directory) ResumePerson(ctx context.Context, id tenant.ID, person string) error {
	return d.edit(ctx, id, func(p *Project) error { delete(p.Blocked, person); return nil })
}

func (d *Directory) edit(ctx context.Context, id tenant.ID, edit func(*Project) error) error {
	_, err := d.change(ctx, id, edit)
	return err
}

// change rewrites the project's record, or makes it.
func (d *Directory) change(ctx context.Context, id tenant.ID, edit func(*Project) error) (Project, error) {
	if id.IsZero() {
		return Project{}, problem.New(problem.Internal, "auth.change", "zero project")
	}
	p, err := rewrite(ctx, d, projectKey(id.String()), func(p *Project) (bool, error) {
		p.ID = id.String()
		return true, edit(p)
	})
	if err != nil {
		return p, err
	}
	return p, d.KeepStanding(ctx, id)
}
