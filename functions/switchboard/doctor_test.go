package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// look runs the doctor, who may find something, and returns what it says.
func (d *desk) look(args ...string) (out, failed string) {
	d.t.Helper()
	out, _, failed = d.process.Run(d.t.Context(), append([]string{"doctor"}, args...)...)
	if strings.Contains(out+failed, d.key) {
		d.t.Error("it prints the operator key")
	}
	return out, failed
}

// finds holds what the doctor says to lines that begin so, and to how it ends.
func (d *desk) finds(failed string, want []string, args ...string) {
	d.t.Helper()
	out, got := d.look(args...)
	if got != failed {
		d.t.Errorf("failed with %q, want %q\n%s", got, failed, out)
	}
	for _, w := range want {
		if !strings.Contains("\n"+out, "\n"+w) {
			d.t.Errorf("no line %q in\n%s", w, out)
		}
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, id := range []string{"alpha", "beta"} {
		d.ok("key", "create", id)
	}
	d.ok("key", "create", "alpha", "--expires", "1h")
	d.finds("", []string{
		"ok    server          http://", "ok    operator key    the one in SWITCHBOARD_OPERATOR_KEY holds",
		"ok    company alpha   2 assistants, 2 secret keys", "ok    company beta    1 assistant, 1 secret key",
		"warn  company gamma   it has no secret key that holds", "ok    data directory  " + d.Data,
	}, "--data", d.Data)
	d.equal(d.json([]string{"ok", "checks.0.check", "checks.0.state", "checks.4.state", "checks.5.check"}, "doctor", "--data", d.Data),
		"true", "server", "ok", "warn", "data directory")

	d.ok("project", "create", "sparky-co", "--name", "Sparky")
	d.ok("project", "suspend", "beta", "--reason", "unpaid")
	d.ok("key", "create", "gamma", "--expires", "1h")
	d.finds("", []string{"warn  company beta       suspended: unpaid", "warn  company sparky-co  it has no assistant", "warn  company gamma      its last secret key ends at", "warn  data directory     there is no "})
}

func TestDoctorFails(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	master := filepath.Join(d.Data, "master.key")
	for name, mode := range map[string]os.FileMode{master: 0o640, d.Data: 0o755, filepath.Join(d.Data, "tenants"): 0o701} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(d.Data, link); err != nil {
			t.Fatal(err)
		}
		for _, data := range []string{d.Data, link} {
			d.finds("1 check failed", []string{"fail  data directory  others can get at it: " + name + " has mode 0"}, "--data", data)
		}
		if err := os.Chmod(name, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	d.finds("", []string{"ok    data directory"}, "--data", d.Data)

	real := d.process.Env["SWITCHBOARD_OPERATOR_KEY"]
	d.process.Env["SWITCHBOARD_OPERATOR_KEY"] = d.Key("alpha")
	d.finds("1 check failed", []string{"ok    server", "fail  operator key    the key in SWITCHBOARD_OPERATOR_KEY is not an operator's"})
	delete(d.process.Env, "SWITCHBOARD_OPERATOR_KEY")
	d.finds("1 check failed", []string{"fail  operator key    there is no operator key"})
	d.process.Env["SWITCHBOARD_OPERATOR_KEY"] = real
	// Without a server there is still what is on this machine.
	d.finds("1 check failed", []string{"fail  server          nothing listens at", "ok    data directory"}, "--url", nobodyListens, "--data", d.Data)
	out, failed := d.look("--json", "--url", nobodyListens)
	if d.equal(fieldsIn(t, out, []string{"ok", "checks.0.state", "checks.1.state", "checks.2"}), "false", "fail", "warn", ""); failed != "1 check failed" {
		t.Errorf("%q", failed)
	}
	d.refused("expected one such as", "doctor", "--url", "nowhere")
}
