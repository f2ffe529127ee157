package archtest_test

import (
	"go/ast"
	"slices"
	"testing"
)

// spawners are the methods and functions that have a goroutine of its own call their
// argument, and which argument that is.
var spawners = map[string]int{"Go": 0, "TryGo": 0, "AfterFunc": 1, "DoChan": 1, "AddCleanup": 1, "SetFinalizer": 1}

// unguarded are the functions that start something without problem.Guard, each with
// the reason why no panic in it ends the process.
var unguarded = map[string]string{
	"functions/switchboard.main":            "it ends the notice of a signal",
	"functions/switchboard.run":             "it prints a line",
	"shared/app/local.startSweeping":        "one guards each tenant's, so that one keeps no other from being swept",
	"shared/chat.ask":                       "what it starts ends a context or stops a timer",
	"shared/host/httphost.Serve":            "net/http recovers every connection's",
	"shared/host/lambdahost.Handler":        "run recovers by itself: it has to answer",
	"shared/host/lambdahost.attempt":        "it ends a context",
	"shared/app/aws/internal/vend.retrieve": "renew only asks, and fetch guards that",
	"shared/app/aws/internal/vend.renew":    "it clears a mark",
	"shared/app/aws/internal/vend.fetch":    "what asks STS is guarded within",
	"shared/seal.use":                       "renew only asks, and fetch guards that",
	"shared/seal.renew":                     "it clears a mark",
	"shared/seal.fetch":                     "what asks the provider is guarded within",
	"shared/seal.hold":                      "it drops keys from a map",
	"shared/seal.purge":                     "it drops keys from a map",
	"shared/tenant/auth.watch":              "what it starts guards what it asks",
	"shared/host/httphost.boundWrites":      "it sets a deadline",
	"shared/host/lambdahost.wait":           "it wakes who waits",
	"shared/model.newStopwatch":             "it ends a context",
	"shared/model/bedrockmodel.read":        "it ends a context",
	"shared/model/internal/provider.Drain":  "it ends a context",
	"shared/model/openaimodel.readEvents":   "it ends a context",
}

// A panic in a goroutine that nobody recovers ends the process and the answers of
// every tenant: whatever is started begins with problem.Guard.
func TestGoroutinesAreGuarded(t *testing.T) {
	t.Parallel()
	_, ss := tree(t)
	decls := map[string][]*ast.FuncDecl{} // by package and name, methods too
	for _, s := range ss {
		for _, d := range s.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && !s.test && fn.Body != nil {
				name := s.pkg + "." + fn.Name.Name
				decls[name] = append(decls[name], fn)
			}
		}
	}
	seen, found := map[string]bool{}, 0
	for _, s := range ss {
		if s.test || forTests(s.pkg) {
			continue
		}
		for _, d := range s.ast.Decls {
			within := s.pkg
			if fn, ok := d.(*ast.FuncDecl); ok {
				within += "." + fn.Name.Name
			}
			for _, started := range starts(d) {
				found++
				if s.guards(started, decls) {
					continue
				}
				if seen[within] = true; unguarded[within] == "" {
					t.Errorf("%s: %s starts what does not begin with problem.Guard", s.at(started), within)
				}
			}
		}
	}
	used(t, unguarded, seen)
	if guarded := found - len(seen); guarded < 8 {
		t.Errorf("control: %d guarded goroutines", guarded)
	}
}

// starts are the functions that other goroutines are to call.
func starts(d ast.Decl) (all []ast.Expr) {
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			all = append(all, n.Call.Fun)
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok {
				break
			}
			if i, ok := spawners[sel.Sel.Name]; ok && i < len(n.Args) {
				all = append(all, n.Args[i])
			}
		}
		return true
	})
	return all
}

// guards reports whether a function begins with problem.Guard, or is a literal that
// does nothing but call one of its package that does.
func (s source) guards(fun ast.Expr, decls map[string][]*ast.FuncDecl) bool {
	if lit, ok := fun.(*ast.FuncLit); ok {
		if s.begins(lit.Body) {
			return true
		}
		fun = only(lit.Body)
	}
	name := text(fun)
	if sel, ok := fun.(*ast.SelectorExpr); ok {
		name = sel.Sel.Name
	}
	named := decls[s.pkg+"."+name]
	return len(named) > 0 && !slices.ContainsFunc(named, func(fn *ast.FuncDecl) bool { return !s.begins(fn.Body) })
}

// only is the function that the body's one statement calls.
func only(body *ast.BlockStmt) ast.Expr {
	if len(body.List) == 1 {
		if stmt, ok := body.List[0].(*ast.ExprStmt); ok {
			if call, ok := stmt.X.(*ast.CallExpr); ok {
				return call.Fun
			}
		}
	}
	return nil
}

// begins reports whether the body's first statement calls problem.Guard.
func (s source) begins(body *ast.BlockStmt) (yes bool) {
	if len(body.List) == 0 {
		return false
	}
	ast.Inspect(body.List[0], func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && text(sel) == "problem.Guard" {
			yes = true
		}
		_, inner := n.(*ast.FuncLit)
		return !inner && !yes
	})
	return yes
}
