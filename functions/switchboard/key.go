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
	"switchboard/shared/tenant/auth"
)

// keyCommand makes and revokes keys in a data directory that no server has open.
func keyCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Create and revoke secret keys, while the server is stopped",
	}
	cmd.PersistentFlags().StringVar(&data, "data", cmp.Or(os.Getenv("SWITCHBOARD_DATA"), ".data"), "data directory (SWITCHBOARD_DATA)")
	cmd.AddCommand(keyCreateCommand(&data), keyRevokeCommand(&data))
	return cmd
}

func keyCreateCommand(data *string) *cobra.Command {
	var name string
	var life time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "create PROJECT",
		Short:   "Create a secret key; its text is shown this once",
		Example: "  switchboard key create lenhart-electric --name website --expires 8760h",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := auth.Credential{Kind: auth.SecretKey, Project: args[0], Name: name}
			if life < 0 {
				return errors.New("--expires is a time from now, such as 720h")
			}
			if life > 0 {
				c.Expires = time.Now().Add(life).UTC().Truncate(time.Second)
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
					Project string    `json:"project"`
					Key     string    `json:"key"`
					Expires time.Time `json:"expires,omitzero"`
				}{c.ID, c.Project, secret.Reveal(), c.Expires})
				fmt.Fprintln(out, string(line))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "what people call it")
	cmd.Flags().DurationVar(&life, "expires", 0, "how long it holds, such as 720h; 0 = until it is revoked")
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
