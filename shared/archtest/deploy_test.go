package archtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

var (
	trigger  = regexp.MustCompile(`(?m)^          Type: (DynamoDB|Schedule)$`)
	required = []string{
		// Without the first Lambda takes every batch for done, and without the
		// second it drops what it could not take and tells nobody.
		"FunctionResponseTypes: [ReportBatchItemFailures]", "OnFailure: {Type: SQS",
		"MaximumRetryAttempts: ", "MaximumBatchingWindowInSeconds: ",
		// The function would answer its own writes with another invocation.
		`"sk":{"S":[{"anything-but":["` + chat.NoteID + `"]}]}`,
	}
)

// A function that a stream or a schedule calls is called as its host needs it, and
// has an event to be tried with.
func TestEveryWorkerHasItsEvents(t *testing.T) {
	t.Parallel()
	template, makefile := read(t, "template.yaml"), read(t, "Makefile")
	folder := map[string]string{}
	for _, m := range target.FindAllStringSubmatch(makefile, -1) {
		folder[m[1]] = m[2]
	}
	found := 0
	for _, at := range lambda.FindAllStringSubmatchIndex(template, -1) {
		name, body := template[at[2]:at[3]], template[at[1]:]
		if next := regexp.MustCompile(`(?m)^  \w+:$`).FindStringIndex(body); next != nil {
			body = body[:next[0]]
		}
		for _, m := range trigger.FindAllStringSubmatch(body, -1) {
			found++
			kind := map[string]string{"DynamoDB": "-stream", "Schedule": "-schedule"}[m[1]]
			read(t, "events/"+folder[name]+kind+".json")
			for _, text := range required {
				if m[1] == "DynamoDB" && !strings.Contains(body, text) {
					t.Errorf("%s: its stream lacks %s", name, text)
				}
			}
		}
	}
	if found != 2 {
		t.Errorf("control: %d streams and schedules", found)
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
		if _, path, _ := strings.Cut(r.Pattern, " "); slices.Contains(r.Allow.Kinds, auth.VisitorToken) {
			preflight := "OPTIONS " + path
			if !events[preflight] {
				t.Errorf("%s has no preflight in template.yaml", r.Pattern)
			}
			delete(events, preflight)
		}
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

// Behind the gateway whoever shows a credential is asked for by the authorizer, counted
// by the key it names, and let in by nothing else; chat could not ask the directory.
func TestEveryCredentialIsAuthorized(t *testing.T) {
	t.Parallel()
	template := read(t, "template.yaml")
	asked := map[string]bool{}
	for line := range strings.Lines(template) {
		m := event.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		route := m[1] + " " + m[2] + m[3]
		// An admin route's function reads the directory itself, and a preflight carries
		// no credential.
		free := m[1] == "OPTIONS" || strings.HasPrefix(m[2]+m[3], "/admin/")
		if asked[route] = !free; free == strings.Contains(line, "Auth: {Authorizer: Credentials, ApiKeyRequired: true}") || free == strings.Contains(line, "Auth") {
			t.Errorf("%s: %s", route, line)
		}
	}
	for _, r := range routes() {
		if _, path, _ := strings.Cut(r.Pattern, " "); !r.Public && asked[r.Pattern] == strings.HasPrefix(path, "/admin/") {
			t.Errorf("%s: authorized %v", r.Pattern, asked[r.Pattern])
		}
	}
	holds := regexp.MustCompile(`ReauthorizeEvery: (\d+)}`).FindStringSubmatch(template)
	if len(holds) != 2 || len(holds[1]) > 2 || len(holds[1]) == 2 && holds[1] > "30" {
		t.Errorf("the gateway holds answers for %v seconds; 30 at most", holds)
	}
	for _, text := range []string{"ApiKeySourceType: AUTHORIZER", "FunctionPayloadType: REQUEST"} {
		if !strings.Contains(template, text) {
			t.Errorf("template.yaml lacks %s", text)
		}
	}
	// Rollup's policy lets it at the list of projects alone.
	reads := map[string]bool{"AuthorizerFunction": true, "TenantAdminFunction": true, "RollupFunction": true}
	for _, at := range lambda.FindAllStringSubmatchIndex(template, -1) {
		name, body := template[at[2]:at[3]], template[at[1]:]
		if next := regexp.MustCompile(`(?m)^  \w+:$`).FindStringIndex(body); next != nil {
			body = body[:next[0]]
		}
		if strings.Contains(body, "DirectoryTable") != reads[name] {
			t.Errorf("%s knows where the directory is: %v", name, !reads[name])
		}
	}
}
