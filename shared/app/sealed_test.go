package app_test

import (
	"testing"

	"switchboard/shared/app"
	"switchboard/shared/chat"
	"switchboard/shared/seal"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/tenant/auth"
)

// TestATableWithoutASealerIsRefused: a wiring that forgot to say how bodies are kept
// serves nobody.
func TestATableWithoutASealerIsRefused(t *testing.T) {
	t.Parallel()
	undecided, err := sqlitetable.Open(t.TempDir(), make([]byte, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer undecided.Close()
	for name, c := range map[string]struct {
		table *table.Table
		ok    bool
	}{"undecided": {undecided, false}, "sealed": {undecided.SealedBy(sealtest.New(t)), true}, "unsealed": {undecided.SealedBy(seal.Unsealed()), true}} {
		dir, err := auth.NewDirectory(c.table, make([]byte, 32))
		if (err == nil) != c.ok {
			t.Errorf("%s: a directory: %v", name, err)
		}
		if _, err := auth.NewGateBehind(make([]byte, 32), c.table, nil, nil); (err == nil) != c.ok {
			t.Errorf("%s: a gate behind an authorizer: %v", name, err)
		}
		gate := new(auth.Gate)
		if c.ok {
			gate = auth.NewGate(dir, nil, nil)
		}
		parts := &app.Parts{Gate: gate, Chat: &chat.Service{Table: c.table}}
		for what, serve := range map[string]func(){"Chat": func() { app.Chat(parts) }, "All": func() { app.All(parts) }} {
			if ok := !panics(serve); ok != c.ok {
				t.Errorf("%s: %s serves: %v", name, what, ok)
			}
		}
	}
}

func panics(do func()) (did bool) {
	defer func() { did = recover() != nil }()
	do()
	return false
}
