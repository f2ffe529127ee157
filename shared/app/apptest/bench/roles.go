package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"switchboard/shared/app"
	"switchboard/shared/app/local"
	"switchboard/shared/model"
	"switchboard/shared/model/modeltest"
)

// chunks is how many text chunks an answer of the scripted model has.
const chunks = 50

// playRole is what this binary does when it is started by itself: one of the
// processes that are measured. It serves until its input ends, which it does when
// the parent is gone, whatever became of it.
func playRole(args []string) error {
	l, err := net.Listen("tcp", args[1])
	if err != nil {
		return err
	}
	var h http.Handler
	switch args[0] {
	case "mock":
		h = modeltest.NewServer(script)
	case "proxy":
		h, err = proxy(args[2])
	case "serve":
		h, err = product(args[2], args[3])
	}
	if err != nil {
		return err
	}
	go obey(os.Stdin, os.Stdout)
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return srv.Serve(l)
}

// script is the model's answer: the user's message, then filler, each chunk in a
// flush of its own as a provider's comes. The model's name says how long it
// thinks first.
func script(c modeltest.Call) modeltest.Script {
	s := make(modeltest.Script, 0, chunks+2)
	first := modeltest.Step{Text: c.User}
	if len(first.Text) > 64 {
		first.Text = strings.ToValidUTF8(first.Text[:64], "")
	}
	if c.Model == slow {
		first.Delay = 60 * time.Millisecond
	}
	s = append(s, first)
	if c.Model == held {
		return append(s, modeltest.Step{Hang: true})
	}
	for range chunks - 1 {
		s = append(s, modeltest.Step{Text: " token", Wait: now})
	}
	return append(s, modeltest.Step{Usage: &model.Usage{Input: int64(len(c.Body) / 4), Output: chunks}}, modeltest.Step{Stop: model.StopEnd})
}

// now is closed: to wait for it costs nothing, and makes the script flush.
var now = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// The scripted models, which are the names of assistants too.
const (
	quick = "mock-0"
	slow  = "mock-60"
	held  = "mock-held" // says its first chunk and no more
)

// proxy is the control: Go's reverse proxy and nothing else.
func proxy(to string) (http.Handler, error) {
	u, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	p := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u) },
		Transport: &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 512},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Without it the server closes the request's body when the answer begins,
		// and the transport, which may still look for the body's end, cuts it.
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		p.ServeHTTP(w, r)
	}), nil
}

// product is what `switchboard serve --dev` serves, in a process that can be
// profiled.
func product(data, companies string) (http.Handler, error) {
	root, err := os.OpenRoot(companies)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	l, err := local.Open(ctx, local.Options{Data: data, Companies: root.FS(), Getenv: os.Getenv, Dev: true})
	if err != nil {
		return nil, err
	}
	if _, err := l.DevKeys(ctx, filepath.Join(data, "dev-keys.json")); err != nil {
		return nil, err
	}
	return app.All(&l.Parts), nil
}

// counted is what the runtime has counted so far, and what it holds now.
type counted struct{ Mallocs, Bytes, Heap, Stacks uint64 }

// obey does what the parent asks for, line by line: "cpu FILE" begins a profile
// and "end" ends it, "allocs FILE" writes one of all allocations, "count" answers
// with what was allocated.
func obey(in io.Reader, out io.Writer) {
	scan := bufio.NewScanner(in)
	for scan.Scan() {
		verb, file, _ := strings.Cut(scan.Text(), " ")
		var answer any = true
		switch verb {
		case "cpu":
			if f, err := os.Create(file); err == nil {
				pprof.StartCPUProfile(f)
			}
		case "end":
			pprof.StopCPUProfile()
		case "allocs":
			if f, err := os.Create(file); err == nil {
				runtime.GC() // for what is in use
				pprof.Lookup("allocs").WriteTo(f, 0)
				f.Close()
			}
		case "count":
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			answer = counted{m.Mallocs, m.TotalAlloc, m.HeapInuse, m.StackInuse}
		}
		b, _ := json.Marshal(answer)
		fmt.Fprintf(out, "%s\n", b)
	}
	os.Exit(0)
}
