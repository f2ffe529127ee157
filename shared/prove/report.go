package prove

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Report is what a run found, in the order in which it is written and signed.
type Report struct {
	Format   string    `json:"format"` // reportFormat
	Verdict  string    `json:"verdict"`
	Why      []string  `json:"why"` // it is no better than that
	Project  string    `json:"project"`
	Server   string    `json:"server"`
	Version  string    `json:"version"` // of the program that attacked
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Seed     uint64    `json:"seed,string"` // in canonical JSON a number has 53 bits
	ReadOnly bool      `json:"read_only"`
	Canary   string    `json:"canary"`

	Attempts  int `json:"attempts"`
	Controls  int `json:"controls"`
	Failures  int `json:"failures"`
	NotProven int `json:"not_proven"`
	Requests  int `json:"requests"`
	Pauses    int `json:"pauses"` // that the server asked for
	Turns     int `json:"turns"`  // that the project's own assistant was asked for
	Words     int `json:"words"`  // that every answer was searched for

	Rows       []Row      `json:"rows"`
	Routes     []Covered  `json:"routes"`
	Identities []string   `json:"identities"`
	NotTested  []Untested `json:"not_tested"`
	Left       []string   `json:"left_in_the_project"`
	Cleanup    []Cleanup  `json:"cleanup"`
}

const reportFormat = "switchboard prove 1"

// Covered is a route of the server.
type Covered struct {
	Route   string `json:"route"`
	Control bool   `json:"control"` // somebody was served there
	Note    string `json:"note,omitempty"`
}

// Untested is what a run says nothing about, and why.
type Untested struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Proven reports whether every row passed, every control held and all was cleaned up.
func (r *Report) Proven() bool { return r != nil && r.Verdict == passed }

func (m *matrix) report(began time.Time, cleaned []Cleanup, err error) *Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &Report{
		Format: reportFormat, Project: m.plan.Project, Server: m.wire.base.String(), Version: m.plan.Version, Started: began.UTC().Truncate(time.Second),
		Seconds: float64(time.Since(began).Milliseconds()) / 1000, Seed: m.plan.Seed, ReadOnly: m.plan.ReadOnly, Canary: m.canary.project,
		Turns: m.turns, Words: len(m.words), Why: []string{}, Cleanup: cleaned, Routes: m.covered(), Identities: []string{}, Left: m.left(),
	}
	r.Requests, r.Pauses = m.wire.counts()
	for _, i := range m.who {
		r.Identities = append(r.Identities, i.name)
	}
	r.rows(m)
	r.NotTested = untried()
	for _, text := range m.notes {
		r.NotTested = append(r.NotTested, Untested{"in this run", text})
	}
	if m.untried > 0 {
		r.NotTested = append(r.NotTested, Untested{"in this run", fmt.Sprintf("%d further variants of these attacks, nearly all of them at the operator's routes and the public pages, where one of each kind was made (--attempts 0 makes all)", m.untried)})
	}
	if m.spared > 0 {
		r.NotTested = append(r.NotTested, Untested{"in this run", fmt.Sprintf("%d attempts as the company were not made, for each would have taken a turn of its assistant (--turns)", m.spared)})
	}
	r.NotTested = append(r.NotTested, Untested{"routes that this program does not know", "the routes are those of the program that attacked; a server of another version may have others"})
	r.judge(m, err)
	return r
}

// rows adds every class's, also of those that made no attempt.
func (r *Report) rows(m *matrix) {
	numbers := []int{24}
	for _, c := range classes() {
		numbers = append(numbers, c.number)
	}
	slices.SortFunc(numbers, func(a, b int) int { return cmp.Compare(a, b) })
	for _, n := range numbers {
		row := *m.row(n)
		row.Verdict = row.verdict()
		r.Attempts, r.Controls, r.Failures, r.NotProven = r.Attempts+row.Attempts, r.Controls+row.Controls, r.Failures+row.Failures, r.NotProven+row.NotProven
		r.Rows = append(r.Rows, row)
	}
}

// judge gives the verdict: the worst of what there is.
func (r *Report) judge(m *matrix, err error) {
	worse := func(verdict, format string, args ...any) {
		if r.Why = append(r.Why, m.secrets.redact(fmt.Sprintf(format, args...))); r.Verdict != failed {
			r.Verdict = verdict
		}
	}
	r.Verdict = passed
	switch {
	case errors.Is(err, context.Canceled):
		worse(notProven, "the run was given up before its end")
	case errors.Is(err, context.DeadlineExceeded):
		worse(notProven, "the run did not end in its time (--timeout)")
	case err != nil:
		worse(notProven, "the run ended early: %v", err)
	}
	for _, row := range r.Rows {
		switch {
		case row.Verdict == failed:
			worse(failed, "class %d (%s): %s", row.Class, row.Name, row.Sample.Wrong)
		case row.Verdict == notProven && len(row.Reasons) > 0:
			worse(notProven, "class %d (%s): %s", row.Class, row.Name, row.Reasons[0])
		case row.Verdict == notProven:
			worse(notProven, "class %d (%s): no control", row.Class, row.Name)
		case row.Verdict == notRun && err == nil && (!r.ReadOnly || len(m.plan.Classes) > 0):
			worse(notProven, "class %d (%s): nothing could be tried", row.Class, row.Name)
		}
	}
	for _, c := range r.Routes {
		if !c.Control && err == nil && !(r.ReadOnly && c.Note != "") {
			worse(notProven, "%s: %s", c.Route, cmp.Or(c.Note, "nobody was served there"))
		}
	}
	for _, c := range r.Cleanup {
		if !c.Done {
			worse(notProven, "not cleaned up: %s: %s", c.What, c.Note)
		}
	}
}

// covered are the routes, and who is known to be served by them. mu is held.
func (m *matrix) covered() (out []Covered) {
	for _, rt := range m.routes {
		c := Covered{Route: rt.Pattern, Control: m.allowed[place(rt, "")]}
		switch unknown := Unknown(*rt); {
		case unknown != "":
			c.Control, c.Note = false, "not attacked: this program does not know "+unknown
		case rt.Public && !c.Control:
			c.Control, c.Note = true, "not served here; it is for everybody where it is"
		}
		out = append(out, c)
	}
	return out
}

// left says what stays in the project for ever.
func (m *matrix) left() []string {
	out := []string{"its audit log has every request of the operator's: the keys that were made and revoked, the look at its definition"}
	for _, c := range m.talks {
		if c.of == m.proven {
			out = append(out, "conversation "+c.id+", of "+whose(c.of, c.visitor)+", whose text says that it is an isolation test")
		}
	}
	if m.turns > 0 {
		out = append(out, fmt.Sprintf("up to %d turns of its assistant, of a few words each, which are on its bill", m.turns))
	}
	return out
}
