package demo_test

import (
	"net/http"
	"strings"
	"testing"

	"switchboard/shared/app/apptest"
)

func TestPages(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	for path, want := range map[string]string{
		"/demo/alpha":               "<!doctype html>",
		"/demo/alpha/about.json":    `"name":"Alpha"`,
		"/demo-assets/demo.js":      "events",
		"/demo-assets/demo.css":     "--brand",
		"/demo/nobody":              "404",
		"/demo/nobody/about.json":   "404",
		"/demo-assets/nothing":      "404",
		"/demo-assets/..%2fdemo.go": "404",
	} {
		a := s.Do("", "GET", path, "")
		if !strings.Contains(a.Body, want) || (want == "404") != (a.Status == 404) {
			t.Errorf("%s: %d %.80s", path, a.Status, a.Body)
		}
		if strings.Contains(a.Body, "sk_") {
			t.Errorf("%s holds a key", path)
		}
	}
	if csp := s.Do("", "GET", "/demo/alpha", "").Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
}

func TestACompanyThatIsNot(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	for _, path := range []string{"/demo/nobody", "/demo/nobody/about.json", "/demo/_directory", "/demo/A%23b"} {
		if a := s.Do("", "GET", path, ""); a.Status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, a.Status)
		}
	}
}
