package auth

import (
	"context"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// projects is where the directory keeps what is true of a project whatever its
// folder says.
const projects = table.Kind("project")

// Project is what the directory knows of a project. One without a record is active.
type Project struct {
	ID        string               `json:"id"`
	Suspended time.Time            `json:"suspended,omitzero"`
	Reason    string               `json:"reason,omitempty"`  // why it is suspended
	Blocked   map[string]time.Time `json:"blocked,omitempty"` // persons who are suspended, and since when
}

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

// SuspendProject stops every credential of the project, widget tokens and open streams
// included, within 60 seconds. Its data stays. Doing it twice is no error.
func (d *Directory) SuspendProject(ctx context.Context, id tenant.ID, reason string) error {
	return d.change(ctx, id, func(p *Project) error {
		if p.Suspended.IsZero() {
			p.Suspended, p.Reason = time.Now().UTC().Truncate(time.Second), reason
		}
		return nil
	})
}

// ResumeProject undoes SuspendProject.
func (d *Directory) ResumeProject(ctx context.Context, id tenant.ID) error {
	return d.change(ctx, id, func(p *Project) error {
		p.Suspended, p.Reason = time.Time{}, ""
		return nil
	})
}

// SuspendPerson stops the widget tokens of one person of the project within 60
// seconds, ResumePerson lets them in again.
func (d *Directory) SuspendPerson(ctx context.Context, id tenant.ID, person string) error {
	return d.change(ctx, id, func(p *Project) error {
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
	return d.change(ctx, id, func(p *Project) error { delete(p.Blocked, person); return nil })
}

// change rewrites the project's record, or makes it.
func (d *Directory) change(ctx context.Context, id tenant.ID, edit func(*Project) error) error {
	if id.IsZero() {
		return problem.New(problem.Internal, "auth.change", "zero project")
	}
	_, err := rewrite(ctx, d, projectKey(id.String()), func(p *Project) (bool, error) {
		p.ID = id.String()
		return true, edit(p)
	})
	if err != nil {
		return err
	}
	return d.KeepStanding(ctx, id)
}
