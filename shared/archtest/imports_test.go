package archtest_test

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ranks is the order of DESIGN.md, section 3: a package imports what has a lower
// rank than itself, or is of its own family (shared/table and what is below it).
// The longest prefix counts.
var ranks = map[string]int{
	"shared/problem":        0,
	"shared/cache":          1,
	"shared/clock":          0,
	"shared/strictjson":     1, // a leaf beside tenant
	"shared/tenant":         1,
	"shared/trace":          1,
	"shared/seal":           2,
	"shared/attack":         1, // texts alone
	"shared/prove":          2, // it speaks HTTP to a server, and opens nothing
	"shared/table":          3,
	"shared/blob":           3,
	"shared/session":        3,
	"shared/search":         3,
	"shared/model":          3,
	"shared/audit":          4,
	"shared/usage":          4,
	"shared/tenant/auth":    5,
	"shared/tool":           6,
	"shared/company":        6,
	"shared/memory":         6,
	"shared/knowledge":      6,
	"shared/admin":          6,
	"shared/prove/registry": 6,
	"company-integrations":  7, // data, and typed tools
	"shared/chat":           7,
	"shared/web":            8,
	"shared/app":            9,
	"shared/host":           10,
	"functions":             11,
	"shared/isolationtest":  12, // attacks on the whole
	"shared/archtest":       12, // whose tests look at everything
}

// sideways are the imports between packages of one rank, each with its reason.
var sideways = map[string]string{
	"shared/admin -> shared/company":             "an operator defines companies",
	"shared/admin -> shared/company/catalog":     "and the catalog keeps them",
	"shared/knowledge -> shared/company":         "knowledge indexes a company's articles",
	"shared/model/extractmodel -> shared/search": "the embedded model cuts passages by the words that search looks for",
}

// rank is the rank of a package and the family it was given for.
func rank(p string) (n int, family string) {
	n = -1
	for prefix, r := range ranks {
		if under(p, prefix) && len(prefix) > len(family) {
			n, family = r, prefix
		}
	}
	return n, family
}

func TestImportOrder(t *testing.T) {
	t.Parallel()
	ps, _ := tree(t)
	seen := map[string]bool{}
	for _, p := range ps {
		own, family := rank(p.ImportPath)
		if p.ImportPath == "shared" { // the tour in doc.go
			own = 0
		}
		if own < 0 {
			t.Errorf("%s has no place in the order of imports", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if !isOurs(imp) {
				continue
			}
			edge := p.ImportPath + " -> " + imp
			switch other, itsFamily := rank(imp); {
			case other < own || itsFamily == family:
			case other == own && sideways[edge] != "":
				seen[edge] = true
			default:
				t.Errorf("%s: from rank %d (%s) to rank %d (%s)", edge, own, family, other, itsFamily)
			}
		}
	}
	used(t, sideways, seen)
}

// storeFamilies are the families whose sub-packages are drivers.
var driverOf = regexp.MustCompile(`^shared/(?:table|session|search|model|blob|seal)/([a-z0-9]+)$`)

// isDriver reports whether a package implements a store or a model.
func isDriver(p string) bool {
	m := driverOf.FindStringSubmatch(p)
	return m != nil && m[1] != "internal" && !forTests(p)
}

func TestDriversAreWiredInOnePlace(t *testing.T) {
	t.Parallel()
	ps, _ := tree(t)
	found := 0
	for _, p := range ps {
		if isDriver(p.ImportPath) {
			found++
		}
		if under(p.ImportPath, "shared/app") || forTests(p.ImportPath) {
			continue
		}
		for _, imp := range p.Imports {
			if isDriver(imp) {
				t.Errorf("%s imports the driver %s; only shared/app may", p.ImportPath, imp)
			}
		}
	}
	if found < 9 {
		t.Errorf("control: %d drivers", found)
	}
}

// What is there for tests is imported by tests, and by others of its kind.
func TestTestPackagesStayInTests(t *testing.T) {
	t.Parallel()
	ps, _ := tree(t)
	for _, p := range ps {
		if forTests(p.ImportPath) {
			continue
		}
		for _, imp := range p.Imports {
			if isOurs(imp) && forTests(imp) {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
		}
	}
}

// carries says what a deployable must not have in it, even by way of others.
var carries = map[string]string{
	"functions/switchboard": `^shared/table/dynamotable|^github\.com/aws/aws-lambda-go`,
	"functions/authorizer":  `sqlite|^github\.com/alicebob/miniredis|^github\.com/redis|^github\.com/spf13/cobra|^shared/app/local|^shared/app/aws$|^shared/host/httphost|^shared/chat|^shared/company|^company-integrations|^github\.com/aws/aws-sdk-go-v2/config$|^github\.com/openai|^github\.com/anthropics|bedrockruntime`,
	"functions/rollup":      `sqlite|^github\.com/alicebob/miniredis|^github\.com/spf13/cobra|^shared/app/local|^shared/host/httphost|^github\.com/aws/aws-sdk-go-v2/config$|^github\.com/openai|^github\.com/anthropics|bedrockruntime`,
	"functions/*":           `sqlite|^github\.com/alicebob/miniredis|^github\.com/spf13/cobra|^shared/app/local|^shared/host/httphost|^github\.com/aws/aws-sdk-go-v2/config$`,
}

func TestDeployablesCarryWhatTheyNeed(t *testing.T) {
	t.Parallel()
	ps, _ := tree(t)
	n := 0
	for _, p := range ps {
		if !under(p.ImportPath, "functions") || p.Name != "main" {
			continue
		}
		n++
		rule := carries["functions/*"]
		if own, ok := carries[p.ImportPath]; ok {
			rule = own
		}
		banned := regexp.MustCompile(rule + `|^testing$|^net/http/httptest$|^shared/.*test(/|$)`)
		if i := slices.IndexFunc(p.Deps, banned.MatchString); i >= 0 {
			t.Errorf("%s depends on %s", p.ImportPath, p.Deps[i])
		}
		if !slices.Contains(p.Deps, "shared/tenant/auth") {
			t.Errorf("control: %s does not depend on auth", p.ImportPath)
		}
	}
	if n < 2 {
		t.Errorf("control: %d deployables", n)
	}
}

// banned names what only some packages may use, and why.
var banned = []struct {
	pkg, name string // "" = whatever is in it
	allowed   []string
	tests     bool // tests may
	why       string
}{
	{"shared/tenant/auth", "ForWork", []string{"shared/tenant", "shared/app"}, true, "it mints a scope without a credential"},
	{"shared/tenant/internal/scope", "Mint", []string{"shared/tenant"}, false, "it mints a scope"},
	{"shared/tenant/internal/scope", "Directory", []string{"shared/tenant/auth", "shared/tenant/internal"}, false, "it opens the directory"},
	{"shared/seal", "Unsealed", []string{"shared/table", "shared/session/memsession", "shared/app/aws/internal/account"}, true, "it keeps bytes in the clear"},
	{"net/http", "DefaultClient", nil, true, "it has no timeout and no guard against private addresses"},
	{"net/http", "Get", nil, true, "it uses the default client"},
	{"net/http", "Post", nil, true, "it uses the default client"},
	{"net/http", "PostForm", nil, true, "it uses the default client"},
	{"net/http", "Head", nil, true, "it uses the default client"},
	{"net/http", "ListenAndServe", nil, false, "it serves without timeouts"},
	{"net/http", "DefaultServeMux", nil, false, "anybody can add a route to it"},
	{"net/http", "Handle", nil, false, "it adds to the default mux"},
	{"net/http", "HandleFunc", nil, false, "it adds to the default mux"},
	{"net/http", "NewServeMux", []string{"shared/tenant/auth"}, true, "only auth makes routes"},
	{"context", "WithValue", nil, false, "a Scope is a parameter, and so is everything else"},
	{"unsafe", "", nil, false, "it can forge a Scope"},
	{"plugin", "", nil, false, "no code comes from outside"},
	{"os/exec", "", []string{"shared/host/lambdahost/runtimetest"}, true, "no command comes from a configuration"},
	{"net/http/pprof", "", nil, false, "it adds routes to the default mux"},
	{"expvar", "", nil, false, "it adds a route to the default mux"},
	{"math/rand", "", nil, false, "math/rand/v2 needs no seed; secrets are crypto/rand's"},
	{"log", "", nil, false, "log/slog is what is scanned for secrets"},
	{"encoding/gob", "", nil, false, "shared/strictjson reads what comes from outside"},
}

func TestBannedNames(t *testing.T) {
	t.Parallel()
	_, ss := tree(t)
	for _, b := range banned {
		for _, s := range ss {
			if s.test && b.tests || under(s.pkg, b.allowed...) || b.tests && forTests(s.pkg) {
				continue
			}
			what := fmt.Sprintf("%s.%s: %s", b.pkg, b.name, b.why)
			if b.name != "" {
				s.uses(b.pkg, b.name, func(sel *ast.SelectorExpr) { t.Errorf("%s uses %s", s.at(sel), what) })
				continue
			}
			for _, imp := range s.imports {
				if imp == b.pkg {
					t.Errorf("%s uses %s", s.name, what)
				}
			}
		}
	}
	forWork := 0
	for _, s := range ss {
		s.uses("shared/tenant/auth", "ForWork", func(*ast.SelectorExpr) { forWork++ })
		for _, g := range s.ast.Comments {
			for _, c := range g.List {
				if strings.HasPrefix(c.Text, "//go:linkname") {
					t.Errorf("%s: go:linkname reaches what is not exported", s.at(c))
				}
			}
		}
		for name, p := range s.imports {
			if name == "." && isOurs(p) {
				t.Errorf("%s: a dot import hides whose a name is", s.name)
			}
		}
	}
	if forWork == 0 {
		t.Error("control: nobody calls auth.ForWork")
	}
}
