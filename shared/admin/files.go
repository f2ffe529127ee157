package admin

import (
	"context"

	"switchboard/shared/company"
	"switchboard/shared/company/catalog"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Apply brings a company's folder here, and makes its project if there is none yet; with
// dry it says what that would do. What failed half-way is done by the next Apply.
func (s *Service) Apply(ctx context.Context, sc tenant.Scope, f catalog.Folder, dry bool) ([]catalog.Change, error) {
	changes, err := s.Catalog.Sync(ctx, sc, f, dry)
	if err != nil || dry {
		return changes, err
	}
	return changes, s.settle(ctx, sc, true)
}

// syncRequest is the body of PUT .../files.
type syncRequest struct {
	Hashes map[string]string `json:"hashes"` // of all files of the folder: SHA-256 in hex, by path
	Files  company.Files     `json:"files"`  // those that are to be stored
	Force  bool              `json:"force"`
	DryRun bool              `json:"dry_run"`
}

// SyncAnswer is what became, or with dry_run would become, of a folder's files.
type SyncAnswer struct {
	Changes []catalog.Change `json:"changes"`
	DryRun  bool             `json:"dry_run"`
}

func (s *Service) sync(ctx context.Context, o auth.Operator, in *auth.Request[syncRequest]) (SyncAnswer, error) {
	b := in.Body
	f := catalog.FolderOf(b.Files)
	for path, hash := range b.Hashes {
		f.Hashes[path] = hash
	}
	f.Force = b.Force
	changes, err := s.Apply(ctx, o.Scope(), f, b.DryRun)
	if changes == nil {
		changes = []catalog.Change{}
	}
	return SyncAnswer{changes, b.DryRun}, err
}

// FilesAnswer is a company's folder as it is here.
type FilesAnswer struct {
	Files company.Files `json:"files"`
}

func (s *Service) files(ctx context.Context, o auth.Operator, _ *auth.Request[auth.None]) (FilesAnswer, error) {
	all, err := s.Catalog.Files(ctx, o.Scope(), true)
	out := FilesAnswer{company.Files{}}
	for path, f := range all {
		out.Files[path] = f.Text
	}
	return out, err
}
