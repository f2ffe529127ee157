package archtest_test

import (
	"context"
	"go/ast"
	"reflect"
	"regexp"
	"testing"

	"switchboard/shared/model"
	"switchboard/shared/seal"
	"switchboard/shared/search"
	"switchboard/shared/session"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
)

// Every method of a store that can touch data, which is one that takes a ctx, takes
// the Scope right after it.
func TestStoresTakeAScope(t *testing.T) {
	t.Parallel()
	ctx, sc := reflect.TypeFor[context.Context](), reflect.TypeFor[tenant.Scope]()
	for _, store := range []struct {
		typ     reflect.Type
		methods int // at least, as a control
	}{
		{reflect.TypeFor[*table.Table](), 5}, {reflect.TypeFor[*search.Index](), 3},
		{reflect.TypeFor[*session.Session](), 2}, {reflect.TypeFor[*model.Models](), 1},
		{reflect.TypeFor[*seal.Sealer](), 5},
	} {
		n := 0
		for m := range store.typ.Methods() {
			for i := 1; i < m.Type.NumIn(); i++ {
				if m.Type.In(i) != ctx {
					continue
				}
				if n++; i != 1 || m.Type.NumIn() < 3 || m.Type.In(2) != sc {
					t.Errorf("%v.%s takes a ctx without a Scope behind it", store.typ, m.Name)
				}
			}
		}
		if n < store.methods {
			t.Errorf("control: %v has %d methods with a ctx", store.typ, n)
		}
		if store.typ.Elem().Kind() != reflect.Struct {
			t.Errorf("%v can be implemented by others", store.typ)
		}
		for f := range store.typ.Elem().Fields() {
			if f.IsExported() {
				t.Errorf("%v: the field %s leads around its methods", store.typ, f.Name)
			}
		}
	}
}

// holders are the struct types that may have a Scope in them, with the reason why
// none outlives its request.
var holders = map[string]string{
	"shared/company/catalog.Catalog":   "the type of a parameter: its cache is asked in the name of a Scope and keeps none",
	"shared/tenant/auth.Operator":      "one request of the admin API, which a handler is given and keeps nowhere",
	"shared/table/dynamotable.walk":    "one reading of the change feed, made and dropped within a call of Changes",
	"shared/table/sqlitetable.pending": "one write, made and dropped within a call of Write, which waits until nobody has it any more",
}

func TestScopesAreNotKept(t *testing.T) {
	t.Parallel()
	_, ss := tree(t)
	seen := map[string]bool{}
	for _, s := range ss {
		if s.test || forTests(s.pkg) {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if name := s.pkg + "." + spec.Name.Name; holdsScope(s, spec.Type) {
				if seen[name] = true; holders[name] == "" {
					t.Errorf("%s: %s holds a Scope", s.at(spec), name)
				}
			}
			return true
		})
	}
	used(t, holders, seen)
}

// holdsScope reports whether a value of the type has a Scope in it. What a function
// takes does not count.
func holdsScope(s source, typ ast.Expr) (found bool) {
	ast.Inspect(typ, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncType:
			return false
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && s.imports[x.Name] == "shared/tenant" && n.Sel.Name == "Scope" {
				found = true
			}
		}
		return true
	})
	return found
}

var namesProject = regexp.MustCompile(`(?i)^(project|tenant)(id)?$`)

// byText are the functions that take a project's name as text, with the reason.
var byText = map[string]string{
	"shared/table/sqlitetable.openSession": "within the driver, of the Scope that the store's method was given",
	"shared/table/sqlitetable.openDir":     "within the driver, of the Scope that the store's method was given",
}

// No function takes a project's id as text: whoever needs one has a Scope or an ID.
func TestNoProjectByText(t *testing.T) {
	t.Parallel()
	_, ss := tree(t)
	seen := map[string]bool{}
	for _, s := range ss {
		if s.test || forTests(s.pkg) {
			continue
		}
		for _, d := range s.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			for _, p := range fn.Type.Params.List {
				for _, name := range p.Names {
					if full := s.pkg + "." + fn.Name.Name; text(p.Type) == "string" && namesProject.MatchString(name.Name) {
						if seen[full] = true; byText[full] == "" {
							t.Errorf("%s: %s takes a project as text", s.at(fn), full)
						}
					}
				}
			}
		}
	}
	used(t, byText, seen)
}
