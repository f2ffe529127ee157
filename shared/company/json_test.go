package company_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	integrations "switchboard/company-integrations"
	"switchboard/shared/company"
	"switchboard/shared/problem"
)

const bot = "assistants/bot.md"

func TestJSONOfAFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, text, want string }{
		{company.Manifest, "name: Acme\norigins: [\"https://acme.example\"]\nbudget: {monthly_usd: 12.5, alerts: [50]}\n", `{"budget":{"alerts":[50],"monthly_usd":12.5},"name":"Acme","origins":["https://acme.example"]}`},
		{bot, "You answer.\n", `{"instructions":"You answer."}`},
		{bot, "---\nname: Bot\nmemory: {recall: true}\n---\n\nYou answer.\n\n---\nAnd more.\n", `{"instructions":"You answer.\n\n---\nAnd more.","memory":{"recall":true},"name":"Bot"}`},
		{company.Manifest, "\ufeffname: Bom\r\n", `{"name":"Bom"}`},
		{bot, "---\r\nname: Desk\r\n---\r\nYou answer.\r\nShortly.\r\n", `{"instructions":"You answer.\nShortly.","name":"Desk"}`},
		{bot, "---\n---\nYou answer.", `{"instructions":"You answer."}`},
	} {
		got, err := company.JSON(c.file, c.text)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v", c.text, got, err)
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, text, patch, want string }{
		{company.Manifest, "", `{"name":"Acme"}`, "name: Acme\n"},
		{company.Manifest, "name: Acme\ntier: pro\n", `{"tier":null,"brand":{"color":"#000000"}}`, "brand:\n  color: \"#000000\"\nname: Acme\n"},
		{company.Manifest, "name: Acme\nbrand: {color: \"#000000\", corner: left}\n", `{"brand":{"color":null}}`, "brand:\n  corner: left\nname: Acme\n"},
		{bot, "", `{"instructions":"You answer."}`, "---\n---\nYou answer.\n"},
		{bot, "---\nname: Bot\n---\nYou answer.", `{"greeting":"yes"}`, "---\ngreeting: \"yes\"\nname: Bot\n---\nYou answer.\n"},
	} {
		got, err := company.Merge(c.file, c.text, jsontext.Value(c.patch))
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", c.patch, err, d)
		}
		if err := company.Check(c.file, got); err != nil {
			t.Errorf("%s: what came of it: %v", c.patch, err)
		}
	}
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, `,"k%d":1`, i)
	}
	for _, patch := range []string{`[]`, `"x"`, `{"instructions":5}`, `{` + many.String()[1:] + `}`} {
		if _, err := company.Merge(bot, "You answer.", jsontext.Value(patch)); !problem.Is(err, problem.Invalid) {
			t.Errorf("%.50s: %v", patch, err)
		}
	}
}

// What a shipped file says as JSON makes the same file again.
func TestShippedFilesAsJSON(t *testing.T) {
	t.Parallel()
	folders, err := company.Load(integrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		again := company.Files{}
		for path, text := range f.Files {
			if again[path] = text; company.IsArticle(path) {
				continue
			}
			said, err := company.JSON(path, text)
			if err == nil {
				again[path], err = company.Merge(path, "", said)
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
		c, err := company.Parse(f.ID, again)
		if d := cmp.Diff(f.Company, c, byID); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", f.ID, err, d)
		}
	}
}

// FuzzMerge: what a JSON object makes is either refused, or reads back as it was.
func FuzzMerge(f *testing.F) {
	for _, s := range []string{`{"name":"A"}`, `{"name":"---"}`, `{"name":"a: b","greeting":"x\n---\ny","instructions":"---\nx\n---"}`, `{"name":" yes "}`, `{"name":"\u0001","x":1e400}`, `{"a":{"b":[null,{}]}}`, `{"instructions":"\ufeff"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, patch string) {
		for _, file := range []string{company.Manifest, bot} {
			text, err := company.Merge(file, "", jsontext.Value(patch))
			if err != nil || company.Check(file, text) != nil {
				continue
			}
			said, err := company.JSON(file, text)
			if err != nil {
				t.Fatalf("%s from %q does not read: %v", file, text, err)
			}
			again, err := company.Merge(file, "", said)
			if err != nil || company.Check(file, again) != nil {
				t.Fatalf("%q became %s became %q: %v", text, said, again, err)
			}
			if said2, _ := company.JSON(file, again); strings.TrimSpace(string(said2)) != string(said) {
				t.Fatalf("%s became %s", said, said2)
			}
		}
	})
}
