package sqlitetable_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/tenant/tenanttest"
)

// crashDir, in the environment, makes the test binary a writer to be killed.
const crashDir = "SQLITETABLE_CRASH_DIR"

// TestCrash kills a writing process again and again, wherever it happens to be,
// and looks that everything it was told is stored is there, whole. It shows that
// nothing is acknowledged early; that it is on disk and not in the kernel's
// memory is what flush_test.go shows.
func TestCrash(t *testing.T) {
	if os.Getenv(crashDir) != "" {
		writeUntilKilled(t)
		return
	}
	t.Parallel()
	dir, rounds := t.TempDir(), 10
	if testing.Short() {
		rounds = 3
	}
	var acknowledged []string
	for round := range rounds {
		acknowledged = append(acknowledged, crash(t, dir, round)...)
	}
	tbl, err := sqlitetable.Open(dir, testKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tbl.Close()
	if len(acknowledged) < rounds {
		t.Errorf("only %d writes in %d rounds", len(acknowledged), rounds)
	}
	for _, line := range acknowledged {
		for _, half := range []string{"a", "b"} {
			it, err := tbl.Get(t.Context(), one, table.Key{Kind: "crash", Parent: half, ID: line})
			if err != nil || !strings.HasPrefix(string(it.Body), line) || len(it.Body) != crashBody {
				t.Fatalf("%s was acknowledged; there is %.40q, %v", line, it.Body, err)
			}
		}
	}
	halves(t, tbl)
}

// halves holds that of every write, acknowledged or not, all or nothing is there.
func halves(t *testing.T, tbl *table.Table) {
	t.Helper()
	ids := map[string]int{}
	for _, parent := range []string{"a", "b"} {
		for q := (table.Query{Kind: "crash", Parent: parent}); ; {
			page, err := tbl.List(t.Context(), one, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range page.Items {
				ids[it.Key.ID]++
			}
			if q.Cursor = page.Cursor; q.Cursor == "" {
				break
			}
		}
	}
	for id, n := range ids {
		if n != 2 {
			t.Errorf("half of write %s is there", id)
		}
	}
}

// crash runs a writer, kills it after some acknowledgements, a different number
// each round, and returns them.
func crash(t *testing.T, dir string, round int) (acknowledged []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrash$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", crashDir, dir), fmt.Sprintf("SQLITETABLE_CRASH_ROUND=%d", round))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // half a line was not acknowledged to anybody
			if err != io.EOF {
				t.Fatal(err)
			}
			break
		}
		id, ok := strings.CutPrefix(line, "ok ")
		if !ok {
			t.Fatalf("the writer says %q", line)
		}
		acknowledged = append(acknowledged, strings.TrimSpace(id))
		if len(acknowledged) == 20+7*round {
			cmd.Process.Kill() // SIGKILL; what it wrote before is still read
		}
	}
	cmd.Wait()
	return acknowledged
}

// crashBody is so long that a round passes the automatic checkpoint.
const crashBody = 20_000

func writeUntilKilled(t *testing.T) {
	tbl, err := sqlitetable.Open(os.Getenv(crashDir), testKey, nil)
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	sc := tenanttest.Scope("one")
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s.%d.%d", os.Getenv("SQLITETABLE_CRASH_ROUND"), w, i)
				body := append([]byte(id), make([]byte, crashBody-len(id))...)
				err := tbl.Write(t.Context(), sc, table.Create(table.Key{Kind: "crash", Parent: "a", ID: id}, body),
					table.Create(table.Key{Kind: "crash", Parent: "b", ID: id}, body))
				mu.Lock()
				if err != nil {
					fmt.Println("write:", err)
					os.Exit(1)
				}
				fmt.Println("ok", id)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
