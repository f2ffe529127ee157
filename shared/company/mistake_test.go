package company_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/company"
)

// refusal returns the mistakes of a tree, one a line; "" if it loads.
func refusal(t *testing.T, fsys fs.FS) string {
	t.Helper()
	got, err := company.Load(fsys)
	if err == nil {
		return ""
	}
	if got != nil {
		t.Error("companies beside an error")
	}
	return err.Error()
}

func memberList(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "- {email: person.%d@lenhart.example, role: viewer}\n", i)
	}
	return b.String()
}

// Each row is a manifest, what is refused of it, and a manifest beside it that
// is allowed, so that no rule refuses by accident.
func TestManifestMistakes(t *testing.T) {
	t.Parallel()
	const ok = "name: Acme\n"
	rows := []struct{ name, bad, want, good string }{
		{"empty file", "", `1:1: name is missing; expected name: value`, ok},
		{"only a comment", "# hello\n", `1:1: name is missing; expected name: value`, "# hello\n" + ok},
		{"no fields", "just text\n", `1:1: the file is text; expected fields, such as name: value`, "---\n" + ok},
		{"a list", "- name: Acme\n", `1:1: the file is a list; expected fields, such as name: value`, ok},
		{"syntax", "name: [a\n", `1:7: cannot be read: sequence end token ']' not found; expected YAML`, "name: \"[a\"\n"},
		{"colon", "name: Sparky: the best\n", `1:7: cannot be read: mapping value is not allowed in this context; expected quotes around a value with a colon in it, such as name: "Sparky: the best"`, "name: \"Sparky: the best\"\n"},
		{"tab", ok + "brand:\n\tcolor: red\n", "3:1: cannot be read: found character '\t' that cannot start any token; expected spaces instead of a tab", ok},
		{"name empty", "name: \"  \"\n", `1:7: name is empty; expected one line of text`, "name: \"Acme \"\n"},
		{"name null", "name:\n", `1:1: name has no value; expected text, or leave the field out`, "name: \"null\"\n"},
		{"name number", "name: 42\n", `1:7: name is a number; expected text, so put it in quotes`, "name: \"42\"\n"},
		{"name bool", "name: true\n", `1:7: name is true or false; expected text, so put it in quotes`, "name: \"true\"\n"},
		{"name list", "name: [a]\n", `1:7: name is a list; expected text`, "name: a [b]\n"},
		{"name lines", "name: |\n  a\n  b\n", `1:7: name is "a\nb\n"; expected one line of text without control characters`, "name: >-\n  a\n  b\n"},
		{"name long", "name: " + strings.Repeat("ä", 101) + "\n", `1:7: name has 101 characters; expected at most 100`, "name: " + strings.Repeat("ä", 100) + "\n"},
		{"unknown field far from all", ok + "zzz: 1\n", `2:1: unknown field "zzz"; expected name, kind, group, tier, origins, identity, locale, timezone, brand, budget, retention, memory, storage, webhooks or members`, ok},
		{"unknown field near one", ok + "orgins: []\n", `2:1: unknown field "orgins"; did you mean "origins"?`, ok + "origins: []\n"},
		{"unknown field by case", ok + "Tier: pro\n", `2:1: unknown field "Tier"; did you mean "tier"?`, ok + "tier: pro\n"},
		{"unknown inner field", ok + "brand:\n  colour: \"#fff000\"\n", `3:3: unknown field "brand.colour"; did you mean "color"?`, ok + "brand:\n  color: \"#fff000\"\n"},
		{"unknown field in a list", ok + "members: [{email: a@b.example, role: owner, rloe: x}]\n", `2:45: unknown field "members[0].rloe"; did you mean "role"?`, ok + "members: [{email: a@b.example, role: owner}]\n"},
		{"duplicate field", ok + "tier: pro\n\ntier: free\n", `4:1: duplicate field "tier"; it is on line 2 already`, ok + "tier: pro\n"},
		{"duplicate inner field", ok + "brand: {corner: left, \"corner\": right}\n", `2:23: duplicate field "brand.corner"; it is on line 2 already`, ok + "brand: {corner: left}\n"},
		{"complex key", ok + "? a\n: b\n", `2:1: a field's name is not plain text; expected name: value`, ok},
		{"kind", ok + "kind: firm\n", `2:7: kind is "firm"; expected company, client or personal`, ok + "kind: personal\n"},
		{"group", ok + "group: Len--hart\n", `2:8: group is "Len--hart"; expected 2 to 40 of a-z 0-9 -, starting with a letter, with no double hyphen`, ok + "group: len-hart\n"},
		{"tier null", ok + "tier: ~\n", `2:1: tier has no value; expected text, or leave the field out`, ok + "tier: free\n"},
		{"origins text", ok + "origins: https://a.example\n", `2:10: origins is text; expected a list of text, such as [a, b]`, ok + "origins: [https://a.example]\n"},
		{"origin path", ok + "origins: [\"https://a.example/\"]\n", `2:11: origins[0] is "https://a.example/"; expected no path, such as https://a.example`, ok + "origins: [\"https://a.example:8443\"]\n"},
		{"origin query", ok + "origins: [\"https://a.example?x\"]\n", `2:11: origins[0] is "https://a.example?x"; expected no path, such as https://a.example`, ok + "origins: [\"https://a.example\"]\n"},
		{"origin wildcard", ok + "origins: [\"https://*.a.example\"]\n", `2:11: origins[0] is "https://*.a.example"; expected an exact origin, without a wildcard`, ok + "origins: [\"https://w.a.example\"]\n"},
		{"origin alone star", ok + "origins: [\"*\"]\n", `2:11: origins[0] is "*"; expected an exact origin, without a wildcard`, ok + "origins: []\n"},
		{"origin http", ok + "origins:\n- http://a.example\n", `3:3: origins[0] is "http://a.example"; expected https; http is for localhost and 127.0.0.1 only`, ok + "origins:\n- http://localhost:5173\n- http://127.0.0.1\n"},
		{"origin like localhost", ok + "origins: [\"http://localhost.evil.example\"]\n", `2:11: origins[0] is "http://localhost.evil.example"; expected https; http is for localhost and 127.0.0.1 only`, ok + "origins: [\"http://localhost\"]\n"},
		{"origin without scheme", ok + "origins: [a.example]\n", `2:11: origins[0] is "a.example"; expected scheme://host or scheme://host:port, such as https://www.example.com`, ok + "origins: [https://a.example]\n"},
		{"origin null", ok + "origins: [\"null\"]\n", `2:11: origins[0] is "null"; expected scheme://host or scheme://host:port, such as https://www.example.com`, ok},
		{"origin user", ok + "origins: [\"https://a@b.example\"]\n", `2:11: origins[0] is "https://a@b.example"; expected scheme://host or scheme://host:port, such as https://www.example.com`, ok + "origins: [https://b.example]\n"},
		{"origin capitals", ok + "origins: [\"https://A.example\"]\n", `2:11: origins[0] is "https://A.example"; expected the host as a browser sends it: lower case, Punycode for other alphabets`, ok + "origins: [https://xn--bcher-kva.example]\n"},
		{"origin own port", ok + "origins: [\"https://a.example:443\"]\n", `2:11: origins[0] is "https://a.example:443"; expected a port from 1 to 65535, or none if it is the scheme's own`, ok + "origins: [\"http://localhost:443\"]\n"},
		{"origin no port", ok + "origins: [\"https://a.example:65536\"]\n", `2:11: origins[0] is "https://a.example:65536"; expected a port from 1 to 65535, or none if it is the scheme's own`, ok + "origins: [\"https://a.example:65535\"]\n"},
		{"origin twice", ok + "origins: [https://a.example, https://a.example]\n", `2:30: origins[1] is "https://a.example" again; expected each entry once`, ok + "origins: [https://a.example, https://b.example]\n"},
		{"locale", ok + "locale: en_US\n", `2:9: locale is "en_US"; expected a language tag, such as en-US`, ok + "locale: zh-Hant-TW\n"},
		{"timezone", ok + "timezone: America/Chicagoo\n", `2:11: timezone is "America/Chicagoo"; expected an IANA time zone, such as America/Chicago`, ok + "timezone: America/Chicago\n"},
		{"timezone of the machine", ok + "timezone: Local\n", `2:11: timezone is "Local"; expected an IANA time zone, such as America/Chicago`, ok + "timezone: Europe/Berlin\n"},
		{"timezone path", ok + "timezone: ../../etc/passwd\n", `2:11: timezone is "../../etc/passwd"; expected an IANA time zone, such as America/Chicago`, ok + "timezone: Etc/GMT+5\n"},
		{"color", ok + "brand: {color: blue}\n", `2:16: brand.color is "blue"; expected #rrggbb, such as #0b5fff`, ok + "brand: {color: \"#00FF00\"}\n"},
		{"logo outside", ok + "brand: {logo: ../x.svg}\n", `2:15: brand.logo is "../x.svg"; expected the path of an image in this folder, such as logo.svg`, ok + "brand: {logo: art/x.svg}\n"},
		{"corner", ok + "brand: {corner: top}\n", `2:17: brand.corner is "top"; expected left or right`, ok + "brand: {corner: left}\n"},
		{"brand text", ok + "brand: blue\n", `2:8: brand is text; expected fields, such as name: value`, ok + "brand: {}\n"},
		{"budget zero", ok + "budget: {monthly_usd: 0}\n", `2:23: budget.monthly_usd is 0; expected a number from 0.01 to 1000000`, ok + "budget: {monthly_usd: 0.01}\n"},
		{"budget text", ok + "budget: {monthly_usd: \"200\"}\n", `2:23: budget.monthly_usd is "200"; expected a number from 0.01 to 1000000`, ok + "budget: {monthly_usd: 200}\n"},
		{"budget hex", ok + "budget: {monthly_usd: 0x10}\n", `2:23: budget.monthly_usd is 0x10; expected a number from 0.01 to 1000000`, ok + "budget: {monthly_usd: 16.5}\n"},
		{"budget infinite", ok + "budget: {monthly_usd: .inf}\n", `2:23: budget.monthly_usd is .inf; expected a number from 0.01 to 1000000`, ok + "budget: {monthly_usd: 1000000}\n"},
		{"alerts range", ok + "budget: {alerts: [50, 101]}\n", `2:23: budget.alerts[1] is 101; expected a whole number from 1 to 100`, ok + "budget: {alerts: [1, 100]}\n"},
		{"alerts order", ok + "budget: {alerts: [80, 50]}\n", `2:23: budget.alerts[1] is 50 after 80; expected ascending numbers`, ok + "budget: {alerts: []}\n"},
		{"alerts fraction", ok + "budget: {alerts: [12.5]}\n", `2:19: budget.alerts[0] is 12.5; expected a whole number from 1 to 100`, ok + "budget: {alerts: [12]}\n"},
		{"retention", ok + "retention: {conversations_days: 0}\n", `2:33: retention.conversations_days is 0; expected a whole number from 1 to 3653`, ok + "retention: {conversations_days: 1}\n"},
		{"octal", ok + "retention: {audit_days: 0365}\n", `2:25: retention.audit_days is 0365; expected a whole number from 1 to 3653`, ok + "retention: {audit_days: 365}\n"},
		{"memory yes", ok + "memory: {visitors: yes}\n", `2:20: memory.visitors is "yes"; expected true or false`, ok + "memory: {visitors: true}\n"},
		{"memory quoted", ok + "memory: {visitors: \"true\"}\n", `2:20: memory.visitors is "true"; expected true or false`, ok + "memory: {visitors: false}\n"},
		{"storage mode", ok + "storage: {mode: own, table: abc}\n", `2:17: storage.mode is "own"; expected pool or silo`, ok + "storage: {mode: silo, table: abc}\n"},
		{"storage pooled", ok + "storage:\n  mode: pool\n  table: mine\n", `4:3: storage.table is given with mode pool; expected mode: silo`, ok + "storage:\n  mode: silo\n  table: mine\n"},
		{"storage pooled unsaid", ok + "storage: {model_keys: {openai: KEY_A}}\n", `2:11: storage.model_keys is given with mode pool; expected mode: silo`, ok + "storage: {mode: silo, model_keys: {openai: KEY_A}}\n"},
		{"storage role", ok + "storage: {mode: silo, role_arn: arn:aws:iam::1:role/x}\n", `2:33: storage.role_arn is "arn:aws:iam::1:role/x"; expected the ARN of an IAM role`, ok + "storage: {mode: silo, role_arn: arn:aws:iam::123456789012:role/x}\n"},
		{"storage key", ok + "storage: {mode: silo, kms_key: abc}\n", `2:32: storage.kms_key is "abc"; expected the ARN, alias or id of a KMS key`, ok + "storage: {mode: silo, kms_key: 01234567-89ab-cdef-0123-456789abcdef}\n"},
		{"storage redis password", ok + "storage: {mode: silo, redis: \"rediss://:hunter2@r.example:6379\"}\n", `2:30: storage.redis is not allowed; expected the name of a secret, or an address of scheme rediss or redis without user or password`, ok + "storage: {mode: silo, redis: \"rediss://r.example:6379\"}\n"},
		{"storage bucket", ok + "storage: {mode: silo, bucket: My_Bucket}\n", `2:31: storage.bucket is "My_Bucket"; expected the name of an S3 bucket`, ok + "storage: {mode: silo, bucket: my-bucket}\n"},
		{"model key itself", ok + "storage: {mode: silo, model_keys: {openai: sk-live-hunter2}}\n", `2:44: storage.model_keys.openai is not the name of a secret; expected capitals, digits and _, such as WEBHOOK_SECRET, and never the secret itself`, ok + "storage: {mode: silo, model_keys: {openai: OPENAI_KEY}}\n"},
		{"model key of nobody", ok + "storage: {mode: silo, model_keys: {opnai: A_KEY}}\n", `2:36: unknown field "storage.model_keys.opnai"; did you mean "openai"?`, ok + "storage: {mode: silo, model_keys: {bedrock: A_KEY}}\n"},
		{"webhook incomplete", ok + "webhooks:\n- url: https://h.example\n  events: [lead]\n", `3:3: webhooks[0].secret is missing; expected secret: value`, ok + "webhooks:\n- url: https://h.example\n  events: [lead]\n  secret: HOOK\n"},
		{"webhook http", ok + "webhooks: [{url: \"http://h.example\", events: [lead], secret: HOOK}]\n", `2:18: webhooks[0].url is "http://h.example"; expected an address that begins with https://, without user or password`, ok + "webhooks: [{url: \"http://localhost:9000/x\", events: [lead], secret: HOOK}]\n"},
		{"webhook event", ok + "webhooks: [{url: \"https://h.example\", events: [leads], secret: HOOK}]\n", `2:48: webhooks[0].events[0] is "leads"; expected lead, appointment, handoff, feedback, budget or error`, ok + "webhooks: [{url: \"https://h.example\", events: [lead, appointment, handoff, feedback, budget, error], secret: HOOK}]\n"},
		{"webhook no event", ok + "webhooks: [{url: \"https://h.example\", events: [], secret: HOOK}]\n", `2:47: webhooks[0].events is empty; expected at least one entry`, ok + "webhooks: []\n"},
		{"member email", ok + "members: [{email: \"Ann <a@b.example>\", role: owner}]\n", `2:19: members[0].email is "Ann <a@b.example>"; expected an address, such as jo@example.com`, ok + "members: [{email: \"a+b@b.example\", role: owner}]\n"},
		{"member role", ok + "members: [{email: a@b.example, role: root}]\n", `2:38: members[0].role is "root"; expected owner, admin, editor or viewer`, ok + "members: [{email: a@b.example, role: viewer}]\n"},
		{"member twice", ok + "members: [{email: a@b.example, role: owner}, {email: A@b.example, role: viewer}]\n", `2:46: members[1].email is "A@b.example" again; expected each member once`, ok + "members: [{email: a@b.example, role: owner}, {email: c@b.example, role: viewer}]\n"},
		{"member text", ok + "members: [ann]\n", `2:11: members[0] is text; expected fields, such as name: value`, ok + "members: []\n"},
		{"two documents", ok + "---\nname: B\n", `2:1: second document; expected one document per file`, "---\n" + ok},
		{"document end", ok + "...\n", `2:1: document end marker; expected one document without it`, ok},
		{"directive", "%YAML 1.2\n---\n" + ok, "1:1: directives are not allowed; expected fields", "# a comment\n---\n" + ok},
		{"anchor", "name: &a Acme\n", `1:7: anchors, aliases and merge keys are not allowed; expected the value itself`, "name: \"&a Acme\"\n"},
		{"tag", "name: !!str Acme\n", `1:7: tag "!!str" is not allowed; expected a plain value`, "name: \"!!str Acme\"\n"},
		{"brackets", ok + "origins: " + strings.Repeat("[", 7_000) + "\n", `2:25: nested more than 16 deep; expected at most 16 levels`, ok},
		{"dashes", ok + "origins:\n  " + strings.Repeat("- ", 7_000) + "\n", `3:33: nested more than 16 deep; expected at most 16 levels`, ok},
		{"question marks", strings.Repeat("? ", 7_000) + "\n", `1:33: nested more than 16 deep; expected at most 16 levels`, ok},
		{"many brackets", ok + "origins: " + strings.Repeat("[", 60_000) + "\n", `2:8005: more than 8000 names, values and marks; expected fewer`, ok + "members:\n" + memberList(500)},
		{"many members", ok + "members:\n" + memberList(501), `503:3: members has 501 entries; expected at most 500`, ok + "members:\n" + memberList(500)},
		{"too large", ok + "#" + strings.Repeat("x", 64<<10) + "\n", ` is too large; expected at most 64 KiB`, ok + "#" + strings.Repeat("x", 63<<10) + "\n"},
		{"control character", "name: a\x00b\n", `1:8: control character U+0000; expected text`, "name: a\tb\n# a\n"},
		{"escaped control character", "name: \"a\\0b\"\n", `1:7: name is "a\x00b"; expected one line of text without control characters`, "name: \"a b\"\n"},
		{"not UTF-8", "name: Ä\n#\xff\n", `2:2: byte 0xff is not valid UTF-8; expected the file to be saved as UTF-8`, "name: Ä\n#\ufffd\n"},
		{"columns are characters", "name: Ä # ö\nbrand: {logo: ö.svg, corner: ä}\n", `2:30: brand.corner is "ä"; expected left or right`, ok + "brand: {logo: ö.svg}\n"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff("acme/company.yaml:"+row.want, refusal(t, acme("acme/company.yaml", row.bad))); diff != "" {
				t.Errorf("refused:\n%s", diff)
			}
			if got := refusal(t, acme("acme/company.yaml", row.good)); got != "" {
				t.Errorf("the control is refused: %s", got)
			}
		})
	}
}

func TestAssistantMistakes(t *testing.T) {
	t.Parallel()
	const body = "---\nAnswer.\n"
	rows := []struct{ name, bad, want, good string }{
		{"no instructions", "---\nname: X\n---\n\n", `1:1: instructions are empty; expected them after the front matter`, "---\nname: X\n" + body},
		{"empty file", "", `1:1: instructions are empty; expected them after the front matter`, "Answer.\n"},
		{"not closed", "---\nname: X\nAnswer.\n", `1:1: front matter does not end; expected a second line "---"`, "---\n" + body},
		{"late fence", "\n---\nname: X\n" + body, `1:1: front matter does not begin on the first line; expected nothing before "---"`, "Answer.\n\n---\n\nMore.\n"},
		{"late fence after front matter", "---\nname: X\nmodle: extract\n---\n\n---\nAnswer.\n", `3:1: unknown field "modle"; did you mean "model"?`, "---\nname: X\n---\n\n---\nAnswer.\n"},
		{"text as fields", "---\nYou answer.\n" + body, `2:1: the file is text; expected fields, such as name: value`, "---\n# You answer.\n" + body},
		{"line numbers are the file's", "---\n\nname: X\n\ntier: pro\n" + body, `5:1: unknown field "tier"; expected name, model, fallback, max_output_tokens, temperature, tools, memory, greeting, suggestions or guardrails`, "---\n\nname: X\n" + body},
		{"syntax", "---\nname: X\ntools: [a\n" + body, `3:8: cannot be read: sequence end token ']' not found; expected YAML`, "---\ntools: [a]\n" + body},
		{"after a byte order mark", "\ufeff---\r\nname: X\r\nmodel: X\r\n---\r\nAnswer.\r\n", `3:8: model is "X"; expected provider/model with provider anthropic, openai or bedrock, or extract`, "\ufeff---\r\nname: X\r\n---\r\nAnswer.\r\n"},
		{"model without name", "---\nmodel: openai/\n" + body, `2:8: model is "openai/"; expected provider/model with provider anthropic, openai or bedrock, or extract`, "---\nmodel: openai/meta-llama/Llama-3.3\n" + body},
		{"fallback", "---\nfallback:\n- extract\n- cohere/x\n" + body, `4:3: fallback[1] is "cohere/x"; expected provider/model with provider anthropic, openai or bedrock, or extract`, "---\nfallback: [extract]\n" + body},
		{"no tokens", "---\nmax_output_tokens: 0\n" + body, `2:20: max_output_tokens is 0; expected a whole number from 1 to 32000`, "---\nmax_output_tokens: 1\n" + body},
		{"many tokens", "---\nmax_output_tokens: 32001\n" + body, `2:20: max_output_tokens is 32001; expected a whole number from 1 to 32000`, "---\nmax_output_tokens: 32000\n" + body},
		{"tokens of no number", "---\nmax_output_tokens: [800]\n" + body, `2:20: max_output_tokens is a list; expected a whole number from 1 to 32000`, "---\nmax_output_tokens: 800\n" + body},
		{"long field", "---\n" + strings.Repeat("x", 70) + ": 1\n" + body, `2:1: unknown field "` + strings.Repeat("x", 60) + `…"; expected name, model, fallback, max_output_tokens, temperature, tools, memory, greeting, suggestions or guardrails`, "---\n" + body},
		{"tokens of no size", "---\nmax_output_tokens: 99999999999999999999\n" + body, `2:20: max_output_tokens is "99999999999999999999"; expected a whole number from 1 to 32000`, "---\nmax_output_tokens: 800\n" + body},
		{"temperature", "---\ntemperature: -0.1\n" + body, `2:14: temperature is -0.1; expected a number from 0 to 2`, "---\ntemperature: 0\n" + body},
		{"tool twice", "---\ntools: [handoff, handoff]\n" + body, `2:18: tools[1] is "handoff" again; expected each entry once`, "---\ntools: [handoff]\n" + body},
		{"memory", "---\nmemory: {recal: true}\n" + body, `2:10: unknown field "memory.recal"; did you mean "recall"?`, "---\nmemory: {recall: false}\n" + body},
		{"suggestions", "---\nsuggestions: [a, b, c, d, e, f, g]\n" + body, `2:33: suggestions has 7 entries; expected at most 6`, "---\nsuggestions: [a, b, c, d, e, f]\n" + body},
		{"guardrails", "---\nguardrails: {only_from_knowledge: on}\n" + body, `2:35: guardrails.only_from_knowledge is "on"; expected true or false`, "---\nguardrails: {only_from_knowledge: true}\n" + body},
		{"an entry of nothing", "---\nsuggestions:\n- a\n-\n" + body, `4:3: suggestions[1] is nothing; expected text`, "---\nsuggestions:\n- a\n" + body},
		{"control character in the text", "---\nname: X\n---\nA\x1bB\n", `4:2: control character U+001B; expected text`, "---\nname: X\n---\nA\tB\n"},
		{"too large", strings.Repeat("x", 256<<10+1), `: is too large; expected at most 256 KiB`, strings.Repeat("x", 256<<10)},
		{"too much front matter", "---\n#" + strings.Repeat("x", 64<<10) + "\n" + body, `1:1: fields are too large; expected at most 64 KiB`, "---\n#" + strings.Repeat("x", 63<<10) + "\n" + body},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			const file = "acme/assistants/site.md"
			want := file + ":" + strings.TrimPrefix(row.want, ":")
			if diff := cmp.Diff(want, refusal(t, acme(file, row.bad))); diff != "" {
				t.Errorf("refused:\n%s", diff)
			}
			if got := refusal(t, acme(file, row.good)); got != "" {
				t.Errorf("the control is refused: %s", got)
			}
		})
	}
}

func TestArticleMistakes(t *testing.T) {
	t.Parallel()
	rows := []struct{ name, bad, want, good string }{
		{"empty", "---\ntitle: X\n---\n \n", `1:1: article is empty; expected text`, "x"},
		{"unknown field", "---\ntitel: X\n---\nText.\n", `2:1: unknown field "titel"; did you mean "title"?`, "---\ntitle: X\n---\nText.\n"},
		{"url", "---\nurl: javascript:alert(1)\n---\nText.\n", `2:6: url is "javascript:alert(1)"; expected an address that begins with https:// or http://`, "---\nurl: https://a.example/x?y=1#z\n---\nText.\n"},
		{"tags", "---\ntags: one, two\n---\nText.\n", `2:7: tags is text; expected a list of text, such as [a, b]`, "---\ntags: [one, two]\n---\nText.\n"},
		{"rule on top", "---\n\nText.\n", `1:1: front matter does not end; expected a second line "---"`, "***\n\nText.\n"},
		{"too large", strings.Repeat("x", 256<<10+1), ` is too large; expected at most 256 KiB`, strings.Repeat("x", 256<<10)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			const file = "acme/knowledge/faq.md"
			if diff := cmp.Diff(file+":"+row.want, refusal(t, acme(file, row.bad))); diff != "" {
				t.Errorf("refused:\n%s", diff)
			}
			if got := refusal(t, acme(file, row.good)); got != "" {
				t.Errorf("the control is refused: %s", got)
			}
		})
	}
}

func TestLayoutMistakes(t *testing.T) {
	t.Parallel()
	const ok = "name: Acme\n"
	link := &fstest.MapFile{Data: []byte("company.yaml"), Mode: fs.ModeSymlink | 0o777}
	rows := []struct {
		name string
		path string
		file *fstest.MapFile
		want string
	}{
		{"folder's name", "Acme_2/company.yaml", &fstest.MapFile{Data: []byte(ok)}, `Acme_2: folder's name is not a project id; expected 3 to 40 of a-z 0-9 -, starting with a letter, with no double hyphen and none at the end`},
		{"no manifest", "notes/x.txt", &fstest.MapFile{}, `notes: no company.yaml in this folder; expected one, or a name that begins with . or _`},
		{"manifest is a folder", "notes/company.yaml/x", &fstest.MapFile{}, `notes/company.yaml: is not a plain file; expected one`},
		{"misspelled folder", "acme/assistant/x.md", &fstest.MapFile{}, `acme/assistant: is not read; did you mean "assistants"?`},
		{"misspelled manifest", "acme/company.yml", &fstest.MapFile{}, `acme/company.yml: is not read; did you mean "company.yaml"?`},
		{"assistants is a file", "other/assistants", &fstest.MapFile{}, "other: no company.yaml in this folder; expected one, or a name that begins with . or _\nother/assistants: is not a folder; expected a folder of .md files"},
		{"article of another type", "acme/knowledge/prices.pdf", &fstest.MapFile{}, `acme/knowledge/prices.pdf: is not read; expected only plain files that end in .md`},
		{"article in a folder", "acme/knowledge/more/x.md", &fstest.MapFile{}, `acme/knowledge/more: is not read; expected only plain files that end in .md`},
		{"article's name", "acme/knowledge/a b.md", &fstest.MapFile{Data: []byte("x")}, `acme/knowledge/a b.md: file's name without .md is "a b"; expected 1 to 100 of letters, digits and - _ ., starting with a letter or digit`},
		{"article without a name", "acme/knowledge/-.md", &fstest.MapFile{Data: []byte("x")}, `acme/knowledge/-.md: file's name without .md is "-"; expected 1 to 100 of letters, digits and - _ ., starting with a letter or digit`},
		{"linked folder", "linked", link, `linked: is a link or device; expected a folder`},
		{"linked article", "acme/knowledge/x.md", link, `acme/knowledge/x.md: is not read; expected only plain files that end in .md`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{"acme/company.yaml": {Data: []byte(ok)}, row.path: row.file}
			if diff := cmp.Diff(row.want, refusal(t, fsys)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A secret that somebody pasted must not travel on in a build log.
func TestMistakesDoNotRepeatSecrets(t *testing.T) {
	t.Parallel()
	got := refusal(t, acme("acme/company.yaml", `name: Acme
storage: {mode: silo, redis: "redis://u:hunter2@r.example", pinecone: pcsk_hunter2, model_keys: {openai: sk-hunter2}}
webhooks: [{url: "https://h.example", events: [lead], secret: hunter2}]
`))
	if strings.Contains(got, "hunter2") || strings.Count(got, "\n") != 3 {
		t.Errorf("want four mistakes without the secret, got:\n%s", got)
	}
}

// On a disk, a link out of the tree is neither followed nor overlooked.
func TestLinkOnDiskIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "company.yaml")
	folder := filepath.Join(dir, "acme")
	if err := errorsOf(os.WriteFile(outside, []byte("name: Acme\n"), 0o600), os.Mkdir(folder, 0o700),
		os.Symlink(outside, filepath.Join(folder, "company.yaml"))); err != nil {
		t.Skipf("no links here: %v", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	const want = "acme/company.yaml: is not a plain file; expected one"
	for name, fsys := range map[string]fs.FS{"os.Root": root.FS(), "os.DirFS": os.DirFS(dir)} {
		if diff := cmp.Diff(want, refusal(t, fsys)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
