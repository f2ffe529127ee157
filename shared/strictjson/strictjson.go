// Package strictjson is the one decoder for JSON that comes from outside.
//
// Every edge imports it: HTTP bodies, events, tool arguments. Its one promise:
// bytes that two parsers could read differently are refused. Names are matched
// case for case, a name occurs once, unknown names, trailing bytes, invalid UTF-8
// and deep nesting are errors, and each error names the field.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/problem"
)

// MaxDepth is how deep objects and arrays may nest.
const MaxDepth = 32

// Unmarshal decodes data into v, a pointer to a struct. The error is an Invalid
// problem whose Field is the dotted path of the culprit ("user.id"), or "body"
// where there is no field to blame.
func Unmarshal(data []byte, v any) error {
	const op = "strictjson.Unmarshal"
	if len(data) == 0 {
		return problem.Bad(op, "body", "the body is empty; a JSON object is expected")
	}
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return problem.Bad(op, "body", "the body is null; a JSON object is expected")
	}
	if deep(data) {
		return problem.Bad(op, "body", "the JSON is nested deeper than %d levels", MaxDepth)
	}
	err := json.Unmarshal(data, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	if syn, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		field := path(syn.JSONPointer)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return problem.Bad(op, field, "field %q occurs more than once", field)
		}
		return problem.Bad(op, orBody(field), "the body is not valid JSON (at byte %d)", syn.ByteOffset)
	}
	if sem, ok := errors.AsType[*json.SemanticError](err); ok {
		field := path(sem.JSONPointer)
		switch {
		case errors.Is(err, json.ErrUnknownName):
			return problem.Bad(op, field, "unknown field %q%s", field, suggest(field, v))
		case field == "":
			return problem.Bad(op, "body", "a JSON object is expected")
		default:
			return problem.Bad(op, field, "field %q has the wrong type; %s is expected", field, expected(sem.GoType))
		}
	}
	return problem.Bad(op, "body", "the body is not valid JSON")
}

// path turns a JSON Pointer into the dotted form used in problems. A long or
// strange name is cut: it comes from the client.
func path(p jsontext.Pointer) string {
	var parts []string
	for token := range p.Tokens() {
		parts = append(parts, token)
	}
	s := strings.ToValidUTF8(strings.Join(parts, "."), "?")
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "") + "..."
	}
	return s
}

func orBody(field string) string {
	if field == "" {
		return "body"
	}
	return field
}

// suggest helps with the commonest mistake: the right name in the wrong case.
func suggest(field string, v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || strings.Contains(field, ".") {
		return ""
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && strings.EqualFold(name, field) {
			return fmt.Sprintf("; did you mean %q?", name)
		}
	}
	return ""
}

func expected(t reflect.Type) string {
	if t == nil {
		return "another type"
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "another type"
	}
}

// deep reports whether data nests beyond MaxDepth. It looks at brackets outside
// strings only, so it costs one pass and no allocation.
func deep(data []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
