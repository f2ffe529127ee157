package tabletest

import (
	"context"

	"switchboard/shared/table"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// Observe returns t with before called ahead of every access, with the method's
// name. An error it returns is the access's; it may wait, to make a store slow.
func Observe(t *table.Table, before func(ctx context.Context, method string) error) *table.Table {
	return table.Decorate(t, func(d driver.Driver) driver.Driver { return &observed{d, before} })
}

type observed struct {
	driver.Driver
	before func(context.Context, string) error
}

func (o *observed) Get(ctx context.Context, sc tenant.Scope, key driver.Key) (driver.Item, error) {
	if err := o.before(ctx, "Get"); err != nil {
		return driver.Item{}, err
	}
	return o.Driver.Get(ctx, sc, key)
}

func (o *observed) Write(ctx context.Context, sc tenant.Scope, ops []driver.Op) error {
	if err := o.before(ctx, "Write"); err != nil {
		return err
	}
	return o.Driver.Write(ctx, sc, ops)
}

func (o *observed) Query(ctx context.Context, sc tenant.Scope, r driver.Range) ([]driver.Item, error) {
	if err := o.before(ctx, "Query"); err != nil {
		return nil, err
	}
	return o.Driver.Query(ctx, sc, r)
}

func (o *observed) Changes(ctx context.Context, sc tenant.Scope, after string, limit int) ([]driver.Change, string, error) {
	if err := o.before(ctx, "Changes"); err != nil {
		return nil, "", err
	}
	return o.Driver.Changes(ctx, sc, after, limit)
}
