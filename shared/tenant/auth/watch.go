package auth

import (
	"context"
	"time"

	"switchboard/shared/problem"
)

// watchEvery is how often an open stream's credential is looked at. Most looks cost
// nothing; see revocation.go for how they add up.
const watchEvery = 3 * time.Second

// watch returns a context that ends, with the reason as its cause, when the principal
// may not go on. stop ends the watch.
func (g *Gate) watch(ctx context.Context, p principal) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	var look func()
	look = func() {
		if watched.Err() != nil {
			return
		}
		if err := problem.Guard("auth.watch", func() error { return g.source.stands(watched, p) }); err != nil {
			cancel(err)
			return
		}
		time.AfterFunc(watchEvery, look)
	}
	first := time.AfterFunc(watchEvery, look)
	return watched, func() {
		first.Stop()
		cancel(nil)
	}
}
