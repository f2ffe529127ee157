package fileseal_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"switchboard/shared/seal/fileseal"
)

// keysDir names, in a process of TestProcessesAgree, where the keys are.
const keysDir = "SWITCHBOARD_TEST_KEYS"

// TestProcessesAgree has processes make the same tenant's first key at once, and
// rotate it: what each sealed opens for all.
func TestProcessesAgree(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(keysDir); dir != "" {
		one(t, dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "keys")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var sealed []string
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			cmd := exec.Command(self, "-test.run=^TestProcessesAgree$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), keysDir+"="+dir)
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			mu.Lock()
			defer mu.Unlock()
			for line := range strings.Lines(string(out)) {
				if text, ok := strings.CutPrefix(line, "sealed "); ok {
					sealed = append(sealed, strings.TrimSpace(text))
				}
			}
		})
	}
	wg.Wait()
	if len(sealed) != 12 {
		t.Fatalf("%d values were sealed", len(sealed))
	}
	s := open(t, dir, nil)
	for _, text := range sealed {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := s.Open(t.Context(), sc, at, b); err != nil || string(plain) != "plain" {
			t.Errorf("%q, %v", plain, err)
		}
	}
}

// one is one of the processes.
func one(t *testing.T, dir string) {
	s, err := fileseal.Open(dir, master, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fmt.Printf("sealed %x\n", seals(t, s, sc))
	if err := s.Rotate(t.Context(), sc); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("sealed %x\n", seals(t, s, sc))
}
