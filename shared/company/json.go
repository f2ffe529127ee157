package company

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"

	"switchboard/shared/problem"
)

// Instructions is the member of an assistant's JSON that holds what stands after the
// front matter in its file.
const Instructions = "instructions"

// JSON returns what a file says as an object whose members are the fields of the
// manifest, or of an assistant's front matter with its [Instructions].
func JSON(file, text string) (jsontext.Value, error) {
	v, err := fieldsOf(file, text)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v, json.Deterministic(true))
}

// Merge returns the file with the fields of a JSON object in place of its own; a null
// takes the field away (RFC 7396). text "" is a file that is not there yet. What comes
// of it has yet to be checked.
func Merge(file, text string, patch jsontext.Value) (string, error) {
	v, err := fieldsOf(file, text)
	if err != nil {
		return "", err
	}
	var changes map[string]any
	if err := json.Unmarshal(patch, &changes); err != nil {
		return "", problem.Bad("company.Merge", "body", "a JSON object is expected")
	}
	v = merged(v, whole(changes).(map[string]any))
	if _, ok := AssistantOf(file); !ok {
		return manifestText(v)
	}
	instructions, isText := v[Instructions].(string)
	if _, there := v[Instructions]; there && !isText {
		return "", problem.Bad("company.Merge", Instructions, "field %q has the wrong type; a string is expected", Instructions)
	}
	delete(v, Instructions)
	front, err := manifestText(v)
	return fence + "\n" + front + fence + "\n" + instructions + "\n", err
}

// fieldsOf reads a file that was checked, or is not there.
func fieldsOf(file, text string) (map[string]any, error) {
	text = unmarked(text)
	front, body, closed := text, "", true
	_, isAssistant := AssistantOf(file)
	if isAssistant {
		front, body, closed = splitMatter(text)
	}
	v := map[string]any{}
	err := yaml.Unmarshal([]byte(front), &v)
	if err != nil || !closed {
		return nil, problem.Wrap(problem.Internal, "company.fieldsOf", fmt.Errorf("%s was stored and does not read: %w", file, err))
	}
	if v == nil { // what an empty text reads as
		v = map[string]any{}
	}
	if isAssistant && text != "" {
		v[Instructions] = strings.TrimSpace(body)
	}
	return v, nil
}

// merged is v with the changes, by RFC 7396.
func merged(v, changes map[string]any) map[string]any {
	if v == nil {
		v = map[string]any{}
	}
	for name, c := range changes {
		switch c := c.(type) {
		case nil:
			delete(v, name)
		case map[string]any:
			old, _ := v[name].(map[string]any)
			v[name] = merged(old, c)
		default:
			v[name] = c
		}
	}
	return v
}

// whole is v with integers in place of the floats that JSON's numbers are read as: YAML
// spells the two apart.
func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			v[name] = whole(x)
		}
	case []any:
		for i, x := range v {
			v[i] = whole(x)
		}
	case float64:
		if i := int64(v); float64(i) == v && i > -1<<53 && i < 1<<53 {
			return i
		}
	}
	return v
}

// manifestText is fields as YAML that reads back as what they are, or else as JSON,
// which is YAML too.
func manifestText(v map[string]any) (string, error) {
	if len(v) == 0 {
		return "", nil
	}
	want, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return "", problem.Bad("company.Merge", "body", "a JSON object is expected")
	}
	if len(want) > 2*maxManifest { // before YAML makes much of it; what is left is checked as a file is
		return "", problem.Bad("company.Merge", "body", "the fields are too large; expected at most %d KiB", maxManifest>>10)
	}
	text, err := yaml.MarshalWithOptions(v, yaml.IndentSequence(true))
	var again map[string]any
	if err == nil && yaml.Unmarshal(text, &again) == nil {
		if got, err := json.Marshal(again, json.Deterministic(true)); err == nil && bytes.Equal(got, want) && !bytes.Contains(text, []byte(fence)) {
			return string(text), nil
		}
	}
	return string(want) + "\n", nil
}
