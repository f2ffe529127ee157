// Package runtimetest runs a compiled Lambda bootstrap under a fake Runtime API.
//
// Tests of shared/host/lambdahost and of functions/ import it, nothing else. The
// bootstrap is a child process with Lambda's environment and no other, talking to
// a server on loopback, so what is proved is the artefact that is deployed: its
// start, its wire format, its streaming, its end.
//
// Like Lambda it hands out one event at a time, kills a process that misses its
// deadline, and keeps the process between events. Unlike Lambda it does not limit
// memory, does not freeze (send SIGSTOP with [Function.Signal]), and restarts
// nothing. Its one promise: a chunk's time is when it reached the server, whether
// or not the test was reading.
package runtimetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say how to run a bootstrap. A nil *Options is ready for use.
type Options struct {
	Env      []string      // "K=V", beside what Lambda itself sets
	Timeout  time.Duration // the function's; 0 means a minute
	MemoryMB int           // what the environment says; 0 means 128
}

// Function is a running bootstrap.
type Function struct {
	timeout time.Duration
	cmd     *exec.Cmd
	started time.Time
	logs    logs

	invoke chan *invocation // from Invoke to the child's next poll

	mu       sync.Mutex
	handed   int // events so far
	inFlight map[string]*invocation
	ready    chan struct{} // closed at the first poll
	readyAt  time.Time
	initErr  *FunctionError

	exited chan struct{} // closed when the child has ended
	exit   error         // what exec.Cmd.Wait said; read after exited
}

// Build compiles the main package at pkg as it is deployed, but for this machine and
// without the flags that make it smaller still (they compile every SDK anew), and
// returns the file's path. It lives as long as tb.
func Build(tb testing.TB, pkg string) string {
	tb.Helper()
	bootstrap := filepath.Join(tb.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", bootstrap, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return bootstrap
}

// Start runs the bootstrap. It is killed when tb ends.
func Start(tb testing.TB, bootstrap string, opts *Options) *Function {
	tb.Helper()
	if opts == nil {
		opts = &Options{}
	}
	f := &Function{
		timeout: opts.Timeout, invoke: make(chan *invocation), inFlight: make(map[string]*invocation),
		ready: make(chan struct{}), exited: make(chan struct{}),
	}
	if f.timeout == 0 {
		f.timeout = time.Minute
	}
	server := httptest.NewServer(f.api())
	f.cmd = exec.Command(bootstrap)
	f.cmd.Env = append(lambdaEnv(tb, server.Listener.Addr().String(), opts.MemoryMB), opts.Env...)
	f.cmd.Dir = filepath.Dir(bootstrap)
	f.cmd.Stdout, f.cmd.Stderr = &f.logs, &f.logs
	f.started = time.Now()
	if err := f.cmd.Start(); err != nil {
		server.Close()
		tb.Fatalf("start %s: %v", bootstrap, err)
	}
	go func() {
		f.exit = f.cmd.Wait()
		close(f.exited)
	}()
	tb.Cleanup(func() {
		f.cmd.Process.Kill() // an error means that it has ended already
		<-f.exited
		server.Close()
		if tb.Failed() {
			tb.Logf("the bootstrap's log:\n%s", f.Logs())
		}
	})
	return f
}

// lambdaEnv is what a function finds in its environment. Nothing of the test's
// own goes in: a bootstrap that needs more would fail on Lambda.
func lambdaEnv(tb testing.TB, api string, memoryMB int) []string {
	if memoryMB == 0 {
		memoryMB = 128
	}
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + api,
		"AWS_LAMBDA_FUNCTION_NAME=test",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(memoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_FORMAT=JSON",
		"AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true",
		"LAMBDA_TASK_ROOT=/var/task",
		"_HANDLER=bootstrap",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"TMPDIR=" + tb.TempDir(),
	}
}

// Ready waits for the first poll and returns how long the init phase took.
func (f *Function) Ready(ctx context.Context) (time.Duration, error) {
	select {
	case <-f.ready:
		return f.readyAt.Sub(f.started), nil
	case <-f.exited:
		return 0, f.ended()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Signal sends sig to the process.
func (f *Function) Signal(sig os.Signal) error { return f.cmd.Process.Signal(sig) }

// Wait waits until the process has ended and returns what [exec.Cmd.Wait] did.
func (f *Function) Wait(ctx context.Context) error {
	select {
	case <-f.exited:
		return f.exit
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill ends the process, if it has not ended, and waits until it has.
func (f *Function) Kill() {
	f.cmd.Process.Kill()
	f.Wait(context.Background())
}

// Logs returns what the process has written to its standard output and error. It
// is complete once [Function.Wait] has returned.
func (f *Function) Logs() string { return f.logs.String() }

// PeakMemory returns the most memory the process has held, in bytes. It reads
// /proc, so it works on Linux, and while the process lives.
func (f *Function) PeakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("runtimetest: no VmHWM in /proc")
}

// ended is the error of whoever waited for a process that is no more.
func (f *Function) ended() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.initErr != nil {
		return f.initErr
	}
	return &ExitError{Err: f.exit, Logs: f.Logs()}
}

// ExitError says that the process ended with an event unanswered.
type ExitError struct {
	Err  error // what exec.Cmd.Wait returned; nil for exit code 0
	Logs string
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("runtimetest: the bootstrap ended (%v)\n%s", e.Err, e.Logs)
}

func (e *ExitError) Unwrap() error { return e.Err }

// logs is a bytes.Buffer that can be read while it is written.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*logs)(nil)

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
