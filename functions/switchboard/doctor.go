package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"switchboard/shared/admin"
)

// doctorCommand looks at what an operator would want to know to be well.
func (s surroundings) doctorCommand() *cobra.Command {
	cmd, o := s.command("doctor", "Check a server, its companies, and the data directory on this machine", `
It looks whether the server answers and takes the operator key; whether each company is
served, has an assistant, and has a secret key that holds; and, where --url is this
machine, whether others on it could read the data directory or a key in it. It does not
ask any language model, and cannot see which of them the server has keys for. warn is
for what may be meant so; it fails on fail alone.
`)
	cmd.Example = "  switchboard doctor\n  switchboard doctor --json"
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		d := &doctor{operator: o, checks: []check{}}
		if err := d.server(cmd.Context()); err != nil {
			return err
		}
		return d.report(cmd.OutOrStdout())
	}
	return cmd
}

// check is one thing that was looked at.
type check struct {
	Name   string `json:"check"`
	State  string `json:"state"` // ok | warn | fail
	Detail string `json:"detail"`
}

// doctor is what was looked at so far.
type doctor struct {
	*operator
	checks []check
}

func (d *doctor) note(name, state, format string, args ...any) {
	d.checks = append(d.checks, check{name, state, fmt.Sprintf(format, args...)})
}

// server looks at everything, from the server on. What cannot be asked is not in the
// report. The error is that of a URL that is none.
func (d *doctor) server(ctx context.Context) error {
	base, here, err := serverURL(d.url)
	if err != nil {
		return err
	}
	c := newClient(base, d.surroundings)
	if _, err := c.ask(ctx, http.MethodGet, "/healthz", nil); err != nil {
		d.note("server", "fail", "%s", sentence(err))
	} else {
		d.note("server", "ok", "%s is ready", base)
		d.operatorKey(ctx, c, here)
	}
	if here {
		d.directory()
	}
	return nil
}

// operatorKey looks whether there is one that holds, and goes on to the companies.
func (d *doctor) operatorKey(ctx context.Context, c *client, here bool) {
	const name = "operator key"
	var err error
	if c.key, c.from, err = d.key(here); err != nil {
		d.note(name, "fail", "%s", sentence(err))
		return
	}
	answer, err := c.all(ctx, projects)
	var list struct {
		Data []admin.Project `json:"data"`
	}
	if err == nil {
		err = json.Unmarshal(answer, &list)
	}
	if err != nil {
		d.note(name, "fail", "%s", sentence(err))
		return
	}
	d.note(name, "ok", "the one in %s holds", c.from)
	if len(list.Data) == 0 {
		d.note("companies", "warn", "there is none; `switchboard sync` brings folders")
	}
	for _, p := range list.Data {
		d.company(ctx, c, p)
	}
}

// company looks whether anybody can be answered there.
func (d *doctor) company(ctx context.Context, c *client, p admin.Project) {
	name := "company " + p.ID
	if p.Status != "active" {
		d.note(name, "warn", "%s: %s", p.Status, p.Reason)
		return
	}
	var assistants struct {
		Data []admin.Assistant `json:"data"`
	}
	var keys struct {
		Data []admin.Key `json:"data"`
	}
	for path, into := range map[string]any{"assistants": &assistants, "keys": &keys} {
		answer, err := c.all(ctx, projectPath(p.ID, path))
		if err == nil {
			err = json.Unmarshal(answer, into)
		}
		if err != nil {
			d.note(name, "fail", "its %s cannot be read: %s", path, sentence(err))
			return
		}
	}
	holds, last := holding(keys.Data)
	switch {
	case len(assistants.Data) == 0:
		d.note(name, "warn", "it has no assistant, so nobody answers")
	case holds == 0:
		d.note(name, "warn", "it has no secret key that holds: switchboard key create %s", p.ID)
	case time.Until(last) < soon:
		d.note(name, "warn", "its last secret key ends at %s: switchboard key create %s", moment(last), p.ID)
	default:
		d.note(name, "ok", "%s, %s", count(len(assistants.Data), "assistant", "assistants"), count(holds, "secret key", "secret keys"))
	}
}

// holding counts the secret keys that hold, and says when the last of them ends.
func holding(keys []admin.Key) (n int, last time.Time) {
	never := time.Now().AddDate(1000, 0, 0)
	for _, k := range keys {
		if k.Kind != "secret" || k.Status != "active" {
			continue
		}
		ends := never
		if k.Expires != nil {
			ends = *k.Expires
		}
		if n++; ends.After(last) {
			last = ends
		}
	}
	return n, last
}

// soon is how long before its end a company's last key is worth a word.
const soon = 14 * 24 * time.Hour

// directory looks whether others on this machine could read what is in the data
// directory: its directories, and the files with keys in them. Any other file is as
// closed as the directory that it is in.
func (d *doctor) directory() {
	const name = "data directory"
	data, err := filepath.EvalSymlinks(d.data)
	if errors.Is(err, fs.ErrNotExist) {
		d.note(name, "warn", "there is no %s, so nothing in it was looked at; --data says where it is", d.data)
		return
	}
	var open []string
	err = filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(data, path)
		if err != nil || !e.IsDir() && !holdsKeys(rel) {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // the server is at work
			return nil
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			open = append(open, fmt.Sprintf("%s has mode %#o", path, info.Mode().Perm()))
		}
		return err
	})
	switch {
	case err != nil:
		d.note(name, "fail", "it cannot be read: %s", err)
	case len(open) > 0:
		d.note(name, "fail", "others can get at it: %s (of %d); chmod -R go= %s", open[0], len(open), d.data)
	default:
		d.note(name, "ok", "%s is its owner's alone", d.data)
	}
}

func holdsKeys(rel string) bool {
	return rel == "master.key" || rel == "dev-keys.json" || filepath.Dir(rel) == "keys"
}

// report prints what was found, and fails if anything is not well.
func (d *doctor) report(w io.Writer) error {
	failed := 0
	rows := [][]string{}
	for _, c := range d.checks {
		if rows = append(rows, []string{c.State, c.Name, c.Detail}); c.State == "fail" {
			failed++
		}
	}
	var err error
	if d.asJSON {
		var text []byte
		text, err = json.Marshal(struct {
			OK     bool    `json:"ok"`
			Checks []check `json:"checks"`
		}{failed == 0, d.checks})
		fmt.Fprintf(w, "%s\n", text)
	} else {
		err = table(w, rows)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%s failed", count(failed, "check", "checks"))
	}
	return err
}
