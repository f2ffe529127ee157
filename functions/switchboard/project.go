package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"switchboard/shared/admin"
	"switchboard/shared/company"
)

// projectCommand administers companies.
func (s surroundings) projectCommand() *cobra.Command {
	cmd, o := s.group("project", "Administer companies", "")
	cmd.AddCommand(
		o.does(&action{
			use: "list", short: "List the companies", args: cobra.NoArgs,
			ask:  func(ctx context.Context, c *client, _ []string) (jsontext.Value, error) { return c.all(ctx, projects) },
			show: listing([]string{"ID", "NAME", "KIND", "TIER", "STATUS"}, "There is no company; `switchboard sync` brings folders.", projectRow),
		}),
		o.does(&action{
			use: "show PROJECT", short: "Show a company and its manifest", args: cobra.ExactArgs(1),
			ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
				return c.ask(ctx, http.MethodGet, projectPath(args[0]), nil)
			},
			show: showProject,
		}),
		o.projectCreateCommand(),
		o.does(&action{
			use: "set PROJECT FIELD=VALUE...", short: "Change fields of a company's manifest", long: fieldsHelp, args: cobra.MinimumNArgs(2),
			example: "  switchboard project set lenhart-electric tier=pro budget.monthly_usd=200\n  switchboard project set lenhart-electric 'origins=[\"https://www.lenhart.example\"]' group=null",
			ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
				patch, err := mergePatch(args[1:])
				if err != nil {
					return nil, err
				}
				return c.ask(ctx, http.MethodPatch, projectPath(args[0]), patch)
			},
			show: sentenceOf(func(p admin.Project) string { return fmt.Sprintf("%s is at version %d.", p.ID, p.Version) }),
		}),
		o.versionsCommand("versions PROJECT", "List the versions of a company's manifest", 1, func(args []string) string { return projectPath(args[0]) }),
		o.rollbackCommand("rollback PROJECT VERSION", "Make an earlier manifest the present one", 1, func(args []string) string { return projectPath(args[0]) }),
		o.suspendCommand(),
		o.does(&action{
			use: "resume PROJECT", short: "Serve a suspended company again", args: cobra.ExactArgs(1),
			ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
				return c.ask(ctx, http.MethodPost, projectPath(args[0], "resume"), nil)
			},
			show: sentenceOf(func(p admin.Project) string { return p.ID + " is " + p.Status + "." }),
		}),
		o.exportCommand(),
	)
	return cmd
}

// group is a command that only holds others.
func (s surroundings) group(use, short, long string) (*cobra.Command, *operator) {
	cmd, o := s.command(use, short, long)
	cmd.Args = cobra.NoArgs // so that a misspelt command is no success
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd, o
}

// projectPath is where a project, or a part of it, is.
func projectPath(id string, parts ...string) string {
	path := projects + "/" + url.PathEscape(id)
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}

func projectRow(p admin.Project) []string { return []string{p.ID, p.Name, p.Kind, p.Tier, p.Status} }

// showProject prints what the platform knows of a company, then what the company says.
func showProject(w io.Writer, answer jsontext.Value) error {
	var p admin.Project
	if err := json.Unmarshal(answer, &p); err != nil {
		return err
	}
	manifest, err := company.Merge(company.Manifest, "", p.Manifest)
	if err != nil {
		return err
	}
	rows := [][]string{{"id", p.ID}, {"created", moment(p.Created)}, {"status", p.Status}}
	if p.Suspended != nil {
		rows = append(rows, []string{"suspended", moment(*p.Suspended)}, []string{"reason", p.Reason})
	}
	rows = append(rows, []string{"assistants", strings.Join(p.Assistants, ", ")}, []string{"version", strconv.Itoa(p.Version)})
	if err := table(w, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%s", printableLines(manifest))
	return err
}

// projectCreateCommand makes a company without a folder.
func (o *operator) projectCreateCommand() *cobra.Command {
	text := map[string]*string{}
	var origins []string
	cmd := o.does(&action{
		use: "create PROJECT --name NAME", short: "Create a company", args: cobra.ExactArgs(1),
		long: "For more than these flags say, write a folder and bring it with switchboard sync, or use project set.\n" +
			"To create what is there already, and the same, is no error.",
		example: "  switchboard project create sparky-co --name 'Sparky & Co' --origin https://sparky.example",
		ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
			body := map[string]any{"id": args[0]}
			for name, value := range text {
				if *value != "" {
					body[name] = *value
				}
			}
			if len(origins) > 0 {
				body["origins"] = origins
			}
			return c.ask(ctx, http.MethodPost, projects, body)
		},
		show: sentenceOf(func(p admin.Project) string {
			return fmt.Sprintf("%s is there. Next: switchboard assistant create %s website --file website.md; switchboard key create %s", p.ID, p.ID, p.ID)
		}),
	})
	for name, help := range map[string]string{
		"name": "what people call it", "kind": "company, client or personal", "tier": "free, standard, pro or enterprise",
		"group": "companies of one owner", "locale": "such as en-US", "timezone": "such as America/Chicago",
	} {
		text[name] = cmd.Flags().String(name, "", help)
	}
	cmd.Flags().StringArrayVar(&origins, "origin", nil, "of its site, such as https://www.lenhart.example; again for each")
	must(cmd.MarkFlagRequired("name"))
	return cmd
}

// must ends a command line that names a flag which it does not have.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (o *operator) suspendCommand() *cobra.Command {
	var reason string
	cmd := o.does(&action{
		use: "suspend PROJECT --reason WHY", short: "Stop serving a company, within a minute; its data stays", args: cobra.ExactArgs(1),
		example: "  switchboard project suspend lenhart-electric --reason 'unpaid since May'",
		ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
			return c.ask(ctx, http.MethodPost, projectPath(args[0], "suspend"), map[string]string{"reason": reason})
		},
		show: sentenceOf(func(p admin.Project) string { return p.ID + " is " + p.Status + ": " + p.Reason }),
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why; it stands in the company's record")
	must(cmd.MarkFlagRequired("reason"))
	return cmd
}

// versionsCommand lists the versions of what the first n arguments name.
func (o *operator) versionsCommand(use, short string, n int, path func(args []string) string) *cobra.Command {
	return o.does(&action{
		use: use, short: short, args: cobra.ExactArgs(n),
		ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
			return c.all(ctx, path(args)+"/versions")
		},
		show: listing([]string{"VERSION", "CHANGED", "BY", ""}, "There is none.", func(v admin.Version) []string {
			note := ""
			if v.Deleted {
				note = "deleted"
			}
			return []string{strconv.Itoa(v.Version), moment(v.Changed), v.By, note}
		}),
	})
}

// rollbackCommand makes an earlier version of it the present one. The argument after
// the first n is the version.
func (o *operator) rollbackCommand(use, short string, n int, path func(args []string) string) *cobra.Command {
	return o.does(&action{
		use: use, short: short, long: "It becomes the next version; nothing is lost.", args: cobra.ExactArgs(n + 1),
		ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
			version, err := strconv.Atoi(args[n])
			if err != nil {
				return nil, fmt.Errorf("%q is no version; `versions` lists them", args[n])
			}
			return c.ask(ctx, http.MethodPost, path(args)+"/rollback", map[string]int{"version": version})
		},
		show: sentenceOf(func(v struct {
			ID      string `json:"id"`
			Version int    `json:"version"`
		}) string {
			return fmt.Sprintf("%s is at version %d.", v.ID, v.Version)
		}),
	})
}
