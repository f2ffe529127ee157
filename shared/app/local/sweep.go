package local

import (
	"context"
	"log/slog"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// sweepEvery is how often turns are looked for whose process died or whose last
// write failed; they are closed within a minute.
const sweepEvery = 20 * time.Second

// startSweeping closes what an earlier process left open, and then keeps looking.
// Tenants are taken one after another: there is no hurry.
func (l *Local) startSweeping() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.sweeps.Go(func() {
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		for {
			l.sweepAll(ctx)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// sweepAll looks at every project's turns.
func (l *Local) sweepAll(ctx context.Context) {
	for cursor := ""; ctx.Err() == nil; {
		ids, next, err := l.Directory.IDs(ctx, table.MaxPage, cursor)
		if err != nil {
			if ctx.Err() == nil {
				slog.ErrorContext(ctx, "sweep failed", slog.Any("err", err))
			}
			return
		}
		for _, id := range ids {
			if ctx.Err() == nil {
				l.sweep(ctx, id)
			}
		}
		if cursor = next; cursor == "" {
			return
		}
	}
}

// sweep looks at one tenant's turns. Whatever becomes of it, the next one's turn comes.
func (l *Local) sweep(ctx context.Context, id tenant.ID) {
	closed := 0
	err := problem.Guard("local.sweep", func() (err error) {
		closed, err = l.Chat.Sweep(ctx, auth.ForWork(id, "sweep"))
		return err
	})
	if err != nil && ctx.Err() == nil {
		slog.ErrorContext(ctx, "sweep failed", slog.String("project", id.String()), slog.Any("err", err))
	}
	if closed > 0 {
		slog.InfoContext(ctx, "closed turns of a process that ended", slog.String("project", id.String()), slog.Int("turns", closed))
	}
}
