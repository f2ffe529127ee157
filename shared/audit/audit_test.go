package audit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/audit"
	"switchboard/shared/problem"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

func TestEntriesAreTheTenantsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { entriesAreTheTenantsOwn(t, dir) })
}

func entriesAreTheTenantsOwn(t *testing.T, dir string) {
	tbl, err := sqlitetable.Open(dir, make([]byte, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tbl.Close()
	log, a, b := audit.New(tbl), tenanttest.Scope("alpha"), tenanttest.Scope("beta")
	for _, reason := range []string{"first", "second", "third"} {
		if err := log.ActsAs(t.Context(), a, reason, "req-"+reason); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // of the bubble's time: entries are in order of it
	}
	got, next, err := log.List(t.Context(), a, 2, "")
	if err != nil || len(got) != 2 || next == "" {
		t.Fatalf("%+v, %q, %v", got, next, err)
	}
	if e := got[0]; e.Reason != "third" || e.Action != "act-as" || e.Actor != "test" || e.Request != "req-third" || e.Outcome != "allowed" || e.Time.IsZero() {
		t.Errorf("%+v", e)
	}
	if rest, next, err := log.List(t.Context(), a, 2, next); err != nil || len(rest) != 1 || rest[0].Reason != "first" || next != "" {
		t.Errorf("%+v, %q, %v", rest, next, err)
	}
	if got, _, err := log.List(t.Context(), b, 10, ""); err != nil || len(got) != 0 {
		t.Errorf("a neighbour reads %+v, %v", got, err)
	}
	var zero tenant.Scope
	_, _, err = log.List(t.Context(), zero, 1, "")
	if !problem.Is(err, problem.Internal) || !problem.Is(log.ActsAs(t.Context(), zero, "x", ""), problem.Internal) {
		t.Error("the zero scope is not refused")
	}
}
