package auth

import (
	"context"
	"time"

	"switchboard/shared/problem"
)

// watchEvery is how often an open stream's credential is looked at. What is held of
// it is looked up anew behind fresh, so a revocation ends a stream within a minute.
const watchEvery = 10 * time.Second

// watch returns a context that ends, with the reason as its cause, when the principal
// may not go on. stop ends the watch.
func (g *Gate) watch(ctx context.Context, p principal) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	w := &watcher{g: g, p: p, ctx: watched, cancel: cancel}
	w.timer = time.AfterFunc(watchEvery, w.look)
	return watched, func() {
		w.timer.Stop()
		cancel(nil)
	}
}

type watcher struct {
	g      *Gate
	p      principal
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func (w *watcher) look() {
	if err := problem.Guard("auth.watch", func() error { return w.g.stands(w.ctx, w.p) }); err != nil {
		w.cancel(err)
		return
	}
	time.AfterFunc(watchEvery, func() {
		if w.ctx.Err() == nil {
			w.look()
		}
	})
}
