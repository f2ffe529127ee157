package archtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"switchboard/shared/app"
	"switchboard/shared/chat"
	"switchboard/shared/tenant/auth"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	target  = regexp.MustCompile(`(?m)^build-(\w+):\n(?:\t.*\n)*?\t.* \./functions/([\w-]+)$`)
	lambda  = regexp.MustCompile(`(?m)^  (\w+):\n    Type: AWS::Serverless::Function$`)
	codeURI = regexp.MustCompile(`CodeUri: \.?/?functions/([\w-]+)`)
	event   = regexp.MustCompile(`Method: ([A-Z]+), Path: (?:"([^"]+)"|([^\s,}]+))`)
)

// Every function of the tree is deployed, and nothing else is.
func TestEveryFunctionIsDeployed(t *testing.T) {
	t.Parallel()
	template, makefile := read(t, "template.yaml"), read(t, "Makefile")
	resources := map[string]bool{}
	for _, m := range lambda.FindAllStringSubmatch(template, -1) {
		resources[m[1]] = false
	}
	deployed := map[string]bool{}
	for _, m := range codeURI.FindAllStringSubmatch(template, -1) {
		deployed[m[1]] = true
	}
	for _, m := range target.FindAllStringSubmatch(makefile, -1) {
		if _, ok := resources[m[1]]; !ok {
			t.Errorf("Makefile: build-%s builds for no resource of template.yaml", m[1])
		}
		resources[m[1]], deployed[m[2]] = true, true
	}
	dirs, err := os.ReadDir(filepath.Join(root, "functions"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, d := range dirs {
		if there[d.Name()] = true; d.IsDir() && d.Name() != "switchboard" && !deployed[d.Name()] {
			t.Errorf("functions/%s is not in template.yaml", d.Name())
		}
	}
	for name := range deployed {
		if !there[name] {
			t.Errorf("template.yaml deploys functions/%s, which is not there", name)
		}
	}
	for name, built := range resources {
		if !built && !strings.Contains(template, "CodeUri: functions/") {
			t.Errorf("nothing builds the resource %s", name)
		}
	}
	if len(resources) == 0 || len(deployed) == 0 {
		t.Errorf("control: %d resources, %d deployed", len(resources), len(deployed))
	}
}

// routes are those of every function, made without a store behind them.
func routes() []auth.Route { return app.Routes(&app.Parts{Chat: &chat.Service{}}) }

// The gateway and the code agree on the routes.
func TestEveryRouteHasAnEvent(t *testing.T) {
	t.Parallel()
	events := map[string]bool{}
	for _, m := range event.FindAllStringSubmatch(read(t, "template.yaml"), -1) {
		events[m[1]+" "+m[2]+m[3]] = true
	}
	for _, r := range routes() {
		if r.Public {
			continue // of one process alone
		}
		if !events[r.Pattern] {
			t.Errorf("%s has no event in template.yaml", r.Pattern)
		}
		delete(events, r.Pattern)
	}
	for e := range events {
		t.Errorf("template.yaml has an event for %s, which nobody serves", e)
	}
}

// A route declares who may use it, or that everybody may, and only what is no
// company's data is public.
func TestEveryRouteIsDeclared(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) /[a-z0-9/{}._-]+$`)
	seen := map[string]bool{}
	for _, r := range routes() {
		if seen[r.Pattern] || !form.MatchString(r.Pattern) {
			t.Errorf("%q: twice, or malformed", r.Pattern)
		}
		seen[r.Pattern] = true
		_, path, _ := strings.Cut(r.Pattern, " ")
		private := strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/admin/")
		switch {
		case r.Public && (private || len(r.Allow.Kinds) > 0 || r.Allow.Can != 0):
			t.Errorf("%s is public", r.Pattern)
		case !r.Public && (!private || len(r.Allow.Kinds) == 0):
			t.Errorf("%s lets in %v", r.Pattern, r.Allow.Kinds)
		case !r.Public && strings.HasPrefix(path, "/v1/") && r.Allow.Can == 0:
			t.Errorf("%s asks for no capability", r.Pattern)
		}
	}
}
