package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"switchboard/shared/app/local"
	"switchboard/shared/model"
	"switchboard/shared/model/modeltest"
)

// These tests run the binary that ships, from outside: built once, without the
// race detector, and started as a process of its own.

var bin = struct {
	dir   string
	build func() error
}{}

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "switchboard-test-")
	if err != nil {
		panic(err)
	}
	bin.dir = dir
	bin.build = sync.OnceValue(func() error {
		cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary(), ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
		return nil
	})
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func binary() string { return filepath.Join(bin.dir, "switchboard") }

// patience bounds whatever should take no time, so that what hangs fails here.
const patience = 25 * time.Second

// command is the binary with arguments, in an empty directory and with nothing in
// its environment that could choose another store or model.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	if err := bin.build(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary(), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}, env...)
	return cmd
}

// result is what came of a command that ended.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, args ...string) result {
	t.Helper()
	cmd := command(t, nil, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait()
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// server is a running `switchboard serve --dev`.
type server struct {
	url      string
	key      string // alpha's secret key
	greeting string // what it printed until it was ready

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
}

// serve starts the server on a data directory and waits until it is ready.
func serve(t *testing.T, data, companies, model string) *server {
	t.Helper()
	var env []string
	if model != "" {
		env = []string{"OPENAI_BASE_URL=" + model + "/v1"}
	}
	cmd := command(t, env, "serve", "--dev", "--addr", "127.0.0.1:0", "--data", data, "--companies", companies)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd, exited: make(chan struct{})}
	ready := make(chan struct{})
	go func() {
		s.listen(out, ready)
		cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the server logged:\n%.4000s", errs.String())
		}
	})
	select {
	case <-ready:
	case <-s.exited:
		t.Fatalf("the server ended: %s", errs.String())
	case <-time.After(patience):
		t.Fatal("the server did not get ready")
	}
	s.readKey(t, data)
	s.get(t, "/healthz")
	return s
}

// listen reads what the server prints. All of the greeting is there when its last
// line, the one to paste, is.
func (s *server) listen(out io.Reader, ready chan<- struct{}) {
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		line := scan.Text()
		s.greeting += line + "\n"
		if _, url, ok := strings.Cut(line, "ready on "); ok {
			s.url, _, _ = strings.Cut(url, " ")
		}
		if strings.HasPrefix(line, "curl ") {
			close(ready)
			break
		}
	}
	io.Copy(io.Discard, out)
}

func (s *server) readKey(t *testing.T, data string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "dev-keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	var keys local.DevKeys
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	s.key = keys.Projects["alpha"].Secret
}

// kill ends the process with SIGKILL and waits until it is gone.
func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.exited
}

// stop ends it as a supervisor does and returns its exit code.
func (s *server) stop(t *testing.T) int {
	t.Helper()
	s.cmd.Process.Signal(syscall.SIGTERM)
	return s.ended(t)
}

func (s *server) ended(t *testing.T) int {
	t.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Fatal("the process did not end within 25 seconds")
	}
	return s.cmd.ProcessState.ExitCode()
}

// client uses each connection once: to be cut off is what it is there for.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// send posts a turn and returns the response as it begins.
func (s *server) send(body, idempotencyKey string) (*http.Response, error) {
	req, err := http.NewRequest("POST", s.url+"/v1/chat", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Content-Type", "application/json")
	if idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", idempotencyKey)
	}
	return client.Do(req)
}

// get fetches what has to be there.
func (s *server) get(t *testing.T, path string) []byte {
	t.Helper()
	req, err := http.NewRequest("GET", s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %s %v", path, res.StatusCode, body, err)
	}
	return body
}

// scripted starts a model that plays the script.
func scripted(t *testing.T, script func(modeltest.Call) modeltest.Script) string {
	t.Helper()
	srv := httptest.NewServer(modeltest.NewServer(script))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

// says is a script of these texts.
func says(texts ...string) modeltest.Script {
	var s modeltest.Script
	for _, text := range texts {
		s = append(s, modeltest.Step{Text: text})
	}
	return append(s, modeltest.Step{Usage: &model.Usage{Input: 7, Output: 3}}, modeltest.Step{Stop: model.StopEnd})
}

// companies writes one company, with further files, and returns the folder.
func companies(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{
		"alpha/company.yaml":          "name: Alpha\n",
		"alpha/assistants/website.md": "---\nname: Website\nsuggestions: [\"What's the \\\"fee\\\" for a café?\"]\n---\nYou answer for Alpha.\n",
		"alpha/knowledge/fees.md":     "---\ntitle: Fees\n---\nA visit to a café costs a fee of $149.\n",
	}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
