package attack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Set sets a dotted member.
func Set(body map[string]any, field, v string) {
	name, rest, nested := strings.Cut(field, ".")
	if !nested {
		body[name] = v
		return
	}
	inner, ok := body[name].(map[string]any)
	if !ok {
		inner = map[string]any{}
		body[name] = inner
	}
	Set(inner, rest, v)
}

// Loose renders a body as a careless client does, whatever bytes are in it.
func Loose(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for k, x := range v {
			parts = append(parts, `"`+k+`":`+Loose(x))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case string:
		return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\x00", `\u0000`).Replace(v) + `"`
	}
	text, err := json.Marshal(v)
	if err != nil { // of our own making
		return "null"
	}
	return string(text)
}

// Escaped spells a name's first letter as an escape.
func Escaped(name string) string { return fmt.Sprintf(`\u%04x`, name[0]) + name[1:] }

// Typed gives a member of a JSON object another value, as it is spelled: before the rest,
// without the one that is there.
func Typed(body, f, value string) string {
	if at := strings.Index(body, `"`+f+`":"`); at >= 0 {
		end := at + len(f) + 4
		end += strings.IndexByte(body[end:], '"') + 1
		return body[:at] + `"` + f + `":` + value + body[end:]
	}
	return `{"` + f + `":` + value + "," + body[1:]
}
