// Package admin is the operator's API: which companies there are, what they and their
// assistants are, their keys, and whether they are served.
//
// shared/app imports it for its routes, and to bring folders here. Its one promise: of
// a company it opens the definition and the credentials alone, never what was said or
// learned there, and the company's own audit log has what is done to it before it is
// done (see auth.Admin).
package admin

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/company"
	"switchboard/shared/company/catalog"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Service administers projects.
type Service struct {
	Directory *auth.Directory
	Catalog   *catalog.Catalog
	// Learn brings the search index in step with the company's articles. nil: the index
	// sees to that by itself.
	Learn func(ctx context.Context, sc tenant.Scope) error
	// Plans meter a company's requests before they come here. nil: nobody does.
	Plans Plans
}

// Plans are the usage plans of a gateway.
type Plans interface {
	// Ensure counts the project's requests against the plan of the tier from here on. Doing
	// it twice is no error.
	Ensure(ctx context.Context, project tenant.ID, tier string) error
	// EnsureOperators counts operators' requests against a plan of their own.
	EnsureOperators(ctx context.Context) error
}

const (
	projectField   = "{project}"
	assistantField = "{assistant}"
)

// Routes are the doors of this package.
func (s *Service) Routes() []auth.Route {
	const projects = "/admin/v1/projects"
	const project = projects + "/{project}"
	const assistants, assistant = project + "/assistants", project + "/assistants/{assistant}"
	return []auth.Route{
		auth.Admin("GET "+projects, s.list),
		auth.Admin("POST "+projects, s.create),
		auth.Admin("GET "+project, s.get).Names(projectField),
		auth.Admin("PATCH "+project, s.patch).Names(projectField),
		auth.Admin("GET "+project+"/versions", s.versions).Names(projectField),
		auth.Admin("POST "+project+"/rollback", s.rollback).Names(projectField),
		auth.Admin("GET "+project+"/files", s.files).Names(projectField),
		auth.Admin("PUT "+project+"/files", s.sync).Names(projectField),
		auth.Admin("POST "+project+"/suspend", s.suspend).Names(projectField),
		auth.Admin("POST "+project+"/resume", s.resume).Names(projectField),
		auth.Admin("POST "+project+"/users/{user}/suspend", s.suspendUser).Names(projectField, "{user}"),
		auth.Admin("POST "+project+"/users/{user}/resume", s.resumeUser).Names(projectField, "{user}"),
		auth.Admin("GET "+project+"/keys", s.keys).Names(projectField),
		auth.Admin("POST "+project+"/keys", s.issue).Names(projectField),
		auth.Admin("DELETE "+project+"/keys/{key}", s.revoke).Names(projectField, "{key}"),
		auth.Admin("GET "+assistants, s.assistants).Names(projectField),
		auth.Admin("POST "+assistants, s.createAssistant).Names(projectField),
		auth.Admin("GET "+assistant, s.assistant).Names(projectField, assistantField),
		auth.Admin("PATCH "+assistant, s.patchAssistant).Names(projectField, assistantField),
		auth.Admin("DELETE "+assistant, s.deleteAssistant).Names(projectField, assistantField),
		auth.Admin("GET "+assistant+"/versions", s.assistantVersions).Names(projectField, assistantField),
		auth.Admin("POST "+assistant+"/rollback", s.rollbackAssistant).Names(projectField, assistantField),
	}
}

// Project is a project as the API shows it.
type Project struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Kind      string     `json:"kind"`
	Tier      string     `json:"tier"`
	Group     string     `json:"group,omitempty"`
	Status    string     `json:"status"` // active | suspended
	Created   time.Time  `json:"created_at"`
	Suspended *time.Time `json:"suspended_at,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	// Of one project alone, not of a list:
	Assistants []string       `json:"assistants,omitzero"`
	Version    int            `json:"version,omitzero"` // of the manifest
	Manifest   jsontext.Value `json:"manifest,omitzero"`
}

func projectOf(p auth.Project) Project {
	out := Project{
		ID: p.ID, Name: p.About.Name, Kind: p.About.Kind, Tier: p.About.Tier, Group: p.About.Group,
		Status: "active", Created: p.Created,
	}
	if !p.Suspended.IsZero() {
		out.Status, out.Suspended, out.Reason = "suspended", &p.Suspended, p.Reason
	}
	return out
}

// list is a page of something.
type list[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next_cursor"`
}

// page is a list of what of makes of each.
func page[From, To any](all []From, next string, of func(From) To) list[To] {
	out := list[To]{Data: make([]To, len(all))}
	for i, v := range all {
		out.Data[i] = of(v)
	}
	if next != "" {
		out.Next = &next
	}
	return out
}

func (s *Service) list(ctx context.Context, _ auth.Operator, in *auth.Request[auth.None]) (list[Project], error) {
	limit, err := in.PageSize()
	if err != nil {
		return list[Project]{}, err
	}
	all, next, err := s.Directory.List(ctx, limit, in.Query("cursor"))
	return page(all, next, projectOf), err
}

// definition is the body that makes something: its id, and the fields of its file.
type definition struct {
	ID     jsontext.Value `json:"id"`
	Fields jsontext.Value `json:"-"`
}

// UnmarshalJSON takes the id out of the object.
func (d *definition) UnmarshalJSON(b []byte) error {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	d.ID = members["id"]
	delete(members, "id")
	var err error
	d.Fields, err = json.Marshal(members, json.Deterministic(true))
	return err
}

// idOf reads the id of a definition; form says what parse takes.
func idOf[ID any](d definition, parse func(string) (ID, error), form string) (ID, error) {
	var text string
	err := json.Unmarshal(d.ID, &text)
	id, bad := parse(text)
	if err != nil || bad != nil {
		return id, problem.Bad("admin.idOf", "id", `field "id" is %s`, form)
	}
	return id, nil
}

// patch is a body that changes fields of a file (RFC 7396).
type patch struct {
	Fields jsontext.Value `json:"-"`
}

// UnmarshalJSON keeps the object as it is.
func (p *patch) UnmarshalJSON(b []byte) error {
	p.Fields = bytes.Clone(b)
	return nil
}

// create makes a project of the manifest's fields. What is as it should be already is
// no error: the answer to the first try may have been lost.
func (s *Service) create(ctx context.Context, o auth.Operator, in *auth.Request[definition]) (Project, error) {
	const op = "admin.create"
	id, err := idOf(in.Body, tenant.ParseID, "3 to 40 of a-z 0-9 -, starting with a letter, with no double hyphen and none at the end")
	if err != nil {
		return Project{}, err
	}
	sc, err := o.Open(ctx, id)
	if err != nil {
		return Project{}, err
	}
	p, err := s.Directory.Project(ctx, id)
	if err != nil {
		return Project{}, err
	}
	// Of a project that is not there, a manifest is what an earlier try has left.
	mode := catalog.Upsert
	if p.Exists() {
		mode = catalog.Create
	}
	_, err = s.Catalog.Put(ctx, sc, company.Manifest, mode, func(string) (string, error) { return company.Merge(company.Manifest, "", in.Body.Fields) })
	if problem.Is(err, problem.Conflict) {
		return Project{}, problem.New(problem.Conflict, op, "There is a project of this id already.")
	}
	if err == nil {
		err = s.settle(ctx, sc, false)
	}
	if err != nil {
		return Project{}, err
	}
	return s.show(ctx, sc)
}

// settle brings what follows from a company's files in step with them: the plan that it
// is metered by, what the platform knows of it, which makes the project if there is none
// yet, and the search index. What fails is done by whoever does the same again, so the
// plan comes before the record that says that it is as it should be.
func (s *Service) settle(ctx context.Context, sc tenant.Scope, articles bool) error {
	c, err := s.Catalog.Company(ctx, sc)
	if err != nil {
		return err
	}
	about := auth.About{Name: c.Name, Kind: string(c.Kind), Tier: string(c.Tier), Group: c.Group}
	if s.Plans != nil {
		known, err := s.Directory.Project(ctx, sc.Project())
		if err == nil && (!known.Exists() || known.About.Tier != about.Tier) {
			err = s.Plans.Ensure(ctx, sc.Project(), about.Tier)
		}
		if err != nil {
			return err
		}
	}
	if _, err := s.Directory.PutProject(ctx, sc.Project(), about); err != nil {
		return err
	}
	if !articles || s.Learn == nil {
		return nil
	}
	return s.Learn(ctx, sc)
}

// show returns the scope's project as it is.
func (s *Service) show(ctx context.Context, sc tenant.Scope) (Project, error) {
	p, err := s.Directory.Project(ctx, sc.Project())
	if err != nil {
		return Project{}, err
	}
	files, err := s.Catalog.Files(ctx, sc, false)
	if err != nil {
		return Project{}, err
	}
	out := projectOf(p)
	out.Assistants = []string{}
	for _, a := range assistantsIn(files) {
		out.Assistants = append(out.Assistants, a.id)
	}
	manifest, ok := files[company.Manifest]
	if !ok {
		return out, problem.Wrap(problem.Internal, "admin.show", errors.New("a project without a manifest"))
	}
	out.Version = manifest.Version
	out.Manifest, err = company.JSON(company.Manifest, manifest.Text)
	return out, err
}

func (s *Service) get(ctx context.Context, o auth.Operator, _ *auth.Request[auth.None]) (Project, error) {
	return s.show(ctx, o.Scope())
}

func (s *Service) patch(ctx context.Context, o auth.Operator, in *auth.Request[patch]) (Project, error) {
	if _, err := s.merge(ctx, o.Scope(), company.Manifest, in.Body); err != nil {
		return Project{}, err
	}
	return s.settled(ctx, o.Scope())
}

// merge changes fields of a file, and returns its next version.
func (s *Service) merge(ctx context.Context, sc tenant.Scope, path string, p patch) (catalog.File, error) {
	return s.Catalog.Put(ctx, sc, path, catalog.Update, func(old string) (string, error) { return company.Merge(path, old, p.Fields) })
}

// settled is show, after settle.
func (s *Service) settled(ctx context.Context, sc tenant.Scope) (Project, error) {
	if err := s.settle(ctx, sc, false); err != nil {
		return Project{}, err
	}
	return s.show(ctx, sc)
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
	return s.show(ctx, o.Scope())
}

func (s *Service) resume(ctx context.Context, o auth.Operator, _ *auth.Request[auth.None]) (Project, error) {
	if err := s.Directory.ResumeProject(ctx, o.Project()); err != nil {
		return Project{}, err
	}
	return s.show(ctx, o.Scope())
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
