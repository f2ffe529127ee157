package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// ticks are the unit of times in /proc: 100 a second on Linux.
const ticks = 100

// cpuOf is how long the process has run, in user and kernel mode.
func cpuOf(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name is in brackets and may hold anything; utime and stime are the 12th
	// and 13th fields behind it.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return 0
	}
	return time.Duration(number(f[11])+number(f[12])) * time.Second / ticks
}

// machineBusy is how long all cores together have worked.
func machineBusy() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	var busy int64
	for i, f := range bytes.Fields(line) {
		if i >= 1 && i <= 8 && i != 4 && i != 5 { // not idle, not waiting for a disk
			busy += number(f)
		}
	}
	return time.Duration(busy) * time.Second / ticks
}

// memory reads a line of the process's status, such as VmRSS or VmHWM, in MB.
func memory(pid int, line string) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(b, []byte("\n"+line+":"))
	f := bytes.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	return float64(number(f[0])) / 1024
}

func number(b []byte) int64 {
	n, _ := strconv.ParseInt(string(b), 10, 64)
	return n
}
