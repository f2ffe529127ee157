package isolationtest_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	wildcard = regexp.MustCompile(`\{[a-z_]+\}`)
	idLike   = regexp.MustCompile(`(^|\.)(id|[a-z_]+_id|assistant|model|user)$`)
)

// notNames are members that look like ids and name nothing of ours, each with why.
func notNames() map[string]string {
	return map[string]string{
		"POST /v1/chat user":                               "an object; its id is declared",
		"POST /admin/v1/projects id":                       "it names what is made",
		"POST /admin/v1/projects/{project}/assistants id":  "it names what is made, in the project of the path",
		"POST /v1/chat/completions messages.tool_call_id":  "of a call in the same body, whose conversation the caller keeps",
		"POST /v1/chat/completions messages.tool_calls.id": "the same",
	}
}

// members are the dotted names of what a body may have.
func members(t reflect.Type, prefix string) (out []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() == "time" {
		return nil
	}
	for n := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(n).Tag.Get("json"), ",")
		if name == "" {
			name = t.Field(n).Name
		}
		out = append(out, prefix+name)
		out = append(out, members(t.Field(n).Type, prefix+name+".")...)
	}
	return out
}

// TestEveryIDIsDeclared: the matrix attacks what routes declare, so a route declares
// all there is, and the matrix knows what each of it names.
func TestEveryIDIsDeclared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[string]bool{}
	for _, rt := range w.routes {
		if rt.Public {
			continue
		}
		for _, name := range wildcard.FindAllString(rt.Pattern, -1) {
			if !slices.Contains(rt.IDs, name) {
				t.Errorf("%s does not declare %s", rt.Pattern, name)
			}
		}
		var all []string
		if rt.Body != nil {
			all = members(rt.Body, "")
			if bodies()[rt.Pattern] == nil {
				t.Errorf("%s takes a body, and the matrix does not know one", rt.Pattern)
			}
		}
		for _, name := range all {
			full := rt.Pattern + " " + name
			if idLike.MatchString(name) && !slices.Contains(rt.IDs, name) {
				if seen[full] = true; notNames()[full] == "" {
					t.Errorf("%s does not declare the member %s", rt.Pattern, name)
				}
			}
		}
		for _, f := range rt.IDs {
			if domainOf(rt.Pattern, f) == "" {
				t.Errorf("%s: the matrix does not know what %s names", rt.Pattern, f)
			}
			if !strings.Contains(rt.Pattern, f) && !slices.Contains(all, f) {
				t.Errorf("%s declares %s, which is nowhere in it", rt.Pattern, f)
			}
		}
	}
	for full := range notNames() {
		if !seen[full] {
			t.Errorf("the exception %s is not needed", full)
		}
	}
}
