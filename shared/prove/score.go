package prove

import (
	"fmt"
	"strings"
)

// Row is what became of the attempts of one class.
type Row struct {
	Class    int    `json:"class"`
	Name     string `json:"name"`
	Verdict  string `json:"verdict"` // passed | failed | not proven | not run
	Attempts int    `json:"attempts"`
	// Of the attempts: those of others on the proven company, those of the company on a
	// canary, and those of nobody's.
	OnCompany int `json:"on_the_company"`
	ByCompany int `json:"by_the_company"`
	Refused   int `json:"refused"`
	Served    int `json:"served_their_own"`
	Controls  int `json:"controls"`
	Failures  int `json:"failures"`
	NotProven int `json:"not_proven"`
	// Why, of the first that were not proven, and the first failure.
	Reasons []string `json:"reasons"`
	Sample  *Sample  `json:"sample,omitempty"`
}

// Sample is a request that should have been answered otherwise. Its credentials are
// taken out, and the answer, which may have somebody's data, is not in it.
type Sample struct {
	Who     string   `json:"who"`
	Wrong   string   `json:"wrong"`
	Method  string   `json:"method"`
	Target  string   `json:"target"`
	Headers []string `json:"headers"`
	Body    string   `json:"body"`
	Status  int      `json:"status"`
}

// The verdicts of rows and reports.
const (
	passed    = "passed"
	failed    = "failed"
	notProven = "not proven"
	notRun    = "not run"
)

func (r *Row) verdict() string {
	switch {
	case r.Failures > 0:
		return failed
	case r.Attempts == 0:
		return notRun
	case r.NotProven > 0 || r.Controls == 0:
		return notProven
	}
	return passed
}

// hollow counts attempts that prove nothing.
func (r *Row) hollow(n int, why string) {
	r.NotProven += n
	for _, had := range r.Reasons {
		if had == why {
			return
		}
	}
	if len(r.Reasons) < 5 {
		r.Reasons = append(r.Reasons, why)
	}
}

// row is the class's. mu is held.
func (m *matrix) row(class int) *Row {
	if m.score[class] == nil {
		m.score[class] = &Row{Class: class, Name: nameOf(class), Reasons: []string{}}
	}
	return m.score[class]
}

// count keeps the score of an attempt.
func (m *matrix) count(class int, rt *Route, a *attempt, r answer, f fate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row := m.row(class)
	row.Attempts++
	switch {
	case a.who.of == m.proven:
		row.ByCompany++
	case a.who.of != nil:
		row.OnCompany++
	}
	if r.status >= 400 {
		row.Refused++
	} else if r.status > 0 {
		row.Served++
	}
	switch {
	case f.wrong != "":
		row.Failures++
		if row.Sample == nil {
			row.Sample = m.sample(a, r, f.wrong)
		}
	case f.hollow != "":
		row.hollow(1, m.secrets.redact(f.hollow))
	}
	// Who was served there before the attacks stands beside all that is refused there.
	if at := fmt.Sprint(class, " ", rt.Pattern); m.allowed[place(rt, "")] && !m.beheld[at] {
		m.beheld[at] = true
		row.Controls++
	}
}

// fail counts what was found before the attacks began.
func (m *matrix) fail(class int, rt *Route, a *attempt, r answer, wrong string) {
	m.count(class, rt, a, r, fate{wrong: wrong})
}

// sample is what is shown of a failure.
func (m *matrix) sample(a *attempt, r answer, wrong string) *Sample {
	pairs := a.header
	if !a.bare {
		pairs = append(append([]string{}, a.who.header...), pairs...)
	}
	if a.who.key != "" || a.key != nil {
		pairs = append([]string{"Authorization", ""}, pairs...)
	}
	return &Sample{
		Who: a.who.name, Wrong: wrong, Method: a.method, Target: m.short(a.target), Headers: m.secrets.headers(pairs), Body: m.short(a.body), Status: r.status,
	}
}

// short is a text without credentials, of a length that people read.
func (m *matrix) short(text string) string {
	const most = 600
	if text = strings.ToValidUTF8(m.secrets.redact(text), "\ufffd"); len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + fmt.Sprintf("... (%d bytes)", len(text))
	}
	return text
}
