package company_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/company"
	"switchboard/shared/tenant"
)

// tree is a folder of companies in memory.
func tree(files map[string]string) fs.FS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// acme is a right company with one more file, or another text for one it has.
func acme(name, text string) fs.FS {
	files := map[string]string{
		"acme/company.yaml":        "name: Acme\n",
		"acme/assistants/front.md": "---\nname: Front\n---\nAnswer.\n",
		"acme/knowledge/prices.md": "# Prices\n\nTen dollars.\n",
	}
	if name != "" {
		files[name] = text
	}
	return tree(files)
}

func mustLoad(t *testing.T, fsys fs.FS) []company.Company {
	t.Helper()
	got, err := company.Load(fsys)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	var companies []company.Company
	for _, f := range got {
		companies = append(companies, f.Company)
	}
	return companies
}

// one loads a single company of this manifest.
func one(t *testing.T, manifest string) company.Company {
	t.Helper()
	return mustLoad(t, acme("acme/company.yaml", manifest))[0]
}

func id(t *testing.T, s string) tenant.ID {
	t.Helper()
	v, err := tenant.ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var byID = cmp.Comparer(func(a, b tenant.ID) bool { return a == b })

func TestEveryFieldButNameHasADefault(t *testing.T) {
	t.Parallel()
	got := mustLoad(t, tree(map[string]string{
		"acme/company.yaml":          "name: Acme\n",
		"acme/assistants/help-me.md": "Answer.\n",
	}))
	want := []company.Company{{
		ID: id(t, "acme"), Name: "Acme", Kind: "company", Tier: "standard", Locale: "en-US", Timezone: "UTC",
		Brand:     company.Brand{Color: "#0b5fff", Corner: "right"},
		Budget:    company.Budget{Alerts: []int{50, 80, 100}},
		Retention: company.Retention{ConversationsDays: 365, AuditDays: 2555},
		Storage:   company.Storage{Mode: "pool"},
		Assistants: []company.Assistant{{
			ID: "help-me", Name: "Help me", MaxOutputTokens: 800,
			Memory: company.AssistantMemory{Recall: true, Learn: true}, Instructions: "Answer.",
		}},
	}}
	if diff := cmp.Diff(want, got, byID); diff != "" {
		t.Error(diff)
	}
}

const fullManifest = `name: Lenhart Electric
kind: client
group: lenhart
tier: pro
origins: ["https://www.lenhart.example", "http://localhost:3000"]
locale: de-CH
timezone: America/Chicago
brand: {color: "#0b5fFF", logo: art/logo.svg, corner: left}
budget: {monthly_usd: 199.50, alerts: [75, 100]}
retention: {conversations_days: 30, audit_days: 400}
memory: {visitors: true, shared_across_assistants: true}
storage:
  mode: silo
  table: lenhart-data
  role_arn: arn:aws:iam::123456789012:role/switchboard/lenhart
  kms_key: alias/lenhart
  redis: LENHART_REDIS_URL
  pinecone: https://idx.svc.pinecone.io
  bucket: lenhart-files
  model_keys: {openai: LENHART_OPENAI_KEY}
webhooks: [{url: "https://hooks.lenhart.example/sb", events: [lead, handoff], secret: WEBHOOK_SECRET}]
members:
- {email: ann@lenhart.example, role: owner}
- email: bob@lenhart.example
  role: viewer
`

const fullAssistant = `---
name: Website assistant
model: openai/gpt-5-mini
fallback: [anthropic/claude-haiku-4-5, "bedrock/us.amazon.nova-lite-v1:0", extract]
max_output_tokens: 1200
temperature: 0.3
tools: [search_knowledge, take_lead, handoff]
memory: {recall: true, learn: false}
greeting: |
  Hi!
  Ask me about panels.
suggestions: ["Do you do panel upgrades?"]
guardrails: {only_from_knowledge: true, refuse_topics: [legal advice]}
---

You answer for Lenhart Electric.

---

A rule above is not a fence.
`

func fullTree() map[string]string {
	return map[string]string{
		"lenhart/company.yaml":            fullManifest,
		"lenhart/assistants/website.md":   fullAssistant,
		"lenhart/knowledge/a-b.md":        "---\ntitle: From front matter\nurl: https://www.lenhart.example/a\ntags: [one, two words]\n---\n# Not this\n\nText.\n",
		"lenhart/knowledge/a.md":          "```sh\n# a comment\n```\n\n## Lower\n\n# First heading ##\n",
		"lenhart/knowledge/what_we-do.md": "No heading.\n",
		"lenhart/tools.yaml":              "not: [read",
		"lenhart/integration.go":          "package x",
		"lenhart/_drafts/x.md":            "left alone",
		"lenhart/knowledge/.x.md.swp":     "left alone",
		"README.md":                       "left alone",
		"_template/assistants/x.md":       "left alone",
		".git/config":                     "left alone",
	}
}

func TestEveryFieldIsRead(t *testing.T) {
	t.Parallel()
	temperature := 0.3
	want := []company.Company{{
		ID: id(t, "lenhart"), Name: "Lenhart Electric", Kind: "client", Group: "lenhart", Tier: "pro",
		Origins: []string{"https://www.lenhart.example", "http://localhost:3000"},
		Locale:  "de-CH", Timezone: "America/Chicago",
		Brand:     company.Brand{Color: "#0b5fFF", Logo: "art/logo.svg", Corner: "left"},
		Budget:    company.Budget{MonthlyUSD: 199.5, Alerts: []int{75, 100}},
		Retention: company.Retention{ConversationsDays: 30, AuditDays: 400},
		Memory:    company.Memory{Visitors: true, SharedAcrossAssistants: true},
		Storage: company.Storage{
			Mode: "silo", Table: "lenhart-data", RoleARN: "arn:aws:iam::123456789012:role/switchboard/lenhart",
			KMSKey: "alias/lenhart", Redis: "LENHART_REDIS_URL", Pinecone: "https://idx.svc.pinecone.io",
			Bucket: "lenhart-files", ModelKeys: map[string]string{"openai": "LENHART_OPENAI_KEY"},
		},
		Webhooks: []company.Webhook{{URL: "https://hooks.lenhart.example/sb", Events: []company.Event{"lead", "handoff"}, Secret: "WEBHOOK_SECRET"}},
		Members:  []company.Member{{Email: "ann@lenhart.example", Role: "owner"}, {Email: "bob@lenhart.example", Role: "viewer"}},
		Assistants: []company.Assistant{{
			ID: "website", Name: "Website assistant", Model: "openai/gpt-5-mini",
			Fallback:        []string{"anthropic/claude-haiku-4-5", "bedrock/us.amazon.nova-lite-v1:0", "extract"},
			MaxOutputTokens: 1200, Temperature: &temperature,
			Tools:        []string{"search_knowledge", "take_lead", "handoff"},
			Memory:       company.AssistantMemory{Recall: true},
			Greeting:     "Hi!\nAsk me about panels.",
			Suggestions:  []string{"Do you do panel upgrades?"},
			Guardrails:   company.Guardrails{OnlyFromKnowledge: true, RefuseTopics: []string{"legal advice"}},
			Instructions: "You answer for Lenhart Electric.\n\n---\n\nA rule above is not a fence.",
		}},
		Knowledge: []company.Article{
			{ID: "a", Title: "First heading", Text: "```sh\n# a comment\n```\n\n## Lower\n\n# First heading ##"},
			{ID: "a-b", Title: "From front matter", URL: "https://www.lenhart.example/a", Tags: []string{"one", "two words"}, Text: "# Not this\n\nText."},
			{ID: "what_we-do", Title: "What we do", Text: "No heading."},
		},
	}}
	got := mustLoad(t, tree(fullTree()))
	if diff := cmp.Diff(want, got, byID); diff != "" {
		t.Error(diff)
	}
}

// A file saved by Windows says the same as one saved by anything else.
func TestByteOrderMarkAndCRLFChangeNothing(t *testing.T) {
	t.Parallel()
	plain, windows := fullTree(), map[string]string{}
	for name, text := range plain {
		windows[name] = "\ufeff" + strings.ReplaceAll(text, "\n", "\r\n")
	}
	if diff := cmp.Diff(mustLoad(t, tree(plain)), mustLoad(t, tree(windows)), byID); diff != "" {
		t.Error(diff)
	}
}

func TestCompaniesAreInOrderOfID(t *testing.T) {
	t.Parallel()
	got := mustLoad(t, tree(map[string]string{
		"b-co/company.yaml": "name: B\n", "a-co/company.yaml": "name: A\n", "a-co-2/company.yaml": "name: A2\n",
	}))
	var ids []string
	for _, c := range got {
		ids = append(ids, c.ID.String())
	}
	if diff := cmp.Diff([]string{"a-co", "a-co-2", "b-co"}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestNoCompanyIsNoError(t *testing.T) {
	t.Parallel()
	if got := mustLoad(t, tree(map[string]string{"embed.go": "package x"})); len(got) != 0 {
		t.Errorf("got %d companies, want none", len(got))
	}
}

// One person mends the mistakes of all folders after one look, so all must be
// there, in order, and nothing may be returned beside them.
func TestAllMistakesOfAllFoldersAtOnce(t *testing.T) {
	t.Parallel()
	got, err := company.Load(tree(map[string]string{
		"good-co/company.yaml":        "name: Good\n",
		"bad-co/company.yaml":         "tier: gold\nnaem: Bad\n",
		"bad-co/assistants/x.md":      "---\nmodel: gpt-5\n---\nBad.\n",
		"bad-co/assistants/site.md":   "---\ntools: [Take-Lead, ok_one]\n---\n\n",
		"worse-co/knowledge/empty.md": "\n",
	}))
	if got != nil {
		t.Errorf("got %d companies beside the error", len(got))
	}
	want := []string{
		`bad-co/assistants/site.md:1:1: instructions are empty; expected them after the front matter`,
		`bad-co/assistants/site.md:2:9: tools[0] is "Take-Lead"; expected 1 to 40 of a-z _`,
		`bad-co/assistants/x.md: file's name without .md is "x"; expected 2 to 40 of a-z 0-9 -, starting with a letter, with no double hyphen`,
		`bad-co/assistants/x.md:2:8: model is "gpt-5"; expected provider/model with provider anthropic, openai or bedrock, or extract`,
		`bad-co/company.yaml:1:1: name is missing; expected name: value`,
		`bad-co/company.yaml:1:7: tier is "gold"; expected free, standard, pro or enterprise`,
		`bad-co/company.yaml:2:1: unknown field "naem"; did you mean "name"?`,
		`worse-co: no company.yaml in this folder; expected one, or a name that begins with . or _`,
		`worse-co/knowledge/empty.md:1:1: article is empty; expected text`,
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), err.Error()); diff != "" {
		t.Error(diff)
	}
	if m, ok := errors.AsType[*company.Mistake](err); !ok || m.File != "bad-co/assistants/site.md" || m.Line != 1 || m.Column != 1 {
		t.Errorf("first mistake is %+v", m)
	}
}

func TestTheTreesOwnErrorIsKept(t *testing.T) {
	t.Parallel()
	_, err := company.Load(brokenFS{})
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want the tree's own error", err)
	}
}

type brokenFS struct{}

func (brokenFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

// A file that the disk does not give up is a mistake like any other, so that the
// others are still named.
func TestUnreadableFilesAreNamed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"acme":                     "acme: cannot be read: open acme: permission denied",
		"acme/knowledge":           "acme/knowledge: cannot be read: open acme/knowledge: permission denied",
		"acme/knowledge/prices.md": "acme/knowledge/prices.md: cannot be read: open acme/knowledge/prices.md: permission denied",
	} {
		if diff := cmp.Diff(want, refusal(t, closedFS{acme("", ""), name})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// closedFS is a tree of which one path cannot be opened.
type closedFS struct {
	fs.FS
	path string
}

func (c closedFS) Open(name string) (fs.File, error) {
	if name == c.path {
		return brokenFS{}.Open(name)
	}
	return c.FS.Open(name)
}

func TestAssistantLookup(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, tree(map[string]string{
		"acme/company.yaml": "name: Acme\n", "acme/assistants/a-b.md": "B.", "acme/assistants/aa.md": "A.",
	}))[0]
	for _, id := range []string{"a-b", "aa"} {
		if a, ok := c.Assistant(id); !ok || a.ID != id {
			t.Errorf("Assistant(%q) = %q, %v", id, a.ID, ok)
		}
	}
	if a, ok := c.Assistant("a"); ok {
		t.Errorf("Assistant(a) = %q, want none", a.ID)
	}
}
