package company

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Mistake is one thing that is wrong in one file. The error Load returns joins
// all of them in the order of File, Line and Column.
type Mistake struct {
	File         string // slash-separated, from the root that Load was given
	Line, Column int    // from 1, a column being a character; 0 = the file or folder as a whole
	Message      string // what was wrong; what was expected
}

// Error returns "file:line:column: message", which editors and terminals link.
func (m *Mistake) Error() string {
	if m.Line == 0 {
		return m.File + ": " + m.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Message)
}

// The ways in which a message about a field begins.
var (
	fieldForm   = regexp.MustCompile(`^([a-z_]+(?:\[\d+\])?(?:\.[a-z_]+(?:\[\d+\])?)*) (?:is|are|has|needs|does)\b`)
	strangeForm = regexp.MustCompile(`^(?:unknown|duplicate) field "([^"]+)"`)
)

// Field is the dotted path of the field that is wrong; "" where it is the file.
func (m *Mistake) Field() string {
	for _, form := range []*regexp.Regexp{fieldForm, strangeForm} {
		if f := form.FindStringSubmatch(m.Message); f != nil && m.Line > 0 {
			return f[1]
		}
	}
	return ""
}

// place is a position in a file; the zero place is the file as a whole.
type place struct{ line, column int }

// report gathers the mistakes of all folders, so that a person mends them in one
// go and not one at each attempt.
type report struct{ mistakes []*Mistake }

func (r *report) add(file string, at place, format string, args ...any) {
	r.mistakes = append(r.mistakes, &Mistake{file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// err returns nil if there was no mistake, else all of them.
func (r *report) err() error {
	slices.SortFunc(r.mistakes, func(a, b *Mistake) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	errs := make([]error, len(r.mistakes))
	for i, m := range r.mistakes {
		errs[i] = m
	}
	return errors.Join(errs...)
}
