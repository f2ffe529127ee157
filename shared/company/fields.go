package company

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// fields is one group of named values. What is asked of it is what it knows:
// done reports the rest as unknown, so a field cannot be read and forgotten in a
// list of names elsewhere. The zero value of a field that is absent or wrong is
// left as the caller had it.
type fields struct {
	src    *source
	path   string // before each name in a message: "", "budget.", "members[2]."
	at     place
	values []field
	known  []string
}

type field struct {
	name  string
	at    place // of the name
	value ast.Node
}

// fields reads n as a group; path is its own name, "" at the root.
func (s *source) fields(n ast.Node, path string) (*fields, bool) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		what := "the file"
		if path != "" {
			what = path
		}
		s.wrong(nodePlace(n), "%s is %s; expected fields, such as name: value", what, describe(n))
		return nil, false
	}
	f := &fields{src: s, at: nodePlace(n)}
	if path != "" {
		f.path = path + "."
	}
	for _, v := range m.Values {
		f.add(v)
	}
	return f, true
}

// add keeps the first of duplicates.
func (f *fields) add(v *ast.MappingValueNode) {
	tk := v.Key.GetToken()
	name, at := tk.Value, placeOf(tk)
	if _, simple := v.Key.(ast.ScalarNode); !simple {
		f.src.wrong(at, "a field's name is not plain text; expected name: value")
		return
	}
	if i := slices.IndexFunc(f.values, func(o field) bool { return o.name == name }); i >= 0 {
		f.src.wrong(at, "duplicate field %s; it is on line %d already", quote(f.path+name), f.values[i].at.line)
		return
	}
	f.values = append(f.values, field{name, at, v.Value})
}

// get returns the value of a known field; expected is for one that has none.
func (f *fields) get(name, expected string) (ast.Node, bool) {
	f.known = append(f.known, name)
	i := slices.IndexFunc(f.values, func(o field) bool { return o.name == name })
	if i < 0 {
		return nil, false
	}
	if v := f.values[i]; v.value == nil || v.value.Type() == ast.NullType {
		f.src.wrong(v.at, "%s has no value; expected %s, or leave the field out", f.path+name, expected)
		return nil, false
	}
	return f.values[i].value, true
}

// has reports whether the field was written, well or not.
func (f *fields) has(name string) bool {
	return slices.ContainsFunc(f.values, func(o field) bool { return o.name == name })
}

// require reports the fields among names that are absent.
func (f *fields) require(names ...string) {
	for _, name := range names {
		if !f.has(name) {
			f.src.wrong(f.at, "%s is missing; expected %s: value", f.path+name, name)
		}
	}
}

// notEmpty refuses an empty list where that would quietly turn something off.
func (f *fields) notEmpty(name string) {
	for _, v := range f.values {
		if list, ok := v.value.(*ast.SequenceNode); ok && v.name == name && len(list.Values) == 0 {
			f.src.wrong(nodePlace(list), "%s is empty; expected at least one entry", f.path+name)
		}
	}
}

// done reports the fields nobody asked for.
func (f *fields) done() {
	for _, v := range f.values {
		if slices.Contains(f.known, v.name) {
			continue
		}
		if near, ok := nearest(v.name, f.known); ok {
			f.src.wrong(v.at, "unknown field %s; did you mean %q?", quote(f.path+v.name), near)
		} else {
			f.src.wrong(v.at, "unknown field %s; expected %s", quote(f.path+v.name), oneOf(f.known))
		}
	}
}

// section reads a group within the group.
func (f *fields) section(name string, read func(*fields)) {
	n, ok := f.get(name, "fields")
	if !ok {
		return
	}
	if inner, ok := f.src.fields(n, f.path+name); ok {
		read(inner)
		inner.done()
	}
}

// each reads a list of groups.
func (f *fields) each(name string, limit int, read func(*fields)) {
	nodes, _ := f.list(name, "fields", limit)
	for i, n := range nodes {
		if inner, ok := f.src.fields(n, fmt.Sprintf("%s%s[%d]", f.path, name, i)); ok {
			read(inner)
			inner.done()
		}
	}
}

// list returns the entries of a list of at most limit; false means there is none.
func (f *fields) list(name, of string, limit int) ([]ast.Node, bool) {
	n, ok := f.get(name, "a list of "+of)
	if !ok {
		return nil, false
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		f.src.wrong(nodePlace(n), "%s is %s; expected a list of %s, such as [a, b]", f.path+name, describe(n), of)
		return nil, false
	}
	if len(list.Values) > limit {
		f.src.wrong(nodePlace(list.Values[limit]), "%s has %d entries; expected at most %d", f.path+name, len(list.Values), limit)
		return nil, false
	}
	return list.Values, true
}

// quote keeps a message readable, whatever was written.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// oneOf lists names as a person would: a, b or c.
func oneOf[T ~string](names []T) string {
	var b strings.Builder
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(name))
	}
	return b.String()
}
