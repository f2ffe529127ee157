package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"switchboard/shared/admin"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// keyCommand administers keys: on the running server, or in the data directory of one
// that is stopped.
func (s surroundings) keyCommand() *cobra.Command {
	cmd, o := s.group("key", "Create, list and revoke keys", `
Where no server listens at --url and that is this machine, the data directory is
opened instead. Operator keys are made there alone, while the server is stopped.
`)
	cmd.AddCommand(o.keyListCommand(), o.keyCreateCommand(), o.keyRevokeCommand())
	return cmd
}

// keyring is where keys are: a server's, or a directory's of one that is stopped.
type keyring interface {
	list(ctx context.Context, id tenant.ID) (jsontext.Value, error)
	create(ctx context.Context, w wanted) (jsontext.Value, error)
	revoke(ctx context.Context, id tenant.ID, key string) (jsontext.Value, error) // the zero id: of whomever
}

// with opens the keyring: offline says that only the directory will do.
func (o *operator) with(ctx context.Context, offline bool, do func(keyring) (jsontext.Value, error)) (jsontext.Value, error) {
	base, here, err := serverURL(o.url)
	switch {
	case offline:
		return o.withDirectory(nil, do)
	case err != nil:
		return nil, err
	case here && refused(ctx, base):
		return o.withDirectory(away(base), do)
	}
	c, err := o.client()
	if err != nil {
		return nil, err
	}
	return do(served{c})
}

// refused reports that nobody listens at the URL.
func refused(ctx context.Context, base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme // dialled by its name
	}
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// wanted is what the flags of key create say.
type wanted struct {
	project          tenant.ID
	name, kind, role string
	life             time.Duration
}

// kindOf is the kind of key by the name of --kind.
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

// credential is what is to be issued.
func (w wanted) credential(now time.Time) (c auth.Credential, err error) {
	c.Name, c.Project = w.name, w.project.String()
	if c.Kind, err = kindOf(w.kind); err != nil {
		return c, err
	}
	switch operator := c.Kind == auth.OperatorKey; {
	case operator && !w.project.IsZero():
		return c, errors.New("an operator key belongs to no project")
	case !operator && w.project.IsZero():
		return c, errors.New("name the project that the key is for")
	case w.role != "" && c.Kind != auth.SecretKey:
		return c, errors.New("--role is for secret keys")
	case w.life < 0:
		return c, errors.New("--expires is a time from now, such as 720h")
	}
	if w.role != "" {
		if c.Role, err = tenant.ParseRole(w.role); err != nil {
			return c, fmt.Errorf("--role is %q; expected viewer, editor, admin or owner", w.role)
		}
	}
	if w.life > 0 {
		c.Expires = now.Add(w.life).UTC().Truncate(time.Second)
	}
	return c, nil
}

func (o *operator) keyCreateCommand() *cobra.Command {
	var w wanted
	cmd := &cobra.Command{
		Use:   "create [PROJECT]",
		Short: "Create a key; its text is shown this once",
		Long: `Create a key; its text is shown this once.

  secret        a company's server: everything of its project that its role allows
  publishable   a company's site asks with it for widget tokens; it opens nothing else
  identity      a company's server signs with it who a visitor of its site is
  operator      the platform's owner: administers companies, and opens a company's data
                only as it, with a reason. Made while the server is stopped.

Rotation: create a second key, put it to use, revoke the first. Both hold meanwhile.`,
		Example: "  switchboard key create lenhart-electric --name crm --expires 8760h\n  switchboard key create lenhart-electric --kind secret --role viewer\n  switchboard key create --kind operator",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if w.project, err = projectOf(args); err != nil {
			return err
		}
		if _, err := w.credential(time.Now()); err != nil {
			return err
		}
		answer, err := o.with(cmd.Context(), w.kind == "operator", func(k keyring) (jsontext.Value, error) { return k.create(cmd.Context(), w) })
		if err != nil {
			return err
		}
		return o.print(cmd.OutOrStdout(), answer, sentenceOf(func(k admin.Key) string { return k.Text }))
	}
	cmd.Flags().StringVar(&w.kind, "kind", "secret", "secret, publishable, identity or operator")
	cmd.Flags().StringVar(&w.role, "role", "", "of a secret key: viewer, editor, admin or owner (default owner)")
	cmd.Flags().StringVar(&w.name, "name", "", "what people call it")
	cmd.Flags().DurationVar(&w.life, "expires", 0, "how long it holds, such as 720h; 0 = until it is revoked")
	return cmd
}

func (o *operator) keyListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list PROJECT", Short: "List a company's keys, without their texts", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := projectOf(args)
			if err != nil {
				return err
			}
			answer, err := o.with(cmd.Context(), false, func(k keyring) (jsontext.Value, error) { return k.list(cmd.Context(), id) })
			if err != nil {
				return err
			}
			head := []string{"ID", "KIND", "ROLE", "STATUS", "CREATED", "EXPIRES", "NAME"}
			return o.print(cmd.OutOrStdout(), answer, listing(head, "There is none.", keyRow))
		},
	}
}

// projectOf is the project that the arguments begin with; zero where there are none.
func projectOf(args []string) (id tenant.ID, err error) {
	if len(args) > 0 {
		id, err = tenant.ParseID(args[0])
	}
	return id, err
}

func keyRow(k admin.Key) []string {
	expires := "never"
	if k.Expires != nil {
		expires = moment(*k.Expires)
	}
	return []string{k.ID, k.Kind, k.Role, k.Status, moment(k.Created), expires, k.Name}
}

func (o *operator) keyRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke [PROJECT] KEYID", Short: "End a key, within a minute; KEYID is the part between the underscores",
		Long: `End a key, within a minute; KEYID is the part between the underscores.

Without PROJECT it is an operator key, or any, in the data directory of a server that
is stopped.`,
		Example: "  switchboard key revoke lenhart-electric 0123456789abcdef",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key := args[len(args)-1]
			id, err := projectOf(args[:len(args)-1])
			if err != nil {
				return err
			}
			answer, err := o.with(cmd.Context(), id.IsZero(), func(k keyring) (jsontext.Value, error) { return k.revoke(cmd.Context(), id, key) })
			if err != nil {
				return err
			}
			return o.print(cmd.OutOrStdout(), answer, func(w io.Writer, _ jsontext.Value) error {
				_, err := fmt.Fprintln(w, key, "is revoked.")
				return err
			})
		},
	}
}

// served is the keyring of a running server.
type served struct{ client *client }

func (s served) list(ctx context.Context, id tenant.ID) (jsontext.Value, error) {
	return s.client.all(ctx, projectPath(id.String(), "keys"))
}

func (s served) create(ctx context.Context, w wanted) (jsontext.Value, error) {
	c, err := w.credential(time.Now())
	if err != nil {
		return nil, err
	}
	body := struct {
		Kind    string    `json:"kind"`
		Name    string    `json:"name"`
		Role    string    `json:"role"`
		Expires time.Time `json:"expires_at,omitzero"`
	}{w.kind, w.name, w.role, c.Expires}
	return s.client.askOnce(ctx, "POST", projectPath(w.project.String(), "keys"), body)
}

func (s served) revoke(ctx context.Context, id tenant.ID, key string) (jsontext.Value, error) {
	return s.client.ask(ctx, "DELETE", projectPath(id.String(), "keys", key), nil)
}
