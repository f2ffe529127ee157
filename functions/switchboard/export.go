package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"switchboard/shared/admin"
	"switchboard/shared/company"
)

// exportCommand writes a company's folder as the server has it.
func (o *operator) exportCommand() *cobra.Command {
	var force bool
	a := &action{
		use: "export PROJECT DIR", short: "Write a company's folder as it is stored", args: cobra.ExactArgs(2),
		long:    "DIR becomes the folder itself. A file in it that says something else is not overwritten without --force; one that the server does not have stays.",
		example: "  switchboard project export lenhart-electric company-integrations/lenhart-electric --force",
	}
	a.ask = func(ctx context.Context, c *client, args []string) (jsontext.Value, error) {
		answer, err := c.ask(ctx, http.MethodGet, projectPath(args[0], "files"), nil)
		if err != nil {
			return nil, err
		}
		var stored admin.FilesAnswer
		if err := json.Unmarshal(answer, &stored); err != nil {
			return nil, err
		}
		written, err := export(args[1], stored.Files, force)
		if err != nil {
			return nil, err
		}
		return json.Marshal(exported{args[0], args[1], len(stored.Files), written})
	}
	a.show = sentenceOf(func(e exported) string {
		return fmt.Sprintf("%s has the %s of %s; %d written.", e.Dir, count(e.Files, "file", "files"), e.ID, len(e.Written))
	})
	cmd := o.does(a)
	cmd.Flags().BoolVar(&force, "force", false, "overwrite")
	return cmd
}

// exported is what came of an export.
type exported struct {
	ID      string   `json:"id"`
	Dir     string   `json:"dir"`
	Files   int      `json:"files"`
	Written []string `json:"written"` // those that were not there, or said something else
}

// export writes the files below dir, all or none of those that are in the way. It goes
// through os.Root and checks each path: they are another's words.
func export(dir string, files company.Files, force bool) (written []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	written = []string{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := company.CheckName(name); err != nil {
			return nil, fmt.Errorf("the server names a file that no company has: %q", name)
		}
		text, err := root.ReadFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			written = append(written, name)
		case err != nil:
			return nil, err
		case string(text) == files[name]:
		case !force:
			return nil, fmt.Errorf("%s is there and says something else, so nothing was written; --force overwrites", path.Join(dir, name))
		default:
			written = append(written, name)
		}
	}
	for _, name := range written {
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return nil, err
		}
		if err := root.WriteFile(name, []byte(files[name]), 0o644); err != nil {
			return nil, err
		}
	}
	return written, nil
}
