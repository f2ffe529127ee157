package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// proven is a server of the binary, and what proves it in a folder of its own.
func proven(t *testing.T) (args []string, out, data string) {
	t.Helper()
	data, out = t.TempDir(), filepath.Join(t.TempDir(), "report")
	s := serve(t, data, companies(t, map[string]string{"alpha/company.yaml": "name: Alpha\norigins: [\"https://alpha.example\"]\n"}), "")
	return []string{"prove", "--project", "alpha", "--url", s.url, "--data", data, "--out", out, "--rate", "10000"}, out, data
}

func TestProve(t *testing.T) {
	t.Parallel()
	args, out, data := proven(t)
	r := run(t, append(args, "--attempts", "1", "--seed", "7", "--json")...)
	var said struct {
		Verdict   string `json:"verdict"`
		Attempts  int    `json:"attempts"`
		Seed      string `json:"seed"`
		PublicKey string `json:"public_key"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &said); err != nil || r.code != 0 || said.Verdict != "passed" || said.Attempts < 1000 || said.Seed != "7" {
		t.Fatalf("%+v, %+v, %v", said, r, err)
	}
	if !strings.Contains(r.stderr, "seed 7") || !strings.Contains(r.stderr, said.PublicKey) || !strings.Contains(r.stderr, "cleaning up") {
		t.Errorf("progress: %s", r.stderr)
	}
	keys, err := os.ReadFile(filepath.Join(data, "dev-keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dev struct{ Operator string }
	if err := json.Unmarshal(keys, &dev); err != nil {
		t.Fatal(err)
	}
	all := []byte(r.stdout + r.stderr)
	for _, name := range []string{"report.json", "report.html"} {
		text, err := os.ReadFile(filepath.Join(out, name))
		if info, serr := os.Stat(filepath.Join(out, name)); err != nil || serr != nil || info.Mode().Perm() != 0o600 {
			t.Fatal(err, serr, name)
		}
		all = append(all, text...)
	}
	if bytes.Contains(all, []byte(dev.Operator[len(dev.Operator)-20:])) || len(dev.Operator) < 40 {
		t.Error("the operator's key is in what was written")
	}
	verifies(t, filepath.Join(out, "report.json"), said.PublicKey)
}

// verifies holds that a report is taken as it is, and as nothing else.
func verifies(t *testing.T, file, key string) {
	t.Helper()
	if r := run(t, "prove", "verify", file, "--public-key", key); r.code != 0 || !strings.Contains(r.stdout, "alpha: passed") {
		t.Errorf("%+v", r)
	}
	if r := run(t, "prove", "verify", file, "--public-key", strings.Repeat("0", 64)); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "another key") {
		t.Errorf("%+v", r)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "changed.json")
	if err := os.WriteFile(changed, bytes.Replace(text, []byte(`"failures": 0`), []byte(`"failures": 1`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run(t, "prove", "verify", changed); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "changed") {
		t.Errorf("%+v", r)
	}
}

// Ctrl-C stops the attacks and not the cleaning up.
func TestProveGivenUp(t *testing.T) {
	t.Parallel()
	args, out, _ := proven(t)
	cmd := command(t, nil, append(args, "--attempts", "1000000")...)
	stderr := &watched{cmd: func() { cmd.Process.Signal(syscall.SIGINT) }, until: "5000 of"}
	cmd.Stderr = stderr
	if err := cmd.Run(); err == nil {
		t.Error("a run that was given up is a success")
	}
	text, err := os.ReadFile(filepath.Join(out, "report.json"))
	if err != nil {
		t.Fatal(err, stderr.text.String())
	}
	var file struct {
		Report struct {
			Verdict string
			Cleanup []struct{ Done bool }
		}
	}
	if err := json.Unmarshal(text, &file); err != nil || file.Report.Verdict != "not proven" || len(file.Report.Cleanup) < 7 {
		t.Errorf("%+v, %v", file, err)
	}
	for _, c := range file.Report.Cleanup {
		if !c.Done {
			t.Errorf("%+v", file)
		}
	}
}

// watched does something once a text has been written.
type watched struct {
	text  bytes.Buffer
	until string
	cmd   func()
}

func (w *watched) Write(b []byte) (int, error) {
	w.text.Write(b)
	if w.cmd != nil && strings.Contains(w.text.String(), w.until) {
		w.cmd()
		w.cmd = nil
	}
	return len(b), nil
}

func TestProveRefusals(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--project is needed":       {},
		"an operator's key":         {"--project", "alpha", "--url", "http://127.0.0.1:1"},
		"in the clear":              {"--project", "alpha", "--url", "http://192.0.2.1", "--operator-key-file", "key"},
		"an operator's key is":      {"--project", "alpha", "--url", "https://192.0.2.1", "--data", "data"},
		"--rate is":                 {"--project", "alpha", "--rate", "0"},
		"--timeout is":              {"--project", "alpha", "--timeout", "1ms"},
		"no such file or directory": {"--project", "alpha", "--operator-key-file", "nowhere"},
	} {
		cmd := command(t, nil, append([]string{"prove"}, args...)...)
		for name, text := range map[string]string{"key": "op_x", "data/dev-keys.json": `{"operator":"op_x"}`} {
			file := filepath.Join(cmd.Dir, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v %s, want %q", args, err, out, want)
		}
	}
}
