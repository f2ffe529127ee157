package runtimetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"switchboard/shared/host/lambdahost/runtimetest"
)

// TestMain makes this test binary its own bootstrap: what it plays is in SCRIPT.
// It speaks the Runtime API by hand, so that a mistake shared with aws-lambda-go
// would show.
func TestMain(m *testing.M) {
	if script := os.Getenv("SCRIPT"); script != "" {
		play(script)
		return
	}
	os.Exit(m.Run())
}

func play(script string) {
	runtime := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"
	if script == "init" {
		post(runtime+"init/error", "", strings.NewReader(`{"errorType":"Init","errorMessage":"no config"}`), nil)
		os.Exit(1)
	}
	for {
		resp, err := http.Get(runtime + "invocation/next")
		if err != nil {
			return
		}
		event, _ := io.ReadAll(resp.Body)
		fmt.Println("event", string(event))
		at := runtime + "invocation/" + resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
		switch script {
		case "echo":
			fmt.Println("posted twice:", post(at+"/response", "application/json", strings.NewReader(string(event)), nil),
				post(at+"/response", "application/json", strings.NewReader("again"), nil))
		case "streamed":
			post(at+"/response", streamed, strings.NewReader(`{"statusCode":201,"headers":{"a":"single","b":"only"},"multiValueHeaders":{"A":["1","2"]},"cookies":["c=d"]}`+nuls+"bo"+nuls+"dy"), nil)
		case "broken":
			trailer := http.Header{}
			trailer.Set("Lambda-Runtime-Function-Error-Type", "Bad")
			trailer.Set("Lambda-Runtime-Function-Error-Body", "eyJlcnJvclR5cGUiOiJCYWQiLCJlcnJvck1lc3NhZ2UiOiJoYWxmIn0=")
			post(at+"/response", streamed, strings.NewReader(`{}`+nuls+"half"), trailer)
		case "preludeless":
			post(at+"/response", streamed, strings.NewReader(`{"statusCode":200}`), nil)
		case "endless":
			post(at+"/response", streamed, io.LimitReader(spaces{}, 1<<20), nil)
		case "error":
			post(at+"/error", "application/json", strings.NewReader(`{"errorType":"T","errorMessage":"M"}`), nil)
		case "exit":
			os.Exit(3)
		}
	}
}

const (
	streamed = "application/vnd.awslambda.http-integration-response"
	nuls     = "\x00\x00\x00\x00\x00\x00\x00\x00"
)

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func post(url, contentType string, body io.Reader, trailer http.Header) int {
	req, _ := http.NewRequest("POST", url, struct{ io.Reader }{body}) // chunked, or there are no trailers
	req.Header.Set("Content-Type", contentType)
	req.Trailer = trailer
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func start(t *testing.T, script string, timeout time.Duration) *runtimetest.Function {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return runtimetest.Start(t, exe, &runtimetest.Options{Env: []string{"SCRIPT=" + script}, Timeout: timeout})
}

func TestABufferedAnswerIsTheBody(t *testing.T) {
	t.Parallel()
	f := start(t, "echo", 0)
	for _, event := range []string{`{"n":1}`, `{"n":2}`} {
		resp, err := f.Invoke(t.Context(), []byte(event))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if string(got) != event || err != nil || resp.ContentType != "application/json" || resp.StatusCode != 0 {
			t.Errorf("got %q, %v, %+v", got, err, resp)
		}
	}
	if took, err := f.Ready(t.Context()); err != nil || took <= 0 {
		t.Errorf("Ready: %v, %v", took, err)
	}
	if peak, err := f.PeakMemory(); err != nil || peak <= 0 {
		t.Errorf("PeakMemory: %d, %v", peak, err)
	}
	f.Signal(os.Kill)
	f.Wait(t.Context())
	if !strings.Contains(f.Logs(), "posted twice: 202 400") {
		t.Errorf("an event answered twice:\n%s", f.Logs())
	}
}

func TestAStreamedAnswerHasAPrelude(t *testing.T) {
	t.Parallel()
	resp, err := start(t, "streamed", 0).Invoke(t.Context(), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if string(body) != "bo"+nuls+"dy" || err != nil {
		t.Errorf("body %q, %v", body, err)
	}
	if resp.StatusCode != 201 || strings.Join(resp.Header["A"], ",") != "1,2" || resp.Header.Get("B") != "only" || len(resp.Cookies) != 1 {
		t.Errorf("prelude: %+v", resp)
	}
	chunks := resp.Chunks()
	if len(chunks) == 0 || chunks[0].At.IsZero() {
		t.Errorf("chunks: %v", chunks)
	}
}

func TestTrailersBreakAStream(t *testing.T) {
	t.Parallel()
	resp, err := start(t, "broken", 0).Invoke(t.Context(), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	fe, ok := errors.AsType[*runtimetest.FunctionError](err)
	if string(body) != "half" || !ok || fe.Type != "Bad" || fe.Message != "half" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"error":       "function error T: M",
		"init":        "function error Init: no config",
		"exit":        "exit status 3",
		"preludeless": "does not end",
		"endless":     "16 KB",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			_, err := start(t, script, 0).Invoke(t.Context(), []byte(`{}`))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

func TestADeadlineKills(t *testing.T) {
	t.Parallel()
	f := start(t, "silent", 50*time.Millisecond) // an event it never answers, then it polls again
	_, err := f.Invoke(t.Context(), []byte(`{}`))
	if _, ok := errors.AsType[*runtimetest.ExitError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := start(t, "silent", 0)
	if _, err := f.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, []byte(`{}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Invoke: %v", err)
	}
	if err := f.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait: %v", err)
	}
}
