// Package admin is the operator's API: which companies there are, their keys, and
// whether they are served.
//
// shared/app imports it for its routes. Its one promise: it opens no company's data.
// It works on the directory alone, and each company's own audit log has what is done
// to it before it is done (see auth.Admin).
package admin

import (
	"context"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Summary is what the platform knows of a company from its folder.
type Summary struct {
	ID         tenant.ID `json:"id"`
	Name       string    `json:"name"`
	Kind       string    `json:"kind"`
	Tier       string    `json:"tier"`
	Assistants []string  `json:"assistants"`
}

// Companies are the folders.
type Companies interface {
	// All returns every company, by id.
	All(ctx context.Context) ([]Summary, error)
	// One returns the company; a NotFound problem if there is none.
	One(ctx context.Context, id tenant.ID) (Summary, error)
}

// Service administers projects.
type Service struct {
	Directory *auth.Directory
	Companies Companies
}

// Routes are the doors of this package.
func (s *Service) Routes() []auth.Route {
	const project = "/admin/v1/projects/{project}"
	return []auth.Route{
		auth.Admin("GET /admin/v1/projects", s.list),
		auth.Admin("GET "+project, s.get).Names(projectField),
		auth.Admin("POST "+project+"/suspend", s.suspend).Names(projectField),
		auth.Admin("POST "+project+"/resume", s.resume).Names(projectField),
		auth.Admin("POST "+project+"/users/{user}/suspend", s.suspendUser).Names(projectField, "{user}"),
		auth.Admin("POST "+project+"/users/{user}/resume", s.resumeUser).Names(projectField, "{user}"),
		auth.Admin("GET "+project+"/keys", s.keys).Names(projectField),
		auth.Admin("POST "+project+"/keys", s.issue).Names(projectField),
		auth.Admin("DELETE "+project+"/keys/{key}", s.revoke).Names(projectField, "{key}"),
	}
}

const projectField = "{project}"

// Project is a project as the API shows it.
type Project struct {
	Summary
	Status    string     `json:"status"` // active | suspended
	Suspended *time.Time `json:"suspended_at,omitempty"`
	Reason    string     `json:"reason,omitempty"`
}

func (s *Service) project(ctx context.Context, c Summary) (Project, error) {
	p := Project{Summary: c, Status: "active"}
	state, err := s.Directory.Project(ctx, c.ID)
	if err == nil && !state.Suspended.IsZero() {
		p.Status, p.Suspended, p.Reason = "suspended", &state.Suspended, state.Reason
	}
	return p, err
}

// list is a page of projects; their number is that of the folders, so it is whole.
type list[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next_cursor"`
}

func (s *Service) list(ctx context.Context, _ auth.Operator, _ *auth.Request[auth.None]) (list[Project], error) {
	all, err := s.Companies.All(ctx)
	out := list[Project]{Data: []Project{}}
	for _, c := range all {
		p, err := s.project(ctx, c)
		if err != nil {
			return out, err
		}
		out.Data = append(out.Data, p)
	}
	return out, err
}

func (s *Service) get(ctx context.Context, o auth.Operator, _ *auth.Request[auth.None]) (Project, error) {
	c, err := s.Companies.One(ctx, o.Project())
	if err != nil {
		return Project{}, err
	}
	return s.project(ctx, c)
}

type suspendRequest struct {
	Reason string `json:"reason"`
}

func (s *Service) suspend(ctx context.Context, o auth.Operator, in *auth.Request[suspendRequest]) (Project, error) {
	if n := len(in.Body.Reason); n < 1 || n > 500 {
		return Project{}, problem.Bad("admin.suspend", "reason", `field "reason" is needed: why, in at most 500 characters`)
	}
	if err := s.Directory.SuspendProject(ctx, o.Project(), in.Body.Reason); err != nil {
		return Project{}, err
	}
	return s.get(ctx, o, nil)
}

func (s *Service) resume(ctx context.Context, o auth.Operator, _ *auth.Request[auth.None]) (Project, error) {
	if err := s.Directory.ResumeProject(ctx, o.Project()); err != nil {
		return Project{}, err
	}
	return s.get(ctx, o, nil)
}

// user is a person as the API shows them.
type user struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

func (s *Service) suspendUser(ctx context.Context, o auth.Operator, in *auth.Request[auth.None]) (user, error) {
	id := in.Path("user")
	return user{id, "suspended"}, s.Directory.SuspendPerson(ctx, o.Project(), id)
}

func (s *Service) resumeUser(ctx context.Context, o auth.Operator, in *auth.Request[auth.None]) (user, error) {
	id := in.Path("user")
	return user{id, "active"}, s.Directory.ResumePerson(ctx, o.Project(), id)
}
