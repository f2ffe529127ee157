package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	integrations "switchboard/company-integrations"
	"switchboard/shared/app/local"
)

// project is the company that is asked: one of the shipped ones, with assistants
// for the scripted models added.
const project = "lenhart-electric"

// world is the processes and files of a run.
type world struct {
	ctx       context.Context
	dir       string // temporary
	binary    string // of the product
	companies string
	mock      *process
	proxy     *process
	inProcess bool // the product is this binary, not the one that ships
}

// process is one that runs.
type process struct {
	addr string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	key  string        // of the product
	took time.Duration // from its start to the first answer of /healthz
}

// newWorld builds the product, and starts the model and the control.
func newWorld(ctx context.Context, inProcess bool) (*world, error) {
	dir, err := os.MkdirTemp("", "switchboard-bench-")
	if err != nil {
		return nil, err
	}
	w := &world{ctx: ctx, dir: dir, binary: filepath.Join(dir, "switchboard"), companies: filepath.Join(dir, "companies"), inProcess: inProcess}
	if err := errors.Join(w.build(), w.writeCompanies()); err != nil {
		return w, err
	}
	if w.mock, err = w.role("mock"); err != nil {
		return w, err
	}
	w.proxy, err = w.role("proxy", "http://"+w.mock.addr)
	return w, err
}

func (w *world) build() error {
	if w.inProcess {
		return nil
	}
	cmd := exec.CommandContext(w.ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", w.binary, "switchboard/functions/switchboard")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// writeCompanies copies the shipped companies and adds an assistant for each
// model, with the instructions of the company's own.
func (w *world) writeCompanies() error {
	if err := os.CopyFS(w.companies, integrations.FS); err != nil {
		return err
	}
	dir := filepath.Join(w.companies, project, "assistants")
	website, err := os.ReadFile(filepath.Join(dir, "website.md"))
	if err != nil {
		return err
	}
	for _, name := range []string{quick, slow, held} {
		text := bytes.Replace(website, []byte("---\n"), []byte("---\nmodel: openai/"+name+"\n"), 1)
		if err := os.WriteFile(filepath.Join(dir, name+".md"), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// role starts this binary as one of the processes.
func (w *world) role(name string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr := freeAddr()
	p, err := w.start(addr, exec.CommandContext(w.ctx, self, append([]string{"role", name, addr}, args...)...))
	if err != nil {
		return nil, err
	}
	return p, p.ready(func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// product starts the product on the data directory and waits until it is ready.
func (w *world) product(data string) (*process, error) {
	addr := freeAddr()
	cmd := exec.CommandContext(w.ctx, w.binary, "serve", "--dev", "--addr", addr, "--data", data, "--companies", w.companies)
	if w.inProcess {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd = exec.CommandContext(w.ctx, self, "role", "serve", addr, data, w.companies)
	}
	cmd.Env = append(os.Environ(), "OPENAI_BASE_URL=http://"+w.mock.addr+"/v1", "OPENAI_API_KEY=", "ANTHROPIC_API_KEY=", "REDIS_URL=", "SWITCHBOARD_MODEL=")
	began := time.Now()
	p, err := w.start(addr, cmd)
	if err != nil {
		return nil, err
	}
	if err := p.ready(p.healthy); err != nil {
		return nil, err
	}
	p.took = time.Since(began)
	text, err := os.ReadFile(filepath.Join(data, "dev-keys.json"))
	if err != nil {
		return p, err
	}
	var keys local.DevKeys
	if err := json.Unmarshal(text, &keys); err != nil {
		return p, err
	}
	p.key = keys.Projects[project].Secret
	return p, nil
}

func (w *world) start(addr string, cmd *exec.Cmd) (*process, error) {
	p := &process{addr: addr, cmd: cmd}
	log, err := os.OpenFile(filepath.Join(w.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	out, err1 := cmd.StdoutPipe()
	in, err2 := cmd.StdinPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	p.in, p.out = in, bufio.NewScanner(out)
	if !p.obeys() {
		go io.Copy(io.Discard, out)
	}
	return p, cmd.Start()
}

// ready waits until ok says so.
func (p *process) ready(ok func() bool) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(300 * time.Microsecond) {
		if ok() {
			return nil
		}
	}
	p.kill()
	return fmt.Errorf("%s did not get ready; see the log beside it", p.cmd.Args)
}

func (p *process) healthy() bool {
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	return err == nil && res.StatusCode == http.StatusOK
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ask has a process that obeys do something and decodes its answer.
func (p *process) ask(line string, answer any) error {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return err
	}
	if !p.out.Scan() {
		return errors.New("the process is gone")
	}
	return json.Unmarshal(p.out.Bytes(), answer)
}

// obeys reports whether the process is this binary in one of its roles.
func (p *process) obeys() bool { return p.cmd.Args[1] == "role" }

// count asks a process that obeys what its runtime has counted.
func (p *process) count(c *counted) {
	if p.obeys() {
		p.ask("count", c)
	}
}

// stop ends the process as an operator does, or, if it does not end, by force.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	p.in.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	err := p.cmd.Wait()
	if p.obeys() {
		return nil
	}
	return err
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// close stops what still runs and removes the files.
func (w *world) close() {
	if w == nil {
		return
	}
	if w.proxy != nil {
		w.proxy.kill()
	}
	if w.mock != nil {
		w.mock.kill()
	}
	os.RemoveAll(w.dir)
}

// tail is the end of what the processes logged.
func (w *world) tail() string {
	b, _ := os.ReadFile(filepath.Join(w.dir, "log"))
	return strings.TrimSpace(string(b[max(0, len(b)-2000):]))
}

func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	defer l.Close()
	return l.Addr().String()
}
