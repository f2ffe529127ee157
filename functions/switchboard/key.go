package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"switchboard/shared/app/local"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// keyCommand makes and revokes keys in a data directory that no server has open.
func keyCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Create and revoke keys, while the server is stopped",
	}
	cmd.PersistentFlags().StringVar(&data, "data", cmp.Or(os.Getenv("SWITCHBOARD_DATA"), ".data"), "data directory (SWITCHBOARD_DATA)")
	cmd.AddCommand(keyCreateCommand(&data), keyRevokeCommand(&data))
	return cmd
}

// kinds of key by the name of --kind.
func kindOf(name string) (auth.Kind, error) {
	switch name {
	case "secret":
		return auth.SecretKey, nil
	case "publishable":
		return auth.Publishable, nil
	case "identity":
		return auth.IdentityKey, nil
	case "operator":
		return auth.OperatorKey, nil
	}
	return "", fmt.Errorf("--kind is %q; expected secret, publishable, identity or operator", name)
}

// wanted is what the flags of key create say.
type wanted struct {
	name, kind, role string
	life             time.Duration
}

// credential is what is to be issued to the project, if one is given.
func (w wanted) credential(projects []string) (c auth.Credential, err error) {
	c.Name = w.name
	if c.Kind, err = kindOf(w.kind); err != nil {
		return c, err
	}
	switch operator := c.Kind == auth.OperatorKey; {
	case operator && len(projects) > 0:
		return c, errors.New("an operator key belongs to no project")
	case !operator && len(projects) == 0:
		return c, errors.New("name the project that the key is for")
	case !operator:
		c.Project = projects[0]
	}
	if w.role != "" {
		if c.Role, err = tenant.ParseRole(w.role); err != nil {
			return c, fmt.Errorf("--role is %q; expected viewer, editor, admin or owner", w.role)
		}
	}
	if w.life < 0 {
		return c, errors.New("--expires is a time from now, such as 720h")
	}
	if w.life > 0 {
		c.Expires = time.Now().Add(w.life).UTC().Truncate(time.Second)
	}
	return c, nil
}

func keyCreateCommand(data *string) *cobra.Command {
	var w wanted
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "create [PROJECT]",
		Short: "Create a key; its text is shown this once",
		Long: `Create a key; its text is shown this once.

  secret        a company's server: everything of its project that its role allows
  publishable   a company's site asks with it for widget tokens; it opens nothing else
  identity      a company's server signs with it who a visitor of its site is
  operator      the platform's owner; opens a company's data only as it, with a reason

Rotation: create a second key, put it to use, revoke the first. Both hold meanwhile.`,
		Example: "  switchboard key create lenhart-electric --name crm --expires 8760h\n  switchboard key create lenhart-electric --kind secret --role viewer",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := w.credential(args)
			if err != nil {
				return err
			}
			return withDirectory(*data, func(d *auth.Directory) error {
				c, secret, err := d.Issue(cmd.Context(), c)
				if err != nil {
					return err
				}
				out := cmd.OutOrStdout()
				if !asJSON {
					_, err = fmt.Fprintln(out, secret.Reveal())
					return err
				}
				line, err := json.Marshal(struct {
					ID      string    `json:"id"`
					Project string    `json:"project,omitempty"`
					Key     string    `json:"key"`
					Expires time.Time `json:"expires,omitzero"`
				}{c.ID, c.Project, secret.Reveal(), c.Expires})
				fmt.Fprintln(out, string(line))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&w.kind, "kind", "secret", "secret, publishable, identity or operator")
	cmd.Flags().StringVar(&w.role, "role", "", "of a secret key: viewer, editor, admin or owner (default owner)")
	cmd.Flags().StringVar(&w.name, "name", "", "what people call it")
	cmd.Flags().DurationVar(&w.life, "expires", 0, "how long it holds, such as 720h; 0 = until it is revoked")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func keyRevokeCommand(data *string) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke KEYID",
		Short: "End a key; KEYID is the part between the underscores",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDirectory(*data, func(d *auth.Directory) error { return d.Revoke(cmd.Context(), args[0]) })
		},
	}
}

func withDirectory(data string, do func(*auth.Directory) error) error {
	d, closeAll, err := local.OpenDirectory(data)
	if err != nil {
		return err
	}
	return errors.Join(do(d), closeAll())
}
