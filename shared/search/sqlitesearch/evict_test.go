package sqlitesearch_test

import (
	"fmt"
	"testing"

	"switchboard/shared/search"
	"switchboard/shared/search/sqlitesearch"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// allOpen is an index with as many open files as there may be. When one is closed its
// place is sent to closing, and it is not closed before proceed.
func allOpen(t *testing.T) (x *search.Index, scopes []tenant.Scope, closing chan int, proceed chan struct{}) {
	t.Helper()
	const files = 3
	x, closing, proceed = openWith(t, t.TempDir(), &sqlitesearch.Options{Files: files}), make(chan int, files), make(chan struct{})
	for i := range files {
		sc := tenanttest.Scope(fmt.Sprint("tenant-", i))
		replace(t, x, sc, docs("d", "heron"))
		err := sqlitesearch.OnClose(x, sc, func() {
			closing <- i
			<-proceed
		})
		if err != nil {
			t.Fatal(err)
		}
		scopes = append(scopes, sc)
	}
	return x, scopes, closing, proceed
}

// versions is how many documents the scope's file has.
func versions(t *testing.T, x *search.Index, sc tenant.Scope) int {
	got, err := x.Versions(t.Context(), sc)
	if err != nil {
		t.Error(err)
	}
	return len(got)
}

// TestClosingOneFileHoldsUpNobodyElses would not end if it did: a file that is closed
// is copied to and synced, and that may take long.
func TestClosingOneFileHoldsUpNobodyElses(t *testing.T) {
	t.Parallel()
	x, scopes, closing, proceed := allOpen(t)
	late := make(chan int)
	go func() { late <- versions(t, x, tenanttest.Scope("newcomer")) }()
	victim := <-closing
	for i, sc := range scopes {
		if i != victim && versions(t, x, sc) != 1 {
			t.Errorf("%s lost its document", sc.Project())
		}
	}
	// The one that is being closed is opened again when it is, and no earlier.
	back := make(chan int)
	go func() { back <- versions(t, x, scopes[victim]) }()
	close(proceed)
	if n := <-late; n != 0 {
		t.Errorf("the newcomer has %d documents", n)
	}
	if n := <-back; n != 1 {
		t.Errorf("the one that was closed has %d documents", n)
	}
}

// TestCloseWaitsForAFileThatIsBeingClosed.
func TestCloseWaitsForAFileThatIsBeingClosed(t *testing.T) {
	t.Parallel()
	x, _, closing, proceed := allOpen(t)
	late, closed := make(chan error), make(chan error)
	go func() {
		_, err := x.Versions(t.Context(), tenanttest.Scope("newcomer"))
		late <- err
	}()
	<-closing
	go func() { closed <- x.Close() }()
	close(proceed)
	<-late // whichever was first
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
