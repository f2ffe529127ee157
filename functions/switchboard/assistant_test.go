package main_test

import (
	"path/filepath"
	"testing"
)

func TestAssistants(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.says([]string{"ID ", "chain ", "openai/first", "website"}, "assistant", "list", "alpha")
	d.equal(d.json([]string{"data.0.id", "data.1.name", "data.2", "next_cursor"}, "assistant", "list", "alpha"), "chain", "Website", "", "")

	file := write(t, filepath.Join(t.TempDir(), "night.md"), "---\nname: Night desk\ntemperature: 0.5\n---\nYou answer at night.\n")
	create := []string{"assistant", "create", "alpha", "night", "--file", file}
	d.says([]string{"night is at version 1"}, create...)
	d.equal(d.json([]string{"id", "name", "temperature", "instructions", "version"}, create...), "night", "Night desk", "0.5", "You answer at night.", "1")
	d.process.Stdin = "You answer by day.\n"
	d.ok("assistant", "create", "alpha", "day", "--file", "-")
	d.equal(d.json([]string{"instructions"}, "assistant", "show", "alpha", "day"), "You answer by day.")
	d.refused("There is one of this name already", "assistant", "create", "alpha", "night", "--file", "-")

	d.says([]string{"night is at version 2"}, "assistant", "set", "alpha", "night", "temperature=null", "greeting=Good evening", "instructions=You answer late.")
	if out, want := d.ok("assistant", "show", "alpha", "night"), "---\ngreeting: Good evening\nname: Night desk\n---\nYou answer late.\n"; out != want {
		t.Errorf("%q, want %q", out, want)
	}
	d.says([]string{"temperature: 0.5", "You answer at night."}, "assistant", "show", "alpha", "night", "--version", "1")

	d.says([]string{"night is deleted; version 2 was its last."}, "assistant", "delete", "alpha", "night")
	d.says([]string{"was deleted at version 3"}, "assistant", "show", "alpha", "night", "--version", "3")
	d.says([]string{"3 ", "deleted"}, "assistant", "versions", "alpha", "night")
	d.equal(d.json([]string{"data.0.deleted", "data.2.version"}, "assistant", "versions", "alpha", "night"), "true", "1")
	d.refused("There is no such assistant", "assistant", "show", "alpha", "night")
	d.says([]string{"night is at version 4"}, "assistant", "rollback", "alpha", "night", "1")
	d.equal(d.json([]string{"version", "instructions"}, "assistant", "rollback", "alpha", "night", "1"), "4", "You answer at night.")
	d.equal(d.json([]string{"deleted"}, "assistant", "delete", "alpha", "night"), "true")
}

func TestAssistantsThatAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	wrong := write(t, filepath.Join(t.TempDir(), "wrong.md"), "---\nname: Night\nmodell: x\ntemperature: hot\n---\nHi.\n")
	d.refused("2 mistakes, so nothing was applied:\n"+wrong+`:3:1: unknown field "modell"; did you mean "model"?`+"\n"+wrong+":4:", "assistant", "create", "alpha", "night", "--file", wrong)
	d.refused("no such file", "assistant", "create", "alpha", "night", "--file", wrong+".none")
	d.refused(`"file"`, "assistant", "create", "alpha", "night")
	d.refused(`"Night#1" is no assistant's id`, "assistant", "create", "alpha", "Night#1", "--file", write(t, wrong, "You answer."))
	d.refused("temperature", "assistant", "set", "alpha", "website", "temperature=hot")
	d.refused("no such assistant", "assistant", "set", "alpha", "none", "name=x")
	d.refused("no such assistant", "assistant", "delete", "alpha", "none")
	if len(d.requests()) == 0 {
		t.Error("control: nothing was asked")
	}
}

// A file from an editor on Windows says what it says on any other.
func TestAnAssistantFromWindows(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.process.Stdin = "\ufeff---\r\nname: Night desk\r\n---\r\nYou answer\r\nat night.\r\n"
	d.equal(d.json([]string{"name", "instructions"}, "assistant", "create", "alpha", "night", "--file", "-"), "Night desk", "You answer\nat night.")
}
