package iamtest

import (
	"fmt"
	"slices"
	"strings"
)

// operator is a condition's operator, taken apart.
type operator struct {
	set      string // "", "ForAllValues" or "ForAnyValue"
	base     string
	ifExists bool
}

func parseOperator(text string) (operator, error) {
	o := operator{base: text}
	if set, base, ok := strings.Cut(text, ":"); ok {
		o.set, o.base = set, base
	}
	o.base, o.ifExists = strings.CutSuffix(o.base, "IfExists")
	known := slices.Contains([]string{"StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "Bool", "Null", "ArnLike", "ArnEquals"}, o.base)
	if !known || o.set != "" && o.set != "ForAllValues" && o.set != "ForAnyValue" || o.base == "Null" && (o.set != "" || o.ifExists) {
		return o, fmt.Errorf("iamtest does not know the operator %q", text)
	}
	return o, nil
}

// lookup finds a key; names of keys are compared without case.
func lookup(keys map[string][]string, name string) ([]string, bool) {
	if v, ok := keys[name]; ok {
		return v, true
	}
	for k, v := range keys {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}

// holds reports whether one key of a condition does.
func holds(text string, want List, keys map[string][]string, key string) bool {
	op, err := parseOperator(text)
	if err != nil {
		return false // ParsePolicy has refused it
	}
	got, there := lookup(keys, key)
	there = there && len(got) > 0
	negated := strings.Contains(op.base, "Not")
	switch {
	case op.base == "Null":
		return slices.ContainsFunc(want, func(w string) bool { return strings.EqualFold(w, fmt.Sprint(!there)) })
	case op.set == "ForAllValues": // of none, all do: that is why there is a Null beside it
		return !slices.ContainsFunc(got, func(g string) bool { return !op.one(g, want, keys) })
	case op.set == "ForAnyValue":
		return slices.ContainsFunc(got, func(g string) bool { return op.one(g, want, keys) }) || op.ifExists && !there
	case !there:
		return op.ifExists || negated
	}
	// Without a set operator a key of several values is a mistake in the policy; it
	// does not hold here.
	return len(got) == 1 && op.one(got[0], want, keys)
}

// one compares one value of the request with the values of the condition.
func (o operator) one(got string, want List, keys map[string][]string) bool {
	any := slices.ContainsFunc(want, func(w string) bool {
		p, ok := expand(w, keys)
		if !ok {
			return false
		}
		switch o.base {
		case "StringLike", "StringNotLike", "ArnLike", "ArnEquals":
			return p.match(got)
		case "Bool":
			return strings.EqualFold(p.text(), got)
		default:
			return p.text() == got
		}
	})
	if strings.Contains(o.base, "Not") {
		return !any
	}
	return any
}
