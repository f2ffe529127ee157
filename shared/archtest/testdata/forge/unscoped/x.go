// Package forge tries to call stores without a Scope, or with something else in
// its place.
package forge

import (
	"context"

	"switchboard/shared/model"
	"switchboard/shared/seal"
	"switchboard/shared/search"
	"switchboard/shared/session"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

func tables(ctx context.Context, t *table.Table, id tenant.ID, key table.Key, op table.Op) {
	_, _ = t.Get(ctx, key)                    // want: "not enough arguments"
	_, _ = t.Get(ctx, "acme", key)            // want: "cannot use \"acme\""
	_, _ = t.Get(ctx, id, key)                // want: "cannot use id"
	_, _ = t.Get(ctx, nil, key)               // want: "cannot use nil"
	_, _ = t.Get(ctx, struct{}{}, key)        // want: "cannot use struct"
	_ = t.Write(ctx, op)                      // want: "cannot use op|not enough arguments"
	_ = t.Write(ctx, "acme", op)              // want: "cannot use \"acme\""
	_ = t.Write(ctx, id, op)                  // want: "cannot use id"
	_, _ = t.List(ctx, table.Query{})         // want: "not enough arguments"
	_, _ = t.List(ctx, "acme", table.Query{}) // want: "cannot use \"acme\""
	_, _, _ = t.Changes(ctx, "", 1)           // want: "not enough arguments"
	_, _, _ = t.Changes(ctx, id, "", 1)       // want: "cannot use id"
	_, _ = t.OpenChange(ctx, table.Change{})  // want: "not enough arguments"
	_ = t.Scan                                // want: "t.Scan undefined"
	_ = table.Query{Project: "acme"}          // want: "unknown field Project"
	_ = table.Key{Project: "acme"}            // want: "unknown field Project"
}

func seals(ctx context.Context, l *seal.Sealer, id tenant.ID, at seal.Place) {
	_, _ = l.Seal(ctx, at, nil)         // want: "not enough arguments"
	_, _ = l.Seal(ctx, "acme", at, nil) // want: "cannot use \"acme\""
	_, _ = l.Open(ctx, id, at, nil)     // want: "cannot use id"
	_, _ = l.Open(ctx, nil, at, nil)    // want: "cannot use nil"
	_ = l.Prepare(ctx)                  // want: "not enough arguments"
	_ = l.Rotate(ctx, id)               // want: "cannot use id"
	_ = l.Shred(ctx)                    // want: "not enough arguments"
}

func searches(ctx context.Context, x *search.Index, id tenant.ID) {
	_, _ = x.Query(ctx, "text", 1)         // want: "not enough arguments"
	_, _ = x.Query(ctx, "acme", "text", 1) // want: "cannot use \"acme\""
	_, _ = x.Query(ctx, id, "text", 1)     // want: "cannot use id"
	_, _ = x.Versions(ctx)                 // want: "not enough arguments"
	_ = x.Replace(ctx, nil, nil)           // want: "not enough arguments"
	_ = x.Replace(ctx, id, nil, nil)       // want: "cannot use id"
}

func sessions(ctx context.Context, s *session.Session, id tenant.ID) {
	_, _, _ = s.Take(ctx, "conversation")               // want: "not enough arguments"
	_, _, _ = s.Take(ctx, "acme", "conversation")       // want: "cannot use \"acme\""
	_, _, _ = s.Take(ctx, id, "conversation")           // want: "cannot use id"
	_ = s.Put(ctx, "conversation")                      // want: "not enough arguments"
	_ = s.Put(ctx, id, "conversation", session.Token{}) // want: "cannot use id"
}

func models(ctx context.Context, m *model.Models, id tenant.ID) {
	_ = m.Stream(ctx, nil, model.Request{}, nil)     // want: "not enough arguments"
	_ = m.Stream(ctx, id, nil, model.Request{}, nil) // want: "cannot use id"
}
