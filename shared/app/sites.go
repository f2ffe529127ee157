package app

import (
	"context"
	"slices"

	"switchboard/shared/company/catalog"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// Sites says what the companies say of their widgets.
type Sites struct {
	Companies *catalog.Catalog
	// Own are origins of this process: a development server's demo pages stand for
	// every company's site.
	Own []string
}

var _ auth.Sites = Sites{}

// Site implements [auth.Sites].
func (s Sites) Site(ctx context.Context, sc tenant.Scope) (auth.Site, error) {
	c, err := s.Companies.Company(ctx, sc)
	if err != nil {
		return auth.Site{}, err
	}
	site := auth.Site{Origins: slices.Concat(c.Origins, s.Own), Identity: c.Identity.Keys()}
	for _, a := range c.Assistants {
		site.Assistants = append(site.Assistants, a.ID)
	}
	return site, nil
}
