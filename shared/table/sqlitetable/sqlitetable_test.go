package sqlitetable_test

import (
	"testing"

	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/table/tabletest"
)

var testKey = make([]byte, 32)

// open opens a table in dir and closes it at the end of the test.
func open(t testing.TB, dir string, opts *sqlitetable.Options) *table.Table {
	t.Helper()
	tbl, err := sqlitetable.Open(dir, testKey, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tbl.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return tbl
}

func TestConformance(t *testing.T) {
	t.Parallel()
	tabletest.Run(t, func(t *testing.T) *table.Table { return open(t, t.TempDir(), nil) })
}

// TestConformanceWithFewFiles runs the suite with files closed and opened again
// all the time.
func TestConformanceWithFewFiles(t *testing.T) {
	t.Parallel()
	tabletest.RunWith(t, func(t *testing.T) *table.Table {
		return open(t, t.TempDir(), &sqlitetable.Options{MaxOpen: 2})
	}, tabletest.Options{Fast: true})
}
