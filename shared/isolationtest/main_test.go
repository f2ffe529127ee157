package isolationtest_test

import (
	"flag"
	"io"
	"log/slog"
	"os"
	"testing"
)

// Sizes of a run. The defaults are what `make test` has time for.
var (
	seed     = flag.Uint64("seed", 1, "seed of everything random")
	attempts = flag.Int("attempts", 100_000, "attempts of the matrix")
	parallel = flag.Int("concurrent", 4_000, "attempts of the matrix that are made 64 at a time, some of them given up")
	programs = flag.Int("programs", 300, "random programs run in two worlds")
	actions  = flag.Int("actions", 20, "actions of a program")
	samples  = flag.Int("samples", 300, "samples of the timing oracle, a side")
)

func TestMain(m *testing.M) {
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // a hundred thousand refusals
	os.Exit(m.Run())
}
