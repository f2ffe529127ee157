package admin

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/company"
	"switchboard/shared/company/catalog"
	"switchboard/shared/problem"
	"switchboard/shared/tenant/auth"
)

// Assistant is an assistant as the API shows it.
type Assistant struct {
	ID      string    `json:"id"`
	Version int       `json:"version"`
	Changed time.Time `json:"changed_at"`
	By      string    `json:"changed_by"`
	Deleted bool      `json:"deleted,omitzero"`
	// Fields are those of its front matter, and its instructions.
	Fields jsontext.Value `json:",embed"`
}

func assistantOf(id string, f catalog.File) (Assistant, error) {
	a := Assistant{ID: id, Version: f.Version, Changed: f.Changed, By: f.By, Deleted: f.Deleted}
	if f.Deleted {
		return a, nil
	}
	var err error
	a.Fields, err = company.JSON(f.Path, f.Text)
	return a, err
}

// named is an assistant's file.
type named struct {
	id   string
	file catalog.File
}

// assistantsIn are the assistants among a company's files, by id.
func assistantsIn(files map[string]catalog.File) []named {
	var out []named
	for path, f := range files {
		if id, ok := company.AssistantOf(path); ok {
			out = append(out, named{id, f})
		}
	}
	slices.SortFunc(out, func(a, b named) int { return cmp.Compare(a.id, b.id) })
	return out
}

// assistants lists all: there are at most catalog.MaxAssistants.
func (s *Service) assistants(ctx context.Context, o auth.Operator, _ *auth.Request[auth.None]) (list[Assistant], error) {
	out := list[Assistant]{Data: []Assistant{}}
	files, err := s.Catalog.Files(ctx, o.Scope(), false)
	if err != nil {
		return out, err
	}
	for _, n := range assistantsIn(files) {
		a, err := assistantOf(n.id, n.file)
		if err != nil {
			return out, err
		}
		out.Data = append(out.Data, a)
	}
	return out, nil
}

func (s *Service) createAssistant(ctx context.Context, o auth.Operator, in *auth.Request[definition]) (Assistant, error) {
	id, err := idOf(in.Body, func(id string) (string, error) { return id, company.CheckName(company.AssistantFile(id)) },
		"2 to 40 of a-z 0-9 -, starting with a letter, with no double hyphen")
	if err != nil {
		return Assistant{}, err
	}
	path := company.AssistantFile(id)
	f, err := s.Catalog.Put(ctx, o.Scope(), path, catalog.Create, func(string) (string, error) { return company.Merge(path, "", in.Body.Fields) })
	if err != nil {
		return Assistant{}, err
	}
	return assistantOf(id, f)
}

// assistant shows one, or with ?version= what it was.
func (s *Service) assistant(ctx context.Context, o auth.Operator, in *auth.Request[auth.None]) (Assistant, error) {
	version := 0
	if q := in.Query("version"); q != "" {
		var err error
		if version, err = strconv.Atoi(q); err != nil || version < 1 {
			return Assistant{}, problem.Bad("admin.assistant", "version", "version is a whole number from 1")
		}
	}
	id := in.Path("assistant")
	f, err := s.Catalog.File(ctx, o.Scope(), company.AssistantFile(id), version)
	if err != nil {
		return Assistant{}, err
	}
	return assistantOf(id, f)
}

func (s *Service) patchAssistant(ctx context.Context, o auth.Operator, in *auth.Request[patch]) (Assistant, error) {
	id := in.Path("assistant")
	f, err := s.merge(ctx, o.Scope(), company.AssistantFile(id), in.Body)
	if err != nil {
		return Assistant{}, err
	}
	return assistantOf(id, f)
}

func (s *Service) deleteAssistant(ctx context.Context, o auth.Operator, in *auth.Request[auth.None]) (Assistant, error) {
	id := in.Path("assistant")
	f, err := s.Catalog.Delete(ctx, o.Scope(), company.AssistantFile(id))
	if err != nil {
		return Assistant{}, err
	}
	return assistantOf(id, f)
}

// Version is one version of a definition as a list shows it.
type Version struct {
	Version int       `json:"version"`
	Changed time.Time `json:"changed_at"`
	By      string    `json:"changed_by"`
	Deleted bool      `json:"deleted,omitzero"`
}

func versionOf(f catalog.File) Version { return Version{f.Version, f.Changed, f.By, f.Deleted} }

func (s *Service) assistantVersions(ctx context.Context, o auth.Operator, in *auth.Request[auth.None]) (list[Version], error) {
	return s.versionsOf(ctx, o, in, company.AssistantFile(in.Path("assistant")))
}

func (s *Service) versions(ctx context.Context, o auth.Operator, in *auth.Request[auth.None]) (list[Version], error) {
	return s.versionsOf(ctx, o, in, company.Manifest)
}

func (s *Service) versionsOf(ctx context.Context, o auth.Operator, in *auth.Request[auth.None], path string) (list[Version], error) {
	limit, err := in.PageSize()
	if err != nil {
		return list[Version]{}, err
	}
	all, next, err := s.Catalog.Versions(ctx, o.Scope(), path, limit, in.Query("cursor"))
	if err == nil && len(all) == 0 && in.Query("cursor") == "" {
		_, err = s.Catalog.File(ctx, o.Scope(), path, 0) // says that there is none
	}
	return page(all, next, versionOf), err
}

type rollbackRequest struct {
	Version int `json:"version"`
}

func (s *Service) rollbackAssistant(ctx context.Context, o auth.Operator, in *auth.Request[rollbackRequest]) (Assistant, error) {
	id := in.Path("assistant")
	f, err := s.Catalog.Rollback(ctx, o.Scope(), company.AssistantFile(id), in.Body.Version)
	if err != nil {
		return Assistant{}, err
	}
	return assistantOf(id, f)
}

func (s *Service) rollback(ctx context.Context, o auth.Operator, in *auth.Request[rollbackRequest]) (Project, error) {
	if _, err := s.Catalog.Rollback(ctx, o.Scope(), company.Manifest, in.Body.Version); err != nil {
		return Project{}, err
	}
	return s.settled(ctx, o.Scope())
}
