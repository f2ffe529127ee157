// Package forge does what is allowed; it shows that the others fail for their own
// reasons.
package forge

import (
	"context"

	"switchboard/shared/model"
	"switchboard/shared/seal"
	"switchboard/shared/search"
	"switchboard/shared/session"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

var _ = auth.JSON("GET /x", auth.Allow{Kinds: []auth.Kind{auth.SecretKey}, Can: tenant.CanChat},
	func(ctx context.Context, sc tenant.Scope, in *auth.Request[auth.None]) (string, error) {
		return in.ID, nil
	})

func use(ctx context.Context, sc tenant.Scope, t *table.Table, x *search.Index, s *session.Session, m *model.Models, l *seal.Sealer) error {
	key := table.Key{Kind: "x", ID: "y"}
	it, _ := t.Get(ctx, sc, key)
	_, _ = t.List(ctx, sc, table.Query{Kind: "x"})
	_, _, _ = t.Changes(ctx, sc, "", 1)
	_, _ = x.Query(ctx, sc, "text", 1)
	_, token, _ := s.Take(ctx, sc, "id")
	_ = s.Put(ctx, sc, "id", token)
	_, _ = t.OpenChange(ctx, sc, table.Change{})
	_, _ = l.Seal(ctx, sc, seal.Place{Store: seal.Table, Kind: "x", ID: "y"}, nil)
	_ = l.Shred(ctx, sc)
	for range m.Stream(ctx, sc, nil, model.Request{}, nil) {
	}
	return t.Write(ctx, sc, table.Replace(it, nil))
}
