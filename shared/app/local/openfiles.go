package local

import (
	"syscall"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// What a company with open files takes, about.
const (
	companyMemory = 1 << 20
	companyFiles  = 6 // its table and its index, each with a log and an index of that
)

// OpenFiles is how many companies' files are kept open if nobody says: as many as fit
// into an eighth of the memory that this process may have, and half of the files that it
// may open, but 64 in any case and 4,096 at most.
func OpenFiles() int {
	memory, err := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)()
	if err != nil {
		memory = 2 << 30 // a small machine's
	}
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) != nil {
		files.Cur = 1024
	}
	return openFiles(memory, uint64(files.Cur))
}

func openFiles(memory, files uint64) int {
	return int(max(64, min(memory/8/companyMemory, files/2/companyFiles, 4096)))
}
