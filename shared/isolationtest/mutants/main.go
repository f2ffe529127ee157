// Command mutants breaks the product, one defect at a time, and expects the test that
// each defect names to fail: a test that lets a defect live proves nothing.
//
// `make mutants` runs it. Its one promise: no file of the tree is touched. A defect is
// compiled in place of its file by the go command's overlay.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	dir := flag.String("dir", "shared/isolationtest/testdata/mutants", "where the patches are")
	only := flag.String("only", "", "run those alone whose name has this in it")
	flag.Parse()
	if err := run(*dir, *only); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run tries every patch and reports those that no test noticed.
func run(dir, only string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+only+"*.patch"))
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("no patch in %s", dir)
	}
	var survivors []string
	for _, name := range names {
		began := time.Now()
		verdict, err := try(name)
		if err != nil {
			verdict = "BROKEN: " + err.Error()
		}
		fmt.Printf("%-9s %5.1fs  %s\n", verdict, time.Since(began).Seconds(), strings.TrimSuffix(filepath.Base(name), ".patch"))
		if verdict != killed {
			survivors = append(survivors, filepath.Base(name))
		}
	}
	fmt.Printf("%d of %d killed\n", len(names)-len(survivors), len(names))
	if len(survivors) > 0 {
		return fmt.Errorf("not killed: %s", strings.Join(survivors, ", "))
	}
	return nil
}

const killed = "killed"

// mutant is a patch: its header says "test: PACKAGE NAME [ARGUMENTS]", and the rest is
// one file's unified diff.
type mutant struct {
	pkg, test string
	args      []string
	file      string
	old, new  []string // the hunks' text before and after
}

// try compiles one defect in and runs its test.
func try(name string) (verdict string, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	m, err := parse(string(text))
	if err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	overlay, err := m.overlay(tmp)
	if err != nil {
		return "", err
	}
	args := append([]string{"test", "-overlay", overlay, "-vet=off", "-count=1", "-timeout=3m", "-run", "^(" + m.test + ")$", m.pkg}, m.args...)
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "RAPID_NOFAILFILE=1") // what a defect fails is no case to keep
	out, err := cmd.CombinedOutput()
	failed, ran := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return "SURVIVED", nil
	case !ran || strings.Contains(string(out), "[build failed]") || strings.Contains(string(out), "[setup failed]") || !strings.Contains(string(out), "--- FAIL"):
		return "", fmt.Errorf("%v: %.600s", failed, out)
	}
	return killed, nil
}

// parse reads a patch.
func parse(text string) (m mutant, err error) {
	var was, is strings.Builder
	flush := func() {
		if was.Len() > 0 {
			m.old, m.new = append(m.old, was.String()), append(m.new, is.String())
		}
		was.Reset()
		is.Reset()
	}
	for line := range strings.Lines(text) {
		rest := line[min(1, len(line)):]
		switch {
		case strings.HasPrefix(line, "test: "):
			f := strings.Fields(line)
			if len(f) < 3 {
				return m, errors.New("test: PACKAGE NAME is expected")
			}
			m.pkg, m.test, m.args = f[1], f[2], f[3:]
		case strings.HasPrefix(line, "+++ b/"):
			m.file = strings.TrimSpace(strings.TrimPrefix(line, "+++ b/"))
		case strings.HasPrefix(line, "@@"):
			flush()
		case m.file == "" || strings.HasPrefix(line, "--- a/"):
		case line[0] == '-':
			was.WriteString(rest)
		case line[0] == '+':
			is.WriteString(rest)
		default:
			was.WriteString(rest)
			is.WriteString(rest)
		}
	}
	flush()
	if m.pkg == "" || m.file == "" || slices.Equal(m.old, m.new) {
		return m, errors.New("a patch names its test, one file and a change")
	}
	return m, nil
}

// overlay writes the changed file and what tells the go command of it. Hunks are found
// by their text, so lines may have moved; text that is not there, or twice, is an error.
func (m mutant) overlay(tmp string) (string, error) {
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := string(source)
	for n, old := range m.old {
		if c := strings.Count(text, old); c != 1 {
			return "", fmt.Errorf("hunk %d is %d times in %s", n+1, c, m.file)
		}
		text = strings.Replace(text, old, m.new[n], 1)
	}
	changed, list := filepath.Join(tmp, filepath.Base(m.file)), filepath.Join(tmp, "overlay.json")
	body, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	return list, errors.Join(err, os.WriteFile(changed, []byte(text), 0o600), os.WriteFile(list, body, 0o600))
}
