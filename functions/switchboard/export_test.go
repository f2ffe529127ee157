package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"
)

// Process is what a test has the command line find around it.
type Process struct {
	Env      map[string]string
	Stdin    string
	Terminal bool
	Wait     func(context.Context, time.Duration) error // nil: a test that fails to expect one waits for nothing
}

// Run runs the command line as main does. failed is the sentence that main prints.
func (p Process) Run(ctx context.Context, args ...string) (stdout, stderr, failed string) {
	s := surroundings{
		getenv:   func(name string) string { return p.Env[name] },
		terminal: func(io.Reader) bool { return p.Terminal },
		wait:     p.Wait,
	}
	if s.wait == nil {
		s.wait = func(context.Context, time.Duration) error { return nil }
	}
	cmd := command(s)
	var out, errs bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(p.Stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	if err := cmd.ExecuteContext(ctx); err != nil {
		failed = sentence(err)
	}
	return out.String(), errs.String(), failed
}
