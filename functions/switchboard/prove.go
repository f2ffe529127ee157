package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"switchboard/shared/admin"
	"switchboard/shared/app"
	"switchboard/shared/app/local"
	"switchboard/shared/chat"
	"switchboard/shared/prove"
	"switchboard/shared/prove/registry"
	"switchboard/shared/web/demo"
)

// proving is what `switchboard prove` was told.
type proving struct {
	plan                                prove.Plan
	data, operatorFile, signing, folder string
	asJSON                              bool
}

func proveCommand() *cobra.Command {
	var p proving
	cmd := &cobra.Command{
		Use:     "prove --project PROJECT",
		GroupID: operatorGroup,
		Short:   "Attack a running server across tenants, and write a signed report",
		Long: `Attack a running server across tenants, and write a signed report (report.json and
report.html). Exit code 0 only if every attack failed and every control held.

It makes three companies named canary-..., and in the project short-lived keys and
two conversations that say what they are. The keys are revoked and the canaries
suspended at the end, also after Ctrl-C; there is no way yet to remove a company.

What it costs: 7 turns of the project's own assistant, and --turns more, each of
a few words; the canaries' assistants ask no language model. With --read-only nothing
is said in the project, and the report names what was therefore not tried.

The operator's key is read from --operator-key-file, SWITCHBOARD_OPERATOR_KEY, or, where
--url is this machine, the dev-keys.json of --data. The signing key is made on first use; keep it, and tell who
gets reports its public half by another way.`,
		Example: "  switchboard prove --project lenhart-electric\n  SWITCHBOARD_OPERATOR_KEY=... switchboard prove --project acme --url https://api.example.com --out acme-proof\n  switchboard prove verify acme-proof/report.json --public-key 3f...",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context(), cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&p.plan.Project, "project", "", "the company to prove (its project id)")
	f.StringVar(&p.plan.Server, "url", cmp.Or(os.Getenv("SWITCHBOARD_URL"), "http://127.0.0.1:8080"), "the server (SWITCHBOARD_URL)")
	f.StringVar(&p.plan.Assistant, "assistant", "", "the company's assistant to ask (default: its first)")
	f.StringVar(&p.data, "data", cmp.Or(os.Getenv("SWITCHBOARD_DATA"), ".data"), "data directory, for dev-keys.json and the signing key (SWITCHBOARD_DATA)")
	f.StringVar(&p.operatorFile, "operator-key-file", "", "file with the operator's key")
	f.StringVar(&p.signing, "signing-key", "", "file of the signing key (default: prove-signing.pem in --data, or here)")
	f.StringVar(&p.folder, "out", "", "directory for the report (default: prove-PROJECT-TIME)")
	f.IntVar(&p.plan.Attempts, "attempts", prove.DefaultAttempts, "attempts; never fewer than one of each class, route and identity; 0 = each that there is, once")
	f.IntSliceVar(&p.plan.Classes, "class", nil, "only these classes, to look closer; then nothing is proven")
	f.IntVar(&p.plan.Rate, "rate", 200, "requests a second, at most")
	f.IntVar(&p.plan.Turns, "turns", 30, "turns of the company's own assistant, beside those that every run takes")
	f.Uint64Var(&p.plan.Seed, "seed", 0, "seed of the attacks; 0 = another each time")
	f.DurationVar(&p.plan.Timeout, "timeout", 15*time.Minute, "how long it may take, less the cleaning up")
	f.BoolVar(&p.plan.ReadOnly, "read-only", false, "say nothing in the project")
	f.BoolVar(&p.asJSON, "json", false, "print the summary as JSON")
	cmd.AddCommand(proveVerifyCommand())
	return cmd
}

// check completes what was told.
func (p *proving) check() (err error) {
	if p.plan.Project == "" {
		return errors.New("--project is needed: the company to prove")
	}
	if p.plan.Rate < 1 || p.plan.Rate > 10_000 || p.plan.Attempts < 0 || p.plan.Attempts > 1_000_000 || p.plan.Turns < 0 {
		return errors.New("--rate is 1 to 10000, --attempts 0 to 1000000, --turns 0 or more")
	}
	if p.plan.Timeout < time.Second || p.plan.Timeout > 12*time.Hour {
		return errors.New("--timeout is 1s to 12h")
	}
	if p.plan.Seed == 0 {
		p.plan.Seed = rand.Uint64() | 1
	}
	p.plan.Routes, p.plan.Version = declared(), version()
	_, here, err := serverURL(p.plan.Server)
	if err != nil {
		return err
	}
	p.plan.Operator, err = p.operatorKey(here)
	return err
}

// operatorKey is never an argument: other users of the machine see those. A development
// server's own is sent to no other machine.
func (p *proving) operatorKey(here bool) (string, error) {
	if p.operatorFile != "" {
		text, err := os.ReadFile(p.operatorFile)
		return strings.TrimSpace(string(text)), err
	}
	if k := os.Getenv("SWITCHBOARD_OPERATOR_KEY"); k != "" {
		return k, nil
	}
	text, err := os.ReadFile(filepath.Join(p.data, "dev-keys.json"))
	if err != nil || !here {
		return "", errors.New("an operator's key is needed: --operator-key-file FILE or SWITCHBOARD_OPERATOR_KEY")
	}
	var keys local.DevKeys
	if err := json.Unmarshal(text, &keys); err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Join(p.data, "dev-keys.json"), err)
	}
	return keys.Operator, nil
}

// declared are the routes of a server of this program, as its own registry has them.
func declared() []prove.Route {
	return registry.Routes(app.Routes(&app.Parts{Chat: &chat.Service{}, Admin: &admin.Service{}, Demo: &demo.Pages{}}))
}

func (p *proving) run(ctx context.Context, cmd *cobra.Command) error {
	if err := p.check(); err != nil {
		return err
	}
	key, file, made, err := signingKey(p.signing, p.data)
	if err != nil {
		return fmt.Errorf("--signing-key: %w", err)
	}
	folder := cmp.Or(p.folder, "prove-"+p.plan.Project+"-"+time.Now().UTC().Format("20060102T150405Z"))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	if made {
		fmt.Fprintf(stderr, "made the signing key %s; its public key is %s\n", file, prove.PublicKey(key))
	}
	fmt.Fprintf(stderr, "proving %s at %s; seed %d; Ctrl-C cleans up and stops\n", p.plan.Project, p.plan.Server, p.plan.Seed)
	p.plan.Progress = func(line string) { fmt.Fprintln(stderr, line) }
	report, failed := prove.Run(ctx, p.plan)
	if report == nil {
		return failed
	}
	signed, err := prove.Sign(report, key)
	if err != nil {
		return errors.Join(failed, err)
	}
	if err := write(folder, signed); err != nil {
		return errors.Join(failed, err)
	}
	if err := summary(cmd.OutOrStdout(), signed, folder, p.asJSON); err != nil {
		return err
	}
	if !report.Proven() {
		return errors.Join(failed, fmt.Errorf("%s: %s", report.Project, report.Verdict))
	}
	return nil
}

// write writes both forms of the report.
func write(folder string, signed []byte) error {
	s, err := prove.Verify(signed, "")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(folder, "report.json"), signed, 0o600), os.WriteFile(filepath.Join(folder, "report.html"), prove.HTML(s), 0o600))
}

// summary prints what matters of a signed report.
func summary(w io.Writer, signed []byte, folder string, asJSON bool) error {
	s, err := prove.Verify(signed, "")
	if err != nil {
		return err
	}
	r := s.Report
	if asJSON {
		text, err := json.Marshal(struct {
			Verdict   string   `json:"verdict"`
			Why       []string `json:"why"`
			Project   string   `json:"project"`
			Server    string   `json:"server"`
			Attempts  int      `json:"attempts"`
			Controls  int      `json:"controls"`
			Failures  int      `json:"failures"`
			NotProven int      `json:"not_proven"`
			Seconds   float64  `json:"seconds"`
			Seed      uint64   `json:"seed,string"`
			SHA256    string   `json:"sha256"`
			PublicKey string   `json:"public_key"`
			Folder    string   `json:"folder,omitzero"`
		}{r.Verdict, r.Why, r.Project, r.Server, r.Attempts, r.Controls, r.Failures, r.NotProven, r.Seconds, r.Seed, s.SHA256, s.PublicKey, folder}, jsontext.WithIndent("  "))
		fmt.Fprintln(w, string(text))
		return err
	}
	for _, row := range r.Rows {
		fmt.Fprintf(w, "%-10s  class %2d  %6d attempts  %3d controls  %d failures  %s\n", row.Verdict, row.Class, row.Attempts, row.Controls, row.Failures, row.Name)
	}
	fmt.Fprintf(w, "\n%s: %s. %s\n%d attempts in %.1f s; seed %d; SHA-256 %s\nsigned with %s\n", r.Project, r.Verdict, r.Sentence(), r.Attempts, r.Seconds, r.Seed, s.SHA256, s.PublicKey)
	for _, why := range r.Why {
		fmt.Fprintf(w, "  %s\n", why)
	}
	if folder != "" {
		fmt.Fprintf(w, "report: %s and .html\n", filepath.Join(folder, "report.json"))
	}
	return nil
}

func proveVerifyCommand() *cobra.Command {
	var publicKey string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify REPORT",
		Short: "Tell whether a report is as it was signed, and what it says",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			if _, err := prove.Verify(file, publicKey); err != nil {
				return err
			}
			if publicKey == "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "The signature holds. Whose key it is, the operator can say; then ask with --public-key.")
			}
			return summary(cmd.OutOrStdout(), file, "", asJSON)
		},
	}
	cmd.Flags().StringVar(&publicKey, "public-key", "", "the operator's public key, in hex, which has to have signed it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}

// signingKey reads or makes the key with which reports are signed: where it was told, or
// in the data directory if there is one, or here.
func signingKey(file, data string) (key ed25519.PrivateKey, path string, made bool, err error) {
	if path = file; path == "" {
		path = "prove-signing.pem"
		if info, err := os.Stat(data); err == nil && info.IsDir() {
			path = filepath.Join(data, path)
		}
	}
	key, made, err = prove.SigningKey(path)
	return key, path, made, err
}

// version is that of this program.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
