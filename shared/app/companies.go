package app

import (
	"context"

	"switchboard/shared/admin"
	"switchboard/shared/company"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Folders are the companies as the admin API shows them.
type Folders struct {
	Catalog *company.Catalog
	IDs     []tenant.ID // of all there are
}

var _ admin.Companies = Folders{}

// All implements [admin.Companies].
func (f Folders) All(ctx context.Context) ([]admin.Summary, error) {
	out := make([]admin.Summary, 0, len(f.IDs))
	for _, id := range f.IDs {
		s, err := f.One(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// One implements [admin.Companies].
func (f Folders) One(ctx context.Context, id tenant.ID) (admin.Summary, error) {
	c, err := f.Catalog.Company(ctx, auth.ForWork(id, "admin"))
	if err != nil {
		return admin.Summary{}, err
	}
	s := admin.Summary{ID: id, Name: c.Name, Kind: string(c.Kind), Tier: string(c.Tier), Assistants: []string{}}
	for _, a := range c.Assistants {
		s.Assistants = append(s.Assistants, a.ID)
	}
	return s, nil
}
