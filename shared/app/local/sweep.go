package local

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// sweepEvery is how often turns are looked for whose last write failed; they are closed
// within a minute of the end of their time.
const sweepEvery = 20 * time.Second

// sweeper closes what an earlier process left open, of every project, and then looks at
// those that take turns: one at rest has nothing to close, and to look at it would open
// files that others need.
type sweeper struct {
	all    func(context.Context) ([]tenant.ID, error)
	recent func() []tenant.ID
	sweep  func(context.Context, tenant.ID) error
}

// startSweeping looks until the stores are closed.
func (l *Local) startSweeping() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	s := &sweeper{l.projects, l.Chat.Recent, l.sweep}
	l.sweeps.Go(func() { s.run(ctx) })
}

// run sweeps until ctx ends. Tenants are taken one after another: there is no hurry.
func (s *sweeper) run(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	begun := false
	again := map[tenant.ID]bool{} // those whose sweep failed
	for {
		due := append(slices.Collect(maps.Keys(again)), s.recent()...)
		if !begun {
			all, err := s.all(ctx)
			if begun = err == nil; !begun && ctx.Err() == nil {
				slog.ErrorContext(ctx, "sweep failed", slog.Any("err", err))
			}
			due = append(due, all...)
		}
		slices.SortFunc(due, func(a, b tenant.ID) int { return cmp.Compare(a.String(), b.String()) })
		for _, id := range slices.Compact(due) {
			if ctx.Err() != nil {
				return
			}
			if delete(again, id); s.one(ctx, id) != nil {
				again[id] = true
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// one sweeps one tenant. Whatever becomes of it, the next one's turn comes.
func (s *sweeper) one(ctx context.Context, id tenant.ID) error {
	err := problem.Guard("local.sweep", func() error { return s.sweep(ctx, id) })
	if err != nil && ctx.Err() == nil {
		slog.ErrorContext(ctx, "sweep failed", slog.String("project", id.String()), slog.Any("err", err))
	}
	return err
}

// projects lists them all.
func (l *Local) projects(ctx context.Context) (all []tenant.ID, err error) {
	for cursor := ""; ; {
		ids, next, err := l.Directory.IDs(ctx, table.MaxPage, cursor)
		if all = append(all, ids...); err != nil || next == "" {
			return all, err
		}
		cursor = next
	}
}

// sweep looks at one tenant's turns.
func (l *Local) sweep(ctx context.Context, id tenant.ID) error {
	closed, err := l.Chat.Sweep(ctx, auth.ForWork(id, "sweep"))
	if closed > 0 {
		slog.InfoContext(ctx, "closed turns of a process that ended", slog.String("project", id.String()), slog.Int("turns", closed))
	}
	return err
}
