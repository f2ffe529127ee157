package main

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// fieldsHelp is for the commands that change fields.
const fieldsHelp = `VALUE is JSON; what is not is a text, so that tier=pro will do. null takes the field
away. A dot reaches into a group: budget.monthly_usd=200. What is not named stays.`

// mergePatch is the change that FIELD=VALUE arguments say (RFC 7396).
func mergePatch(args []string) (map[string]any, error) {
	patch := map[string]any{}
	for _, arg := range args {
		path, text, ok := strings.Cut(arg, "=")
		if !ok || path == "" {
			return nil, fmt.Errorf("%q is not FIELD=VALUE", arg)
		}
		value, err := fieldValue(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		group, names := patch, strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			inner, ok := group[name].(map[string]any)
			if _, taken := group[name]; taken && !ok {
				return nil, fmt.Errorf("%s is given as a value and as a group", path)
			}
			if !ok {
				inner = map[string]any{}
				group[name] = inner
			}
			group = inner
		}
		last := names[len(names)-1]
		if _, twice := group[last]; twice {
			return nil, fmt.Errorf("%s is given twice", path)
		}
		group[last] = value
	}
	return patch, nil
}

// fieldValue is JSON as it stands, or a text.
func fieldValue(text string) (jsontext.Value, error) {
	if v := jsontext.Value(text); v.IsValid() {
		return v, nil
	}
	return json.Marshal(text)
}
