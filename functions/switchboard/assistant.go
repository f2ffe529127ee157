package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"switchboard/shared/admin"
	"switchboard/shared/company"
)

// assistantCommand administers a company's assistants.
func (s surroundings) assistantCommand() *cobra.Command {
	cmd, o := s.group("assistant", "Administer the assistants of companies", "")
	cmd.AddCommand(
		o.does(&action{
			use: "list PROJECT", short: "List a company's assistants", args: cobra.ExactArgs(1),
			ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
				return c.all(ctx, projectPath(args[0], "assistants"))
			},
			show: listing([]string{"ID", "NAME", "MODEL", "VERSION", "CHANGED"}, "There is none.", assistantRow),
		}),
		o.assistantShowCommand(),
		o.assistantCreateCommand(),
		o.does(&action{
			use: "set PROJECT ASSISTANT FIELD=VALUE...", short: "Change fields of an assistant", args: cobra.MinimumNArgs(3),
			long:    fieldsHelp + "\nWhat stands after the front matter of its file is the field instructions.",
			example: "  switchboard assistant set lenhart-electric website temperature=0.2 'suggestions=[\"Do you do panel upgrades?\"]'\n  switchboard assistant set lenhart-electric website instructions=\"$(cat instructions.md)\"",
			ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
				patch, err := mergePatch(args[2:])
				if err != nil {
					return nil, err
				}
				return c.ask(ctx, http.MethodPatch, assistantPath(args), patch)
			},
			show: sentenceOf(func(a admin.Assistant) string { return fmt.Sprintf("%s is at version %d.", a.ID, a.Version) }),
		}),
		o.does(&action{
			use: "delete PROJECT ASSISTANT", short: "Delete an assistant; rollback brings it back", args: cobra.ExactArgs(2),
			ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
				return c.ask(ctx, http.MethodDelete, assistantPath(args), nil)
			},
			show: sentenceOf(func(a admin.Assistant) string {
				return fmt.Sprintf("%s is deleted; version %d was its last.", a.ID, a.Version-1)
			}),
		}),
		o.versionsCommand("versions PROJECT ASSISTANT", "List an assistant's versions", 2, assistantPath),
		o.rollbackCommand("rollback PROJECT ASSISTANT VERSION", "Make an earlier version of an assistant the present one", 2, assistantPath),
	)
	return cmd
}

// assistantPath is where the assistant of the first two arguments is.
func assistantPath(args []string) string { return projectPath(args[0], "assistants", args[1]) }

// brief is what a list shows of an assistant's fields.
type brief struct {
	admin.Assistant
	Name  string `json:"name"`
	Model string `json:"model"`
}

func assistantRow(a brief) []string {
	return []string{a.ID, a.Name, a.Model, strconv.Itoa(a.Version), moment(a.Changed)}
}

// assistantShowCommand prints an assistant as its file would be.
func (o *operator) assistantShowCommand() *cobra.Command {
	var version int
	cmd := o.does(&action{
		use: "show PROJECT ASSISTANT", short: "Show an assistant, as it is or was", args: cobra.ExactArgs(2),
		example: "  switchboard assistant show lenhart-electric website\n  switchboard assistant show lenhart-electric website --version 1",
		ask: func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
			path := assistantPath(args)
			if version != 0 {
				path += "?" + url.Values{"version": {strconv.Itoa(version)}}.Encode()
			}
			return c.ask(ctx, http.MethodGet, path, nil)
		},
		show: func(w io.Writer, answer jsontext.Value) error {
			var a admin.Assistant
			if err := json.Unmarshal(answer, &a); err != nil {
				return err
			}
			if a.Deleted {
				_, err := fmt.Fprintf(w, "%s was deleted at version %d, %s by %s.\n", printable(a.ID), a.Version, moment(a.Changed), printable(a.By))
				return err
			}
			text, err := company.Merge(company.AssistantFile(a.ID), "", a.Fields)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(w, printableLines(text))
			return err
		},
	})
	cmd.Flags().IntVar(&version, "version", 0, "as it was then; 0 = now")
	return cmd
}

// assistantCreateCommand makes an assistant of a file as it stands in a folder.
func (o *operator) assistantCreateCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "create PROJECT ASSISTANT --file FILE", Short: "Create an assistant from a file like those in a company's folder",
		Example: "  switchboard assistant create lenhart-electric night --file night.md\n  echo 'You answer at night. Be brief.' | switchboard assistant create lenhart-electric night --file -",
		Args:    cobra.ExactArgs(2),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		fields, err := readAssistant(cmd.InOrStdin(), file, args[1])
		if err != nil {
			return err
		}
		c, err := o.client()
		if err != nil {
			return err
		}
		answer, err := c.ask(cmd.Context(), http.MethodPost, projectPath(args[0], "assistants"), fields)
		if err != nil {
			return err
		}
		return o.print(cmd.OutOrStdout(), answer, sentenceOf(func(a admin.Assistant) string {
			return fmt.Sprintf("%s is at version %d.", a.ID, a.Version)
		}))
	}
	cmd.Flags().StringVar(&file, "file", "", "front matter, then instructions; - is stdin")
	must(cmd.MarkFlagRequired("file"))
	return cmd
}

// maxInput is more than any file of a company has.
const maxInput = 1 << 20

// readAssistant returns the fields of an assistant's file, with its id, or what is
// wrong in it and where.
func readAssistant(stdin io.Reader, file, id string) (map[string]jsontext.Value, error) {
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, maxInput))
	if err != nil {
		return nil, fmt.Errorf("--file: %w", err)
	}
	path, text := company.AssistantFile(id), plain(string(data))
	if company.CheckName(path) != nil {
		return nil, fmt.Errorf("%q is no assistant's id; expected 2 to 40 of a-z 0-9 -, starting with a letter, with no double hyphen", id)
	}
	if err := company.Check(path, text); err != nil {
		return nil, mistakesIn(err, func(string) string { return file })
	}
	return fieldsOf(path, text, id)
}

// fieldsOf is what a checked file says, as a body that makes it.
func fieldsOf(path, text, id string) (map[string]jsontext.Value, error) {
	object, err := company.JSON(path, text)
	if err != nil {
		return nil, err
	}
	var fields map[string]jsontext.Value
	if err := json.Unmarshal(object, &fields); err != nil {
		return nil, err
	}
	fields["id"], err = json.Marshal(id)
	return fields, err
}

// plain is a text with what company.Check passes over, and company.JSON does not, gone:
// a byte order mark, and lines that end as on Windows.
func plain(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
}

// mistakesIn is an error of shared/company with the files as a person finds them.
func mistakesIn(err error, at func(file string) string) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	lines := []string{""}
	for _, e := range joined.Unwrap() {
		if m, ok := errors.AsType[*company.Mistake](e); ok {
			there := *m
			there.File = at(m.File)
			e = &there
		}
		lines = append(lines, e.Error())
	}
	lines[0] = count(len(lines)-1, "mistake", "mistakes") + ", so nothing was applied:"
	return errors.New(strings.Join(lines, "\n"))
}
