package local

import (
	"context"
	"log/slog"
	"time"

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
			for _, c := range l.Companies {
				n, err := l.Chat.Sweep(ctx, auth.ForWork(c.ID, "sweep"))
				switch {
				case ctx.Err() != nil:
					return
				case err != nil:
					slog.ErrorContext(ctx, "sweep failed", slog.String("project", c.ID.String()), slog.Any("err", err))
				case n > 0:
					slog.InfoContext(ctx, "closed turns of a process that ended", slog.String("project", c.ID.String()), slog.Int("turns", n))
				}
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
}
