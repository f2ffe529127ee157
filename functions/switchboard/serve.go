package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	integrations "switchboard/company-integrations"
	"switchboard/shared/app"
	"switchboard/shared/app/local"
	"switchboard/shared/host/httphost"
)

const companiesDir = "company-integrations"

// serving is what `switchboard serve` was told.
type serving struct {
	addr, data, companies string
	dev                   bool
	open                  int
}

func serveCommand() *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve every company from this process",
		Long: `Serve every company from this process, with embedded stores under one directory.

A real store is used as soon as its variable is set: REDIS_URL for the message
window. Models: ANTHROPIC_API_KEY, OPENAI_API_KEY, OPENAI_BASE_URL (any compatible
server), the AWS SDK's own variables for Bedrock; SWITCHBOARD_MODEL names the one
for assistants that name none. Without any, assistants answer with passages of
their company's own knowledge.`,
		Example: "  switchboard serve --dev\n  OPENAI_API_KEY=... switchboard serve --addr 127.0.0.1:9000 --data /var/lib/switchboard",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd.Context(), cmd)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.addr, "addr", cmp.Or(os.Getenv("SWITCHBOARD_ADDR"), "127.0.0.1:8080"), "address to listen on (SWITCHBOARD_ADDR)")
	f.StringVar(&s.data, "data", cmp.Or(os.Getenv("SWITCHBOARD_DATA"), ".data"), "directory of all that lasts (SWITCHBOARD_DATA)")
	f.StringVar(&s.companies, "companies", "", "directory of company folders (default: ./"+companiesDir+", or the ones shipped inside this binary)")
	f.IntVar(&s.open, "open", local.OpenFiles(), "companies whose files are kept open: about 1 MB of memory each (an eighth of the memory, if you do not say); others cost a turn some milliseconds more")
	f.BoolVar(&s.dev, "dev", false, "development: make and print keys, serve demo pages; loopback only")
	return cmd
}

func (s serving) run(ctx context.Context, cmd *cobra.Command) error {
	if os.Getenv("GOGC") == "" {
		// The live heap is about 10 MB: at the default the collector would run a
		// dozen times a second under load to keep it at 20.
		debug.SetGCPercent(300)
	}
	if err := s.check(); err != nil {
		return err
	}
	companies, err := openCompanies(s.companies)
	if err != nil {
		return err
	}
	// The port first: if it is taken, nothing else need be opened. Connections
	// wait in its queue until the stores are ready.
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("%w (choose the address with --addr HOST:PORT or SWITCHBOARD_ADDR)", err)
	}
	defer l.Close()
	url := "http://" + l.Addr().String()
	var own []string
	if s.dev {
		_, port, _ := net.SplitHostPort(l.Addr().String())
		own = []string{url, "http://localhost:" + port}
	}
	stores, err := local.Open(ctx, local.Options{Data: s.data, Companies: companies, Getenv: os.Getenv, Dev: s.dev, Origins: own, Open: s.open})
	if err != nil {
		return err
	}
	handler := app.All(&stores.Parts)
	if len(stores.Companies) == 0 {
		return errors.Join(errors.New("--companies: there is no company in it; a company is a folder with a company.yaml"), stores.Close())
	}
	if s.dev {
		keys, err := stores.DevKeys(ctx, filepath.Join(s.data, "dev-keys.json"))
		if err != nil {
			return errors.Join(err, stores.Close())
		}
		greet(cmd.OutOrStdout(), url, stores.Companies, keys)
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), "Switchboard is ready on %s with %d companies.\n", url, len(stores.Companies))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Assistants that name no model use %s.\n", stores.Chat.Models.Resolve(nil)[0])
	told := context.AfterFunc(ctx, func() {
		fmt.Fprintln(cmd.ErrOrStderr(), "Stopping when the answers under way have ended, within 25 seconds. Ctrl-C again stops at once.")
	})
	defer told()
	err = httphost.Serve(ctx, l, handler, nil)
	slog.Info("stopped")
	return errors.Join(err, stores.Close())
}

// check refuses what makes no sense, and to print keys and serve demo pages to a network.
func (s serving) check() error {
	if s.open < 1 {
		return fmt.Errorf("--open %d: expected at least 1", s.open)
	}
	if !s.dev {
		return nil
	}
	host, _, err := net.SplitHostPort(s.addr)
	if err != nil {
		return fmt.Errorf("--addr %q: %w", s.addr, err)
	}
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--dev serves this machine only; %q is not a loopback address", host)
}

// openCompanies returns the folders to read. Through os.Root, so that no link in
// them leads out.
func openCompanies(dir string) (fs.FS, error) {
	if dir == "" {
		if info, err := os.Stat(companiesDir); err != nil || !info.IsDir() {
			return integrations.FS, nil
		}
		dir = companiesDir
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("--companies: %w", err)
	}
	return root.FS(), nil
}
