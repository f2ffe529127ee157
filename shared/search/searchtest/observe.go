package searchtest

import (
	"context"

	"switchboard/shared/search"
	"switchboard/shared/search/internal/driver"
	"switchboard/shared/tenant"
)

// Observe returns x with before called ahead of every query. An error it returns
// is the query's; it may wait, to make a store slow.
func Observe(x *search.Index, before func(ctx context.Context, method string) error) *search.Index {
	return search.Decorate(x, func(d driver.Driver) driver.Driver { return &observed{d, before} })
}

type observed struct {
	driver.Driver
	before func(context.Context, string) error
}

func (o *observed) Query(ctx context.Context, sc tenant.Scope, terms []string, limit int) ([]driver.Hit, error) {
	if err := o.before(ctx, "Query"); err != nil {
		return nil, err
	}
	return o.Driver.Query(ctx, sc, terms, limit)
}
