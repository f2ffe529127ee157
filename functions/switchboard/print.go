package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// table prints rows in columns.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for len(row) > 0 && row[len(row)-1] == "" { // or it would be padded
			row = row[:len(row)-1]
		}
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, printable(cell))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// listing prints a list as a table, one row for each entry.
func listing[T any](head []string, none string, row func(T) []string) func(io.Writer, jsontext.Value) error {
	return func(w io.Writer, answer jsontext.Value) error {
		var list struct {
			Data []T `json:"data"`
		}
		if err := json.Unmarshal(answer, &list); err != nil {
			return err
		}
		if len(list.Data) == 0 {
			_, err := fmt.Fprintln(w, none)
			return err
		}
		rows := [][]string{head}
		for _, v := range list.Data {
			rows = append(rows, row(v))
		}
		return table(w, rows)
	}
}

// sentenceOf prints one thing as a sentence.
func sentenceOf[T any](say func(T) string) func(io.Writer, jsontext.Value) error {
	return func(w io.Writer, answer jsontext.Value) error {
		var v T
		if err := json.Unmarshal(answer, &v); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w, printable(say(v)))
		return err
	}
}

// printable is text that moves no cursor and changes no colour: names are written by
// whoever has a key.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, s)
}

// printableLines is printable of a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// count is a number of things in words.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
