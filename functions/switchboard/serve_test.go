package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchboard/shared/model"
	"switchboard/shared/model/modeltest"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"project"}, {"key", "create", "--help"}, {"version"}} {
		r := run(t, args...)
		if r.code != 0 || r.stdout == "" || r.stderr != "" {
			t.Errorf("%v: %+v", args, r)
		}
	}
	r := run(t, "serve", "--help")
	for _, want := range []string{"--addr", "SWITCHBOARD_ADDR", "--data", "SWITCHBOARD_DATA", "--companies", "--dev", "REDIS_URL"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("serve --help does not mention %s", want)
		}
	}
	for _, command := range []string{"sync", "project", "assistant", "key", "doctor"} {
		r := run(t, command, "--help")
		for _, want := range []string{"--url", "SWITCHBOARD_URL", "--data", "--json", "SWITCHBOARD_OPERATOR_KEY"} {
			if r.code != 0 || !strings.Contains(r.stdout, want) {
				t.Errorf("%s --help does not mention %s", command, want)
			}
		}
	}
}

// What is refused is refused before anything is made, and on stderr alone.
func TestRefusals(t *testing.T) {
	t.Parallel()
	wrong := companies(t, map[string]string{"beta/company.yaml": "name: Beta\ntier: golden\n", "beta/assistants/desk.md": "---\nname: Desk\nmodell: x\n---\nHi.\n"})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // after the parallel tests below
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"every interface":  {[]string{"--dev", "--addr", "0.0.0.0:0"}, []string{"--dev", "loopback", "0.0.0.0"}},
		"no host":          {[]string{"--dev", "--addr", ":0"}, []string{"--dev", "loopback"}},
		"another machine":  {[]string{"--dev", "--addr", "192.0.2.1:0"}, []string{"--dev", "loopback"}},
		"a public name":    {[]string{"--dev", "--addr", "switchboard.example:0"}, []string{"--dev", "loopback"}},
		"no port":          {[]string{"--dev", "--addr", "127.0.0.1"}, []string{"--addr", "port"}},
		"a taken port":     {[]string{"--addr", taken.Addr().String()}, []string{"address already in use"}},
		"no folder":        {[]string{"--companies", "nowhere"}, []string{"--companies", "nowhere"}},
		"an argument":      {[]string{"now"}, []string{"now"}},
		"an unknown flag":  {[]string{"--fast"}, []string{"--fast"}},
		"a wrong manifest": {[]string{"--addr", "127.0.0.1:0", "--companies", wrong}, []string{"beta/company.yaml:2:", "golden", "standard", "beta/assistants/desk.md:3:", "modell", "model"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data")
			r := run(t, append([]string{"serve", "--data", data}, c.args...)...)
			if r.code != 1 || r.stdout != "" {
				t.Errorf("exit code %d, stdout %q", r.code, r.stdout)
			}
			for _, want := range c.want {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("%q is not in %q", want, r.stderr)
				}
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Errorf("the data directory was made: %v", err)
			}
		})
	}
}

func TestOneProcessOwnsTheData(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), companies(t, nil)
	s := serve(t, data, dir, "")
	r := run(t, "serve", "--dev", "--addr", "127.0.0.1:0", "--data", data, "--companies", dir)
	if r.code != 1 || !strings.Contains(r.stderr, data) || !strings.Contains(r.stderr, "in use") || r.stdout != "" {
		t.Errorf("the second process: %+v", r)
	}
	s.get(t, "/v1/models") // the first one goes on
}

func TestDevKeysAreKept(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), companies(t, nil)
	file := filepath.Join(data, "dev-keys.json")
	var first []byte
	for i, end := range []func(*server){
		func(s *server) {
			if code := s.stop(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
		},
		(*server).kill,
		(*server).kill,
	} {
		s := serve(t, data, dir, "")
		s.get(t, "/v1/models") // the key holds
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = text
		}
		if !bytes.Equal(first, text) {
			t.Errorf("start %d has other keys", i+1)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		end(s)
	}
	var form struct {
		Operator string
		Projects map[string]struct{ Secret, Publishable string }
	}
	if err := json.Unmarshal(first, &form); err != nil {
		t.Fatal(err)
	}
	alpha := form.Projects["alpha"]
	if !strings.HasPrefix(form.Operator, "op_") || !strings.HasPrefix(alpha.Secret, "sk_") || !strings.HasPrefix(alpha.Publishable, "pk_") {
		t.Errorf("%s", first)
	}
}

func TestThePrintedLineWorks(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	s := serve(t, t.TempDir(), companies(t, nil), "")
	_, line, ok := strings.Cut(s.greeting, "\ncurl ")
	if !ok {
		t.Fatalf("no curl line in:\n%s", s.greeting)
	}
	out, err := exec.Command("sh", "-c", "curl "+line).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "$149") {
		t.Errorf("curl %s\nanswered %s (%v)", line, out, err)
	}
	for _, want := range []string{s.url + "/demo/alpha", s.key, "pk_", "op_"} {
		if !strings.Contains(s.greeting, want) {
			t.Errorf("%q is not in the greeting", want)
		}
	}
}

// A stop takes no new request, lets a running answer end, and exits with 0.
func TestAStopLetsAStreamEnd(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	model := scripted(t, func(modeltest.Call) modeltest.Script {
		return modeltest.Script{{Text: "one"}, {Text: " two", Wait: release}, {Usage: &model.Usage{Input: 1, Output: 2}}, {Stop: model.StopEnd}}
	})
	data, dir := t.TempDir(), companies(t, nil)
	s := serve(t, data, dir, model)
	res, err := s.send(`{"assistant":"website","message":"Count.","stream":true}`, "count")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	next := events(res.Body)
	for e, ok := next(); e.name != "delta"; e, ok = next() {
		if !ok {
			t.Fatal("the stream ended before its first text")
		}
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	refuses(t, s)
	close(release)
	last, text := event{}, ""
	for e, ok := next(); ok; e, ok = next() {
		last, text = e, text+e.data
	}
	if last.name != "done" || !strings.Contains(text, `" two"`) {
		t.Errorf("the stream ended with %+v after %s", last, text)
	}
	if code := s.ended(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	// And it was stored: the same key gives the same turn.
	s = serve(t, data, dir, model)
	res, err = s.send(`{"assistant":"website","message":"Count.","stream":true}`, "count")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	again, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(again), last.data) || !strings.Contains(string(again), "one two") {
		t.Errorf("first %s\nagain %s (%v)", last.data, again, err)
	}
}

// refuses waits until the server takes no connection any more.
func refuses(t *testing.T, s *server) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Error("a stopping server still takes connections")
}
