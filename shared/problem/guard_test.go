package problem_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"switchboard/shared/problem"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	if err := problem.Guard("op", func() error { return cause }); err != cause {
		t.Errorf("an error became %v", err)
	}
	if err := problem.Guard("op", func() error { return nil }); err != nil {
		t.Errorf("nothing became %v", err)
	}
}

// A panic is an error that says where it was, and of its value the type alone.
func TestGuardMakesAnErrorOfAPanic(t *testing.T) {
	t.Parallel()
	const canary = "panic-canary-19d2"
	var none map[string]int
	for name, fall := range map[string]func(){
		"string":  func() { panic(canary) },
		"error":   func() { panic(errors.New(canary)) },
		"problem": func() { panic(problem.New(problem.Invalid, "x", canary)) },
		"nil":     func() { panic(nil) },
		"runtime": func() { none[canary] = 1 },
		"again": func() {
			defer func() { panic(canary) }()
			panic("first")
		},
	} {
		err := problem.Guard("pkg.Func", func() error { fall(); return nil })
		p := problem.From(err)
		if p.Kind != problem.Internal || p.Op != "pkg.Func" || p.Message() != "Internal error" {
			t.Errorf("%s: %v", name, err)
		}
		text := err.Error()
		if !strings.Contains(text, "TestGuardMakesAnErrorOfAPanic") || !strings.Contains(text, "(guard_test.go:") {
			t.Errorf("%s: it does not say where: %s", name, text)
		}
		if strings.Contains(text, canary) || strings.Contains(text, "\n") || len(text) > 3000 {
			t.Errorf("%s: the log would hold %q", name, text)
		}
	}
	err := problem.Guard("op", func() error { none["x"] = 1; return nil })
	if _, ok := errors.AsType[runtime.Error](err); !ok || !strings.Contains(err.Error(), "nil map") {
		t.Errorf("the runtime's own words are lost: %v", err)
	}
}

// A goroutine that is told to end, as a failed test's is, ends.
func TestGuardLetsAGoroutineExit(t *testing.T) {
	t.Parallel()
	ended := make(chan bool)
	go func() {
		defer close(ended)
		problem.Guard("op", func() error { runtime.Goexit(); return nil })
		ended <- true
	}()
	if <-ended {
		t.Error("it went on")
	}
}
