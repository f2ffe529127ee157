package auth

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/internal/scope"
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

// project returns the project's record, or a zero one.
func (d *Directory) project(ctx context.Context, id string) (table.Item, Project, error) {
	key := projectKey(id)
	it, err := d.table.Get(ctx, scope.Directory(), key)
	if err != nil || it.Version == 0 {
		return table.Item{Key: key}, Project{ID: id}, err
	}
	var p Project
	if err := json.Unmarshal(it.Body, &p); err != nil {
		return it, Project{}, problem.Wrap(problem.Internal, "auth.project", err)
	}
	if p.ID != id {
		return it, Project{}, problem.Wrap(problem.Internal, "auth.project", errors.New("a project is stored under another's id"))
	}
	return it, p, nil
}

// Project returns what the directory knows of the project.
func (d *Directory) Project(ctx context.Context, id tenant.ID) (Project, error) {
	_, p, err := d.project(ctx, id.String())
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

// change rewrites the project's record.
func (d *Directory) change(ctx context.Context, id tenant.ID, edit func(*Project) error) error {
	if id.IsZero() {
		return problem.New(problem.Internal, "auth.change", "zero project")
	}
	for {
		it, p, err := d.project(ctx, id.String())
		if err != nil {
			return err
		}
		if err := edit(&p); err != nil {
			return err
		}
		body, err := json.Marshal(p, json.Deterministic(true))
		if err != nil {
			return problem.Wrap(problem.Internal, "auth.change", err)
		}
		write := table.Create(it.Key, body)
		if it.Version > 0 {
			write = table.Replace(it, body)
		}
		err = d.table.Write(ctx, scope.Directory(), write)
		if _, raced := errors.AsType[*table.Conflict](err); !raced {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
