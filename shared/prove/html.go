package prove

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"strings"
)

// style is the page's one style sheet.
const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{margin-top:2rem;font-size:1.2rem}
.verdict{border-left:.5rem solid #9a6700;padding:.6rem 1rem;background:#fff8e6;font-size:1.2rem}
.passed{border-color:#1a7f37;background:#eefbf1}.failed{border-color:#b42318;background:#fdeeec}
table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{border-bottom:1px solid #d0d7de;padding:.35rem .5rem;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}tr.failed td{background:#fdeeec}tr.notproven td{background:#fff8e6}
code,pre{font:13px/1.45 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}pre{background:#f6f8fa;padding:.7rem}
.small{color:#57606a;font-size:.9rem}
@media print{body{margin:0}}`

// writer writes HTML. Text reaches it through text alone, which escapes; raw takes
// constants. (html/template calls methods by name, with which the linker keeps every
// exported method of every package: the binary grew from 48 MB to 90.)
type writer struct{ b strings.Builder }

// markup is HTML of this file's own; only constants are.
type markup string

func (w *writer) raw(m markup) { w.b.WriteString(string(m)) }

// text writes values as text.
func (w *writer) text(format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\x00", "\ufffd")
	w.b.WriteString(html.EscapeString(strings.ToValidUTF8(text, "\ufffd")))
}

// in writes a value as text between two pieces of markup.
func (w *writer) in(before markup, value any, after markup) {
	w.raw(before)
	w.text("%v", value)
	w.raw(after)
}

// cells writes a row of a table.
func (w *writer) cells(values ...any) {
	w.raw("<tr>")
	for _, v := range values {
		if n, ok := v.(int); ok {
			w.in(`<td class="n">`, n, "</td>")
		} else {
			w.in("<td>", v, "</td>")
		}
	}
	w.raw("</tr>\n")
}

// csp allows the one style sheet and nothing else.
func csp() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// HTML returns the report as one page for people: no script, nothing from elsewhere. It
// is made of the signed file, which has the proof; the page names its digest.
func HTML(s *Signed) []byte {
	w, r := &writer{}, s.Report
	w.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	w.in(`<meta http-equiv="Content-Security-Policy" content="`, csp(), "\">\n")
	w.raw("<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
	w.in("<title>Isolation of ", r.Project, "</title>\n<style>")
	w.raw(style) // whose digest the policy has
	w.raw("</style>\n</head>\n<body>\n")
	w.head(r)
	w.attacks(r)
	w.rest(r)
	w.signature(s)
	w.raw("</body>\n</html>\n")
	return []byte(w.b.String())
}

// head is the verdict and what was done.
func (w *writer) head(r *Report) {
	w.in("<h1>Is ", r.Project, " kept apart from other companies?</h1>\n")
	w.in(`<p class="small">Tested on `, r.Started.UTC().Format("2 January 2006 at 15:04 UTC"), " at ")
	w.in("<code>", r.Server, "</code>")
	w.text(", in %.0f seconds.", r.Seconds)
	w.raw("</p>\n")
	switch r.Verdict {
	case passed:
		w.raw(`<p class="verdict passed">`)
	case failed:
		w.raw(`<p class="verdict failed">`)
	default:
		w.raw(`<p class="verdict">`)
	}
	w.in("<strong>", r.Verdict, "</strong>: ")
	w.text("%s", r.Sentence())
	w.raw("</p>\n<ul>")
	for _, why := range r.Why {
		w.in("<li>", why, "</li>\n")
	}
	w.raw("</ul>\n<h2>What was done</h2>\n<p>")
	w.text("A second company, a canary, was made beside %s, and its data filled with random words that occur nowhere else. "+
		"The two then attacked each other %d times in the ways of the table: with keys, visitors' tokens and nothing at all, at every route of the server. "+
		"Every byte that came back was searched for %d such words, in plain and in disguise. An attack counts as repelled only where the same request was served to who may make it; that was seen %d times.",
		r.Project, r.Attempts, r.Words, r.Controls)
	w.raw("</p>\n")
}

// attacks is the table of classes, and a request of each that succeeded.
func (w *writer) attacks(r *Report) {
	w.raw("<h2>The attacks</h2>\n<table>\n<tr><th>Class</th><th>What was tried</th><th>Attacks</th><th>on the company</th><th>by the company</th><th>Controls</th><th>Succeeded</th><th>Result</th></tr>\n")
	for _, row := range r.Rows {
		switch row.Verdict {
		case failed:
			w.raw(`<tr class="failed">`)
		case notProven:
			w.raw(`<tr class="notproven">`)
		default:
			w.raw("<tr>")
		}
		w.in(`<td class="n">`, row.Class, "</td>")
		w.in("<td>", row.Name, "</td>")
		for _, n := range []int{row.Attempts, row.OnCompany, row.ByCompany, row.Controls, row.Failures} {
			w.in(`<td class="n">`, n, "</td>")
		}
		w.in("<td><strong>", row.Verdict, "</strong>")
		for _, why := range row.Reasons {
			w.in(`<br><span class="small">`, why, "</span>")
		}
		w.raw("</td></tr>\n")
	}
	w.raw("</table>\n")
	for _, row := range r.Rows {
		if row.Sample != nil {
			w.sample(row.Class, row.Sample)
		}
	}
}

func (w *writer) sample(class int, s *Sample) {
	w.in("<h2>An attack that succeeded (class ", class, ")</h2>\n<p>")
	w.text("%s: %s. The answer had the status %d; it is not shown, since it may have somebody's data.", s.Who, s.Wrong, s.Status)
	w.raw("</p>\n<pre>")
	w.text("%s %s\n%s\n\n%s", s.Method, s.Target, strings.Join(s.Headers, "\n"), s.Body)
	w.raw("</pre>\n")
}

// rest is what was not tested, what is left, and particulars.
func (w *writer) rest(r *Report) {
	w.raw("<h2>What was not tested</h2>\n<table><tr><th>What</th><th>Why</th></tr>\n")
	for _, u := range r.NotTested {
		w.cells(u.What, u.Why)
	}
	w.raw("</table>\n<h2>What it left behind</h2>\n<ul>")
	for _, left := range r.Left {
		w.in("<li>", left, "</li>\n")
	}
	w.raw("</ul>\n<table><tr><th>Cleaned up</th><th>Done</th><th></th></tr>\n")
	for _, c := range r.Cleanup {
		w.cells(c.What, yes(c.Done), c.Note)
	}
	w.raw("</table>\n<h2>Particulars</h2>\n<table><tr><th>Route</th><th>Served to who may</th><th></th></tr>\n")
	for _, c := range r.Routes {
		w.cells(c.Route, yes(c.Control), c.Note)
	}
	w.raw("</table>\n<p class=\"small\">")
	w.text("Attackers: %s. Program %s; %d requests, %d pauses that the server asked for; %d turns of the company's assistant; seed %d; canary %s.",
		strings.Join(r.Identities, ", "), r.Version, r.Requests, r.Pauses, r.Turns, r.Seed, r.Canary)
	w.raw("</p>\n")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (w *writer) signature(s *Signed) {
	w.raw("<h2>Signature</h2>\n<p>The proof is the file <code>report.json</code> beside this page: <code>switchboard prove verify report.json</code> tells " +
		"whether it is as it was signed. This page was made of the report whose SHA-256, in canonical form, is</p>\n")
	w.in("<pre>", s.SHA256, "</pre>\n<p>signed with the Ed25519 key</p>\n")
	w.in("<pre>", s.PublicKey, "</pre>\n<p>Ask the operator, by another way than this file, whether that key is theirs.</p>\n")
}

// Sentence is the verdict in words.
func (r *Report) Sentence() string {
	switch {
	case r.Verdict == failed:
		return "Isolation is broken. At least one attack got what it must not get."
	case r.Verdict != passed:
		return "No attack succeeded, but not everything that a proof needs could be done."
	case r.ReadOnly:
		return "Every attack that was made failed. Nothing was said in the company, so not all could be made."
	}
	return "Every attack failed."
}
