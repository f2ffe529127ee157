package provider

import (
	"context"
	"io"
	"time"
)

// patience bounds the wait for a body's end after the answer's, and maxRest what is
// read of it.
const (
	patience = 25 * time.Millisecond
	maxRest  = 64 << 10
)

// Drain reads body to its end, so that the connection serves the next turn. The
// reader has its answer by now, and a server that keeps the connection open is not
// waited for: cancel ends the request.
func Drain(body io.Reader, cancel context.CancelFunc) {
	timer := time.AfterFunc(patience, cancel)
	defer timer.Stop()
	_, _ = io.Copy(io.Discard, io.LimitReader(body, maxRest))
}
