package company

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Numbers as people write them: no 0x10, 1_000, 1e3 or leading zero, each of
// which one reader of YAML or another takes for something else.
var (
	wholeForm  = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,14})$`)
	numberForm = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?$`)
)

// text reads one text that obeys the rule.
func (f *fields) text(name string, dst *string, r rule) {
	if n, ok := f.get(name, "text"); ok {
		if s, ok := f.string(name, n, r); ok {
			*dst = s
		}
	}
}

// texts reads a list of at most limit different texts that obey the rule.
func (f *fields) texts(name string, dst *[]string, limit int, r rule) {
	out := []string{}
	nodes, ok := f.list(name, "text", limit)
	for i, n := range nodes {
		entry := fmt.Sprintf("%s[%d]", name, i)
		s, good := f.string(entry, n, r)
		if good && slices.Contains(out, s) {
			f.src.wrong(nodePlace(n), "%s is %s again; expected each entry once", f.path+entry, quote(s))
		} else if good {
			out = append(out, s)
		}
	}
	if ok {
		*dst = out
	}
}

// string is n as a text that obeys the rule, spaces around it removed.
func (f *fields) string(name string, n ast.Node, r rule) (string, bool) {
	s, ok := "", true
	switch n := n.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		f.src.wrong(nodePlace(n), "%s is %s; expected text, so put it in quotes", f.path+name, describe(n))
		ok = false
	default:
		f.src.wrong(nodePlace(n), "%s is %s; expected text", f.path+name, describe(n))
		ok = false
	}
	if !ok {
		return "", false
	}
	if complaint := r(s); complaint != "" {
		f.src.wrong(nodePlace(n), "%s %s", f.path+name, complaint)
		return "", false
	}
	return strings.TrimSpace(s), true
}

// choice reads one text out of a closed set.
func choice[T ~string](f *fields, name string, dst *T, options ...T) {
	s := ""
	f.text(name, &s, among(options))
	if s != "" {
		*dst = T(s)
	}
}

// choices reads a list of texts out of a closed set.
func choices[T ~string](f *fields, name string, dst *[]T, options ...T) {
	var list []string
	f.texts(name, &list, len(options), among(options))
	for _, s := range list {
		*dst = append(*dst, T(s))
	}
}

// whole reads a whole number from lo to hi.
func (f *fields) whole(name string, dst *int, lo, hi int) {
	n, ok := f.get(name, "a whole number")
	if !ok {
		return
	}
	f.integer(name, n, dst, lo, hi)
}

func (f *fields) integer(name string, n ast.Node, dst *int, lo, hi int) bool {
	v, err := strconv.Atoi(f.numeral(n, wholeForm))
	if err != nil || v < lo || v > hi {
		f.src.wrong(nodePlace(n), "%s is %s; expected a whole number from %d to %d", f.path+name, shown(n), lo, hi)
		return false
	}
	*dst = v
	return true
}

// wholes reads an ascending list of whole numbers from lo to hi.
func (f *fields) wholes(name string, dst *[]int, limit, lo, hi int) {
	out := []int{}
	nodes, ok := f.list(name, "whole numbers", limit)
	for i, n := range nodes {
		v, entry := 0, fmt.Sprintf("%s[%d]", name, i)
		if !f.integer(entry, n, &v, lo, hi) {
			continue
		}
		if len(out) > 0 && v <= out[len(out)-1] {
			f.src.wrong(nodePlace(n), "%s is %d after %d; expected ascending numbers", f.path+entry, v, out[len(out)-1])
		}
		out = append(out, v)
	}
	if ok {
		*dst = out
	}
}

// number reads a number from lo to hi and reports whether there was a good one.
func (f *fields) number(name string, dst *float64, lo, hi float64) bool {
	n, ok := f.get(name, "a number")
	if !ok {
		return false
	}
	v, err := strconv.ParseFloat(f.numeral(n, numberForm), 64)
	if err != nil || v < lo || v > hi {
		f.src.wrong(nodePlace(n), "%s is %s; expected a number from %s to %s", f.path+name, shown(n), plain(lo), plain(hi))
		return false
	}
	*dst = v
	return true
}

// numeral is a number as it was written, or "" if it is none of that form.
func (f *fields) numeral(n ast.Node, form *regexp.Regexp) string {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		if written := n.GetToken().Value; form.MatchString(written) {
			return written
		}
	}
	return ""
}

func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// flag reads true or false.
func (f *fields) flag(name string, dst *bool) {
	n, ok := f.get(name, "true or false")
	if !ok {
		return
	}
	switch written := n.GetToken().Value; {
	case n.Type() == ast.BoolType && written == "true":
		*dst = true
	case n.Type() == ast.BoolType && written == "false":
		*dst = false
	default:
		f.src.wrong(nodePlace(n), "%s is %s; expected true or false", f.path+name, shown(n))
	}
}

// shown is a value in a message: as written if it is short, else what it is.
func shown(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode:
		return quote(n.GetToken().Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value
	}
	return describe(n)
}
