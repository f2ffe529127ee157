package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
)

// surroundings are what the commands have of the process beside their arguments. Tests
// bring their own.
type surroundings struct {
	getenv   func(string) string
	terminal func(io.Reader) bool // somebody is there to answer a question
	wait     func(context.Context, time.Duration) error
}

// process is what main has.
func process() surroundings { return surroundings{os.Getenv, isTerminal, wait} }

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	nobody, nerr := os.Stat(os.DevNull)
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && !(nerr == nil && os.SameFile(info, nobody))
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// operator is what the flags say that all of the operator's commands have.
type operator struct {
	surroundings
	url, data string
	asJSON    bool
}

// keyHelp stands in the help of each of them.
const keyHelp = `
The operator key is read from SWITCHBOARD_OPERATOR_KEY, or, where --url is this
machine, from dev-keys.json in the data directory, which serve --dev writes. There is
no flag for it: everybody on a machine can read a command line.`

// operatorGroup is where they stand in the help of the whole.
const operatorGroup = "operator"

// command returns the operator's command, or group of commands, with the common flags.
func (s surroundings) command(use, short, long string) (*cobra.Command, *operator) {
	o := &operator{surroundings: s}
	cmd := &cobra.Command{Use: use, Short: short, Long: short + ".\n" + long + keyHelp, GroupID: operatorGroup}
	f := cmd.PersistentFlags()
	f.StringVar(&o.url, "url", cmp.Or(s.getenv("SWITCHBOARD_URL"), "http://127.0.0.1:8080"), "the running server (SWITCHBOARD_URL)")
	f.StringVar(&o.data, "data", cmp.Or(s.getenv("SWITCHBOARD_DATA"), ".data"), "data directory of a server on this machine (SWITCHBOARD_DATA)")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON document")
	return cmd, o
}

// action is one command of a group: what it asks the server, and how people read the
// answer.
type action struct {
	use, short, long, example string
	args                      cobra.PositionalArgs
	ask                       func(ctx context.Context, c *client, args []string) (jsontext.Value, error)
	show                      func(w io.Writer, answer jsontext.Value) error
}

// does makes the command.
func (o *operator) does(a *action) *cobra.Command {
	cmd := &cobra.Command{Use: a.use, Short: a.short, Example: a.example, Args: a.args}
	if a.long != "" {
		cmd.Long = a.short + ".\n\n" + a.long
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := o.client()
		if err != nil {
			return err
		}
		answer, err := a.ask(cmd.Context(), c, args)
		if err != nil {
			return err
		}
		return o.print(cmd.OutOrStdout(), answer, a.show)
	}
	return cmd
}

// print prints an answer for a program, or for people.
func (o *operator) print(w io.Writer, answer jsontext.Value, show func(io.Writer, jsontext.Value) error) error {
	if !o.asJSON {
		return show(w, answer)
	}
	_, err := fmt.Fprintf(w, "%s\n", answer)
	return err
}
