// Package companytest has companies for tests of what serves them.
//
// Tests import it. Its one promise: a company of it is what [company.Load] made of the
// folder, and it costs nothing to look at, so that a test counts what it is about.
package companytest

import (
	"context"
	"io/fs"
	"testing"

	"switchboard/shared/company"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// Companies are companies held in memory.
type Companies map[tenant.ID]company.Entry

// Load returns the companies of a tree of folders.
func Load(t testing.TB, fsys fs.FS) Companies {
	t.Helper()
	folders, err := company.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	c := Companies{}
	for _, f := range folders {
		c[f.ID] = company.Entry{Company: f.Company, Version: company.Version(f.Company)}
	}
	return c
}

// Company returns the scope's own; NotFound if there is none.
func (c Companies) Company(_ context.Context, sc tenant.Scope) (company.Entry, error) {
	const op = "companytest.Company"
	if err := sc.Check(op); err != nil {
		return company.Entry{}, err
	}
	e, ok := c[sc.Project()]
	if !ok {
		return e, problem.New(problem.NotFound, op, "This project has no assistants.")
	}
	return e, nil
}
