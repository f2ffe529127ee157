package main_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"switchboard/shared/app/apptest"
	"switchboard/shared/host/lambdahost/runtimetest"
)

// TestRIE runs the function under AWS's own Runtime Interface Emulator, which is
// the judge of runtimetest. infra/verify/sam.sh has one and says where it is.
func TestRIE(t *testing.T) {
	t.Parallel()
	emulator := os.Getenv("SWITCHBOARD_RIE")
	if emulator == "" {
		t.Skip("SWITCHBOARD_RIE is not set; infra/verify/sam.sh sets it to the emulator that comes with the SAM CLI")
	}
	r := newRig(t, runtimetest.Build(t, "."), apptest.Echo)
	key := r.key(t, project)
	url := emulate(t, emulator, r)
	authorized := func(event []byte) []byte { return runtimetest.Authorize(t, r.authorizer, event) }
	a := invoke(t, url, authorized(event(t, "models", key)))
	want(t, a, 200, "data.0.id", "dispatch", "data.1.id", "website")
	if got := a.Header.Get("X-Request-Id"); got != "0d3c7f5e-6a51-4a39-9d55-1c7f3b0f6a05" {
		t.Errorf("the request is %q", got)
	}
	got := stream(t, invoke(t, url, authorized(event(t, "chat_stream", key))))
	if len(got) < 3 || got[0].Name != "start" || got[len(got)-1].Name != "done" {
		t.Errorf("events %v", got)
	}
	want(t, invoke(t, url, event(t, "chat_bad_key", key)), 401)
}

// emulate starts the emulator on ports that are free now, and returns where it
// takes events.
func emulate(t *testing.T, emulator string, r *rig) string {
	t.Helper()
	var log bytes.Buffer
	events, api := freeAddress(t), freeAddress(t)
	cmd := exec.Command(emulator, "--runtime-interface-emulator-address", events, "--runtime-api-address", api, "--log-level", "error", r.bootstrap)
	cmd.Env = append(append([]string{}, r.env...), "PATH=/usr/bin:/bin", "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_LAMBDA_FUNCTION_NAME=chat", "AWS_LAMBDA_FUNCTION_TIMEOUT=30", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "AWS_LAMBDA_LOG_FORMAT=JSON")
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.WaitDelay = 5 * time.Second // its child has the same output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) // it ends the function too
		cmd.Wait()
		if t.Failed() {
			t.Logf("the emulator's log:\n%s", log.String())
		}
	})
	return "http://" + events + "/2015-03-31/functions/function/invocations"
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// invoke hands the emulator an event. It gives a streamed answer as the gateway
// would get it: prelude, eight NUL bytes, body.
func invoke(t *testing.T, url string, event []byte) apptest.Answer {
	t.Helper()
	raw := deliver(t, url, event)
	prelude, body, ok := strings.Cut(raw, strings.Repeat("\x00", 8))
	var head struct {
		StatusCode int         `json:"statusCode"`
		Header     http.Header `json:"multiValueHeaders"`
	}
	if err := json.Unmarshal([]byte(prelude), &head); err != nil || !ok {
		t.Fatalf("no prelude in %q: %v", raw, err)
	}
	return apptest.Answer{Status: head.StatusCode, Header: head.Header, Body: body}
}

// deliver posts the event, again while the emulator is not up yet.
func deliver(t *testing.T, url string, event []byte) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(event))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatalf("after %q: %v", raw, err)
			}
			return string(raw)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}
