package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"switchboard/shared/company"
	"switchboard/shared/company/catalog"
)

// syncing is what `switchboard sync` was told.
type syncing struct {
	*operator
	companies        string
	dry, force, sure bool
}

// syncCommand brings companies' folders to a server.
func (s surroundings) syncCommand() *cobra.Command {
	cmd, o := s.command("sync [PROJECT...]", "Bring companies' folders to the server: show what would change, then do it", `
A mistake in any folder is shown with its place, and then nothing is applied anywhere.

  +  added            ~  changed            -  removed: the folder has it no more
  =  kept: it was changed on the server, and the folder's did not change since it was
     last brought; --force stores the folder's

What is changed on the server and in the folder becomes what the folder says; the
other stays among its versions. What was made on the server alone is never removed.
`)
	r := &syncing{operator: o}
	cmd.Example = "  switchboard sync --dry-run\n  switchboard sync lenhart-electric --yes"
	cmd.RunE = r.run
	f := cmd.Flags()
	f.StringVar(&r.companies, "companies", companiesDir, "directory of company folders")
	f.BoolVar(&r.dry, "dry-run", false, "only show what would change")
	f.BoolVar(&r.force, "force", false, "store the folder's text also where it was changed on the server")
	f.BoolVar(&r.sure, "yes", false, "remove what the folders have no more without asking")
	return cmd
}

func (r *syncing) run(cmd *cobra.Command, args []string) error {
	folders, err := r.load(args)
	if err != nil {
		return err
	}
	c, err := r.client()
	if err != nil {
		return err
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	var all []*visit
	for _, f := range folders {
		v := &visit{client: c, folder: f, force: r.force}
		if v.err = v.plan(ctx); v.err != nil && stops(v.err) {
			return v.err // the next ones would say the same
		}
		all = append(all, v)
	}
	if !r.asJSON {
		show(out, all)
	}
	if !r.dry {
		if err := r.confirm(cmd, all); err != nil {
			return err
		}
		for _, v := range all {
			if v.err == nil {
				v.err = v.apply(ctx)
			}
		}
	}
	return r.report(out, all)
}

// stops reports whether an error is none of one company's alone.
func stops(err error) bool {
	_, none := errors.AsType[*noServer](err)
	r, ok := errors.AsType[*refusal](err)
	return none || ok && (r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden)
}

// load reads the folders that were named, or all. A mistake in any is an error.
func (r *syncing) load(names []string) ([]company.Folder, error) {
	root, err := os.OpenRoot(r.companies) // so that no link in it leads out
	if err != nil {
		return nil, fmt.Errorf("--companies: %w", err)
	}
	defer root.Close()
	all, err := company.Load(root.FS())
	if err != nil {
		return nil, mistakesIn(err, func(file string) string { return filepath.Join(r.companies, file) })
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no company in %s; a company is a folder with a company.yaml", r.companies)
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(f company.Folder) bool { return f.ID.String() == name }) {
			return nil, fmt.Errorf("there is no folder %s", path.Join(r.companies, name))
		}
	}
	if len(names) > 0 {
		all = slices.DeleteFunc(all, func(f company.Folder) bool { return !slices.Contains(names, f.ID.String()) })
	}
	return all, nil
}

// marks are how people read what becomes of a file.
func mark(w catalog.What) string {
	switch w {
	case catalog.Added:
		return "+"
	case catalog.Changed:
		return "~"
	case catalog.Removed:
		return "-"
	}
	return "="
}

// show prints what would become of each company.
func show(w io.Writer, all []*visit) {
	for _, v := range all {
		switch {
		case v.err != nil:
			fmt.Fprintf(w, "%s  cannot be brought\n", v.folder.ID)
		case v.create:
			fmt.Fprintf(w, "%s  create\n", v.folder.ID)
		case len(v.changes) == 0:
			fmt.Fprintf(w, "%s  unchanged\n", v.folder.ID)
		default:
			fmt.Fprintln(w, v.folder.ID)
		}
		for _, ch := range v.changes {
			fmt.Fprintf(w, "  %s %s\n", mark(ch.What), printable(ch.Path))
		}
	}
}

// confirm asks before anything is removed.
func (r *syncing) confirm(cmd *cobra.Command, all []*visit) error {
	n := 0
	for _, v := range all {
		n += v.count(catalog.Removed)
	}
	if n == 0 || r.sure {
		return nil
	}
	files := count(n, "file", "files")
	if r.asJSON || !r.terminal(cmd.InOrStdin()) {
		return fmt.Errorf("%s would be removed, so nothing was applied; --yes removes, --dry-run shows", files)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Remove %s? [y/N] ", files)
	line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("nothing was applied")
	}
	return nil
}

// report says how it ended for each company, and fails if it did not go well for any.
func (r *syncing) report(w io.Writer, all []*visit) error {
	failed := 0
	outcomes := []outcome{}
	for _, v := range all {
		o := v.outcome(r.dry)
		outcomes = append(outcomes, o)
		if v.err != nil {
			failed++
		}
		if !r.asJSON && (v.err != nil || !r.dry && o.State != "unchanged") {
			fmt.Fprintln(w, o.line())
		}
	}
	if r.asJSON {
		text, err := json.Marshal(struct {
			DryRun   bool      `json:"dry_run"`
			Projects []outcome `json:"projects"`
		}{r.dry, outcomes})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\n", text)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s failed", failed, count(len(all), "company", "companies"))
	}
	return nil
}
