package lambdahost_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/host/lambdahost"
)

func TestOpenIsCutShortAndTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var opened []context.Context
		h := lambdahost.Opening(func(ctx context.Context) (int, error) {
			opened = append(opened, ctx)
			if len(opened) == 1 {
				<-ctx.Done() // a store that does not answer
				return 0, ctx.Err()
			}
			return 0, nil
		}, func(int) http.Handler { return http.NotFoundHandler() })

		start := time.Now()
		if got := status(h); got != 503 || time.Since(start) != 8*time.Second {
			t.Errorf("got %d after %v", got, time.Since(start))
		}
		if got := status(h); got != 404 {
			t.Errorf("the second attempt: %d", got)
		}
		<-time.After(time.Hour)
		if opened[1].Err() != nil {
			t.Error("the context of what is open has ended")
		}
	})
}

func TestRequestsThatCameTogetherOpenOnce(t *testing.T) {
	t.Parallel()
	opened := 0
	h := lambdahost.Opening(func(context.Context) (int, error) {
		opened++
		return 0, nil
	}, func(int) http.Handler { return http.NotFoundHandler() })
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if got := status(h); got != 404 {
				t.Errorf("got %d", got)
			}
		})
	}
	wg.Wait()
	if opened != 1 {
		t.Errorf("opened %d times", opened)
	}
}

func status(h http.Handler) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	return w.Code
}
