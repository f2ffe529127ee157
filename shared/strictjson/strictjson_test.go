package strictjson_test

import (
	"errors"
	"strings"
	"testing"

	"switchboard/shared/problem"
	"switchboard/shared/strictjson"
)

type body struct {
	Message string `json:"message"`
	User    *struct {
		ID string `json:"id"`
	} `json:"user"`
	Stream bool     `json:"stream"`
	N      *int     `json:"n"`
	Tags   []string `json:"tags"`
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct{ name, in, field, detail string }{
		{"control", `{"message":"hi","user":{"id":"u"},"stream":true,"n":1,"tags":["a"]}`, "", ""},
		{"empty", ``, "body", "empty"},
		{"not json", `hello`, "body", "not valid JSON"},
		{"cut short", `{"message":"hi"`, "body", "not valid JSON"},
		{"two values", `{"message":"hi"}{}`, "body", "not valid JSON"},
		{"null", ` null `, "body", "JSON object is expected"},
		{"array", `[]`, "body", "JSON object is expected"},
		{"duplicate", `{"message":"a","message":"b"}`, "message", "more than once"},
		{"duplicate nested", `{"user":{"id":"a","id":"b"}}`, "user.id", "more than once"},
		{"case folded", `{"Message":"a"}`, "Message", `did you mean "message"?`},
		{"unknown", `{"tenant":"b"}`, "tenant", "unknown field"},
		{"unknown nested", `{"user":{"ID":"b"}}`, "user.ID", "unknown field"},
		{"type string", `{"message":7}`, "message", "a string is expected"},
		{"type bool", `{"stream":"yes"}`, "stream", "true or false"},
		{"type object", `{"user":"u"}`, "user", "an object"},
		{"type int", `{"n":1.5}`, "n", "a whole number"},
		{"type array element", `{"tags":["a",1]}`, "tags.1", "a string"},
		{"invalid utf-8", "{\"message\":\"\xff\"}", "message", "not valid JSON"},
		{"deep", nested, "body", "nested deeper"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := strictjson.Unmarshal([]byte(c.in), new(body))
			if c.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			p, ok := errors.AsType[*problem.Error](err)
			if !ok || p.Kind != problem.Invalid {
				t.Fatalf("got %v, want an invalid problem", err)
			}
			if p.Field != c.field || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("got field %q, detail %q; want %q, %q", p.Field, p.Detail, c.field, c.detail)
			}
		})
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"message":"hi","user":{"id":"u"}}`))
	f.Add([]byte(`{"message":"a","message":"b"}`))
	f.Add([]byte(`{"a~1b/c":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := strictjson.Unmarshal(data, new(body))
		if err != nil && !problem.Is(err, problem.Invalid) {
			t.Fatalf("%q: %v is not an invalid problem", data, err)
		}
	})
}
