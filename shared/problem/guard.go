package problem

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Guard calls do and returns its error, or an Internal problem if it panics. It is
// for whatever runs beside a request or behind all of them: a host recovers the
// goroutine that it serves a request in, but a panic in any other ends the process,
// and with it the answers of every tenant. shared/archtest holds that each has one.
func Guard(op string, do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = Wrap(Internal, op, Panicked(v))
		}
	}()
	return do()
}

// Panicked describes a panic that is being recovered for the log, and where it was. A
// value of the runtime's own is safe; any other may hold what a client sent, so its
// type has to do.
func Panicked(v any) error {
	if err, ok := v.(runtime.Error); ok {
		return fmt.Errorf("panic: %w%s", err, stack())
	}
	return fmt.Errorf("panic of type %T%s", v, stack())
}

// maxFrames is how much of a stack is kept: an error is one line of a log.
const maxFrames = 16

// stack is where the panic was that is being recovered, the innermost call first.
func stack() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	var calls []string
	panicking := false
	for more := true; more && len(calls) < maxFrames; {
		var f runtime.Frame
		f, more = frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true // what is above it recovers
		case panicking && !strings.HasPrefix(f.Function, "runtime."):
			calls = append(calls, fmt.Sprintf("%s (%s:%d)", path.Base(f.Function), path.Base(f.File), f.Line))
		}
	}
	return " at " + strings.Join(calls, " < ")
}
