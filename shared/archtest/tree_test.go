package archtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "switchboard/"

// root is the module's directory: tests run in their package's.
var root = func() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}()

// goTool runs the go command at the root.
func goTool(args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command("go", args...) // of which `go test` puts its own first
	cmd.Dir = root
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// pkg is what `go list` says of a package of ours. Paths are without the module's
// name: "shared/table".
type pkg struct {
	ImportPath, Name, Doc string
	Imports, Deps         []string
	TestImports           []string
	XTestImports          []string
}

// packages are all of ours.
var packages = sync.OnceValues(func() (map[string]*pkg, error) {
	out, errs, err := goTool("list", "-e", "-json=ImportPath,Name,Doc,Imports,Deps,TestImports,XTestImports", "./...")
	if err != nil {
		return nil, errors.New(errs)
	}
	all := map[string]*pkg{}
	dec := json.NewDecoder(strings.NewReader(out))
	for {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		p.ImportPath = ours(p.ImportPath)
		for _, list := range [][]string{p.Imports, p.Deps, p.TestImports, p.XTestImports} {
			for i := range list {
				list[i] = ours(list[i])
			}
		}
		all[p.ImportPath] = p
	}
})

// ours takes the module's name off a path of ours.
func ours(importPath string) string { return strings.TrimPrefix(importPath, module) }

func isOurs(p string) bool {
	return strings.HasPrefix(p, "shared/") || strings.HasPrefix(p, "functions/") || strings.HasPrefix(p, "company-integrations")
}

// source is one Go file of ours.
type source struct {
	name    string // "shared/table/table.go"
	pkg     string // "shared/table"
	test    bool
	lines   int
	ast     *ast.File
	imports map[string]string // local name -> path
	set     *token.FileSet
}

func (s source) at(n ast.Node) string {
	p := s.set.Position(n.Pos())
	return s.name + ":" + strconv.Itoa(p.Line)
}

// sources are all Go files of ours but what lies under testdata.
var sources = sync.OnceValues(func() (all []source, err error) {
	set := token.NewFileSet()
	for _, top := range []string{"shared", "functions", "company-integrations"} {
		err = errors.Join(err, filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules") {
				return fs.SkipDir
			}
			if d.IsDir() || !strings.HasSuffix(name, ".go") {
				return nil
			}
			f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(root, name)
			rel = filepath.ToSlash(rel)
			s := source{name: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), ast: f, set: set, imports: map[string]string{}}
			s.lines = set.File(f.Pos()).LineCount()
			for _, spec := range f.Imports {
				p, _ := strconv.Unquote(spec.Path.Value)
				local := path.Base(p)
				if spec.Name != nil {
					local = spec.Name.Name
				}
				s.imports[local] = ours(p)
			}
			all = append(all, s)
			return nil
		}))
	}
	return all, err
})

// tree returns packages and files, or ends the test.
func tree(t *testing.T) (map[string]*pkg, []source) {
	t.Helper()
	ps, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	ss, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) < 30 || len(ss) < 100 { // control: it is the whole tree that was read
		t.Fatalf("%d packages, %d files", len(ps), len(ss))
	}
	return ps, ss
}

// uses calls fn for each use of name (or any name, if it is "") of the package.
func (s source) uses(pkg, name string, fn func(*ast.SelectorExpr)) {
	ast.Inspect(s.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Obj == nil && s.imports[x.Name] == pkg && (name == "" || sel.Sel.Name == name) {
			fn(sel)
		}
		return true
	})
}

// forTests reports whether a package is there for tests alone: one of the elements
// of its path ends in "test".
func forTests(p string) bool {
	return slices.ContainsFunc(strings.Split(p, "/"), func(e string) bool { return strings.HasSuffix(e, "test") })
}

// under reports whether the path is one of the folders or below one.
func under(p string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return p == f || strings.HasPrefix(p, f+"/") })
}

// used makes sure that every entry of a list of exceptions is still needed.
func used[V any](t *testing.T, list map[string]V, seen map[string]bool) {
	t.Helper()
	for name := range list {
		if !seen[name] {
			t.Errorf("%q is an exception that nothing needs any more: take it off the list", name)
		}
	}
}
