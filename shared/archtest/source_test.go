package archtest_test

import (
	"go/ast"
	"go/build/constraint"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Limits of the design. Beyond them a file or function needs a reason.
const (
	maxFile = 400 // lines
	maxFunc = 60  // lines of a function that is not a test
)

var longFiles = map[string]string{
	"shared/table/dynamotable/dynamotest/agree_test.go": "one list of requests that dynamotest and DynamoDB Local have to answer alike",
}

var longFuncs = map[string]string{}

func TestLength(t *testing.T) {
	t.Parallel()
	_, ss := tree(t)
	seen := map[string]bool{}
	for _, s := range ss {
		if s.lines > maxFile+1 { // LineCount counts the one after the last
			if seen[s.name] = true; longFiles[s.name] == "" {
				t.Errorf("%s has %d lines; %d without a reason", s.name, s.lines, maxFile)
			}
		}
		for _, d := range s.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || s.test || fn.Body == nil {
				continue
			}
			lines := s.set.Position(fn.End()).Line - s.set.Position(fn.Pos()).Line + 1
			if name := s.pkg + "." + fn.Name.Name; lines > maxFunc {
				if seen[name] = true; longFuncs[name] == "" {
					t.Errorf("%s: %s has %d lines; %d without a reason", s.at(fn), name, lines, maxFunc)
				}
			}
		}
	}
	used(t, longFiles, seen)
	used(t, longFuncs, seen)
}

var badNames = []string{"util", "utils", "common", "helper", "helpers", "types", "model", "models", "misc", "base", "core", "lib", "shared"}

func TestPackageNamesAndComments(t *testing.T) {
	t.Parallel()
	ps, _ := tree(t)
	for _, p := range ps {
		if slices.Contains(badNames, p.Name) && p.ImportPath != "shared/model" && p.ImportPath != "shared" { // a language model; the tour
			t.Errorf("%s: a name that says nothing", p.ImportPath)
		}
		if p.Name != strings.ToLower(p.Name) || strings.Contains(p.Name, "_") {
			t.Errorf("%s: package names are lower case", p.ImportPath)
		}
		start := "Package " + p.Name + " "
		if p.Name == "main" {
			start = "Command "
		}
		if !strings.HasPrefix(p.Doc, start) {
			t.Errorf("%s: the package comment begins with %q", p.ImportPath, start)
		}
	}
}

// Nothing registers itself, and no test is hidden.
func TestNoInitAndNoTags(t *testing.T) {
	t.Parallel()
	_, ss := tree(t)
	for _, s := range ss {
		for _, d := range s.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init", s.at(fn))
			}
		}
		for _, g := range s.ast.Comments {
			for _, c := range g.List {
				if s.test && constraint.IsGoBuild(c.Text) {
					t.Errorf("%s: a build tag hides a test", s.at(c))
				}
			}
		}
	}
}

// No test waits for the clock: it runs in a bubble of testing/synctest.
func TestNoSleeps(t *testing.T) {
	t.Parallel()
	_, ss := tree(t)
	for _, s := range ss {
		bubble := slices.ContainsFunc(s.ast.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
		if s.test && !bubble {
			s.uses("time", "Sleep", func(sel *ast.SelectorExpr) { t.Errorf("%s: time.Sleep in a test", s.at(sel)) })
		}
	}
}

// tables are the package-level variables of a type that could be changed, each
// with the reason why it is none of a tenant's. They are built once; a test below
// holds that nobody assigns to them.
var tables = map[string]string{
	"shared/search.stop":   "the words that say nothing",
	"shared/usage.shipped": "the embedded list of prices",
}

// Package-level state is what one tenant's request could leave for another's: so
// there is none. A variable at package level is an error, a pattern, an embedded
// file, an array, or on the list above.
func TestNoPackageState(t *testing.T) {
	t.Parallel()
	_, ss := tree(t)
	seen := map[string]bool{}
	for _, s := range ss {
		if s.test || forTests(s.pkg) {
			continue
		}
		for _, d := range s.ast.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok.String() != "var" {
				continue
			}
			for _, spec := range gen.Specs {
				v := spec.(*ast.ValueSpec)
				for i, name := range v.Names {
					full := s.pkg + "." + name.Name
					if name.Name == "_" || text(v.Type) == "embed.FS" || i < len(v.Values) && constant(v.Values[i]) {
						continue
					}
					if seen[full] = true; tables[full] == "" {
						t.Errorf("%s: %s is state at package level", s.at(name), full)
					}
				}
			}
		}
	}
	used(t, tables, seen)
}

// makers are calls whose result nobody can change. Those without a package are
// of shared/company, and make functions over a pattern.
var makers = regexp.MustCompile(`^(errors\.New|fmt\.Errorf|regexp\.MustCompile|json\.JoinOptions|time\.Date|base64\.\w+\.Strict|expect|form|slug)$`)

// constant reports whether the value of a variable is one that cannot change.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.CompositeLit:
		array, ok := e.Type.(*ast.ArrayType)
		if ok {
			return array.Len != nil
		}
		_, isMap := e.Type.(*ast.MapType)
		return !isMap && e.Type != nil && !mutable(e.Type)
	case *ast.CallExpr:
		return makers.MatchString(text(e.Fun))
	}
	return false
}

// mutable reports whether a composite literal's type is known to be changed by use.
func mutable(t ast.Expr) bool {
	return strings.HasPrefix(text(t), "sync.") || strings.HasPrefix(text(t), "atomic.") || strings.HasPrefix(text(t), "bytes.")
}

// text renders a name or selector.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	}
	return ""
}

// Nobody assigns to a variable at package level, its elements or its fields.
func TestPackageVariablesAreNotAssigned(t *testing.T) {
	t.Parallel()
	_, ss := tree(t)
	level := map[string]map[string]*ast.ValueSpec{} // package -> variable
	for _, s := range ss {
		if level[s.pkg] == nil {
			level[s.pkg] = map[string]*ast.ValueSpec{}
		}
		for _, d := range s.ast.Decls {
			if gen, ok := d.(*ast.GenDecl); ok && gen.Tok.String() == "var" && !s.test {
				for _, spec := range gen.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						level[s.pkg][name.Name] = spec.(*ast.ValueSpec)
					}
				}
			}
		}
	}
	for _, s := range ss {
		if s.test || forTests(s.pkg) {
			continue
		}
		assigned := func(e ast.Expr) {
			id := rootOf(e)
			if id == nil || id.Name == "_" || level[s.pkg][id.Name] == nil {
				return
			}
			if id.Obj == nil || id.Obj.Decl == any(level[s.pkg][id.Name]) {
				t.Errorf("%s: %s at package level is changed", s.at(e), id.Name)
			}
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok.String() != ":=" {
					for _, e := range n.Lhs {
						assigned(e)
					}
				}
			case *ast.IncDecStmt:
				assigned(n.X)
			case *ast.CallExpr:
				if fn := text(n.Fun); len(n.Args) > 0 && (fn == "delete" || fn == "clear") {
					assigned(n.Args[0])
				}
			}
			return true
		})
	}
}

// rootOf is the variable that an assignment to e changes.
func rootOf(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
