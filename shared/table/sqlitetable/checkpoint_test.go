package sqlitetable_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
)

// TestCheckpointWhenIdle: a long WAL is copied into the database when nobody
// waits, and not on a write's time; one that is short is left alone.
func TestCheckpointWhenIdle(t *testing.T) {
	t.Parallel()
	st, tbl := openStore(t, nil)
	st.Checkpoint(20, 1_000_000)
	pages := func() int {
		t.Helper()
		n, err := st.Pages(one)
		must(t, err)
		return n
	}
	works(t, tbl, one)
	if n := pages(); n == 0 {
		t.Error("a short WAL was copied")
	}
	must(t, tbl.Write(t.Context(), one, table.Put(item("a"), make([]byte, 200_000)).Relaxed()))
	if n := pages(); n != 0 {
		t.Errorf("%d pages are left when all is idle", n)
	}
	works(t, tbl, one)
}

// TestCheckpointAtOnce: a WAL that grows while others always wait stops somewhere.
func TestCheckpointAtOnce(t *testing.T) {
	t.Parallel()
	st, tbl := openStore(t, nil)
	st.Checkpoint(1_000_000, 100)
	for i := range 30 {
		must(t, tbl.Write(t.Context(), one, table.Put(item(fmt.Sprint(i)), make([]byte, 40_000)).Relaxed()))
		if n, err := st.Pages(one); err != nil || n >= 100 {
			t.Fatalf("%d pages, %v", n, err)
		}
	}
}

// TestFailedCheckpoint: a sync that failed is not tried again on the same session.
// The write that met it was committed and synced, and is there.
func TestFailedCheckpoint(t *testing.T) {
	t.Parallel()
	for when, limits := range map[string][2]int{"idle": {20, 1_000_000}, "at once": {1_000_000, 20}} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			var log logged
			st, tbl, d := onFaulty(t, &sqlitetable.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			st.Checkpoint(limits[0], limits[1])
			works(t, tbl, one)
			d.failSync.Store(true)
			must(t, tbl.Write(t.Context(), one, table.Create(item("a"), make([]byte, 200_000))))
			if n, err := st.Pages(one); err != nil || n != 0 {
				t.Errorf("%d pages, %v", n, err)
			}
			if text := log.text(); strings.Count(text, "reopened") != 1 || !strings.Contains(text, "disk on fire") {
				t.Errorf("the log does not say what happened: %s", text)
			}
			if it, err := tbl.Get(t.Context(), one, item("a")); err != nil || len(it.Body) != 200_000 {
				t.Errorf("Get: %d bytes, %v", len(it.Body), err)
			}
		})
	}
}

// TestCheckpointThatPanics: it is on nobody's goroutine, so left alone it would end
// the process. The file goes on with a new session.
func TestCheckpointThatPanics(t *testing.T) {
	t.Parallel()
	var log logged
	st, tbl, d := onFaulty(t, &sqlitetable.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	st.Checkpoint(20, 1_000_000)
	works(t, tbl, one)
	d.panicSync.Store(true)
	must(t, tbl.Write(t.Context(), one, table.Create(item("a"), make([]byte, 200_000))))
	if n, err := st.Pages(one); err != nil || n != 0 {
		t.Errorf("%d pages, %v", n, err)
	}
	if text := log.text(); d.panicSync.Load() || strings.Count(text, "reopened") != 1 || strings.Count(text, "checkpoint failed") != 1 {
		t.Errorf("the log does not say what happened: %s", text)
	}
	if it, err := tbl.Get(t.Context(), one, item("a")); err != nil || len(it.Body) != 200_000 {
		t.Errorf("Get: %d bytes, %v", len(it.Body), err)
	}
	works(t, tbl, one)
}
