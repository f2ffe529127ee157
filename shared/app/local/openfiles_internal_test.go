package local

import "testing"

func TestOpenFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		memory, files uint64
		want          int
	}{
		{16 << 30, 1 << 20, 2048},
		{256 << 30, 1 << 20, 4096},
		{1 << 30, 1 << 20, 128},
		{128 << 20, 1 << 20, 64},
		{16 << 30, 4096, 341},
		{16 << 30, 256, 64},
		{1 << 63, 1<<64 - 1, 4096},
	} {
		if got := openFiles(c.memory, c.files); got != c.want {
			t.Errorf("%d bytes, %d files: %d, want %d", c.memory, c.files, got, c.want)
		}
	}
	if n := OpenFiles(); n < 64 || n > 4096 {
		t.Errorf("this machine: %d", n)
	}
}
