// Command switchboard serves everything from one process, and is the operator's
// command line.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"switchboard/shared/problem"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one has its usual effect: it ends the process.
	context.AfterFunc(ctx, stop)
	if err := command(process()).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "switchboard:", sentence(err))
		os.Exit(1)
	}
}

// sentence is an error as a person at a terminal wants it: without the name of the
// function in which it arose, where there is a sentence for people.
func sentence(err error) string {
	if p, ok := err.(*problem.Error); ok && p.Detail != "" {
		return p.Detail
	}
	return err.Error()
}
