// Package httphost serves an http.Handler from one process: a laptop or a VPS.
//
// functions/switchboard imports it. Its one promise: a stop loses nothing. On
// SIGTERM the listener closes at once, turns under way get time to finish, and
// those that do not are cancelled with [ErrStopping] so that they can be stored
// and their streams closed with a terminal frame, all within 25 seconds.
package httphost

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"time"

	"switchboard/shared/tenant/auth"
)

// ErrStopping is the cause with which requests are cancelled when the process
// stops.
var ErrStopping = errors.New("httphost: the process is stopping")

// How a stop goes. Together less than the 25 seconds that are promised, which is
// less than the 30 that supervisors commonly allow.
const (
	finish = 17 * time.Second // for turns under way to end by themselves
	closeT = 6 * time.Second  // for cancelled ones to store what they have; a third of it for a client to read
)

// Options are for tests and for those who know better. The zero value is ready.
type Options struct {
	Finish time.Duration // 0 = 17 s
	Close  time.Duration // 0 = 6 s
}

// Serve serves h on l until ctx ends, then drains. It returns nil after a drain
// in which every request ended, and an error if the listener failed or requests
// had to be cut.
func Serve(ctx context.Context, l net.Listener, h http.Handler, o *Options) error {
	if o == nil {
		o = &Options{}
	}
	base, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(ErrStopping)
	srv := &http.Server{
		Handler:     fromOutside(boundWrites(h, or(o.Close, closeT)/3)),
		BaseContext: func(net.Listener) context.Context { return base },
		// A client gets this long to send a request's head and, by
		// ReadTimeout, all of it. There is no WriteTimeout: an answer may take
		// as long as its model; each write has its own deadline.
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	return drain(srv, stop, o)
}

// drain stops srv: first gently, then by cancelling what still runs.
func drain(srv *http.Server, stop context.CancelCauseFunc, o *Options) error {
	ctx, cancel := context.WithTimeout(context.Background(), or(o.Finish, finish))
	defer cancel()
	if srv.Shutdown(ctx) == nil {
		return nil
	}
	stop(ErrStopping)
	ctx, cancel = context.WithTimeout(context.Background(), or(o.Close, closeT))
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		srv.Close()
		return err
	}
	return nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// fromOutside drops what a client must not say. In one process there is no gateway in
// front that could say it, so whoever does pretends.
func fromOutside(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.DeleteFunc(r.Header, func(name string, _ []string) bool { return auth.Reserved(name) })
		h.ServeHTTP(w, r)
	})
}
