package tenant_test

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in string
		ok bool
	}{
		{"acme", true}, {"a-b", true}, {"a1b", true}, {"lenhart-electric", true}, {strings.Repeat("a", 40), true}, {"abc-1-2-3", true},
		{"", false}, {"ab", false}, {strings.Repeat("a", 41), false},
		{"1ab", false}, {"-ab", false}, {"ab-", false}, {"a--b", false},
		{"Acme", false}, {"acmé", false}, {"аcme", false}, {"ａcme", false}, {"acme\u200b", false},
		{"acme#x", false}, {"acme/x", false}, {"acme:x", false}, {"acme.x", false}, {"acme_x", false}, {"_directory", false},
		{"acme*", false}, {"acme?", false}, {"${a}", false}, {"acme\x00", false}, {"acme\n", false}, {" acme", false}, {"a\xffb", false},
		{"..", false}, {"../acme", false},
	} {
		id, err := tenant.ParseID(c.in)
		if (err == nil) != c.ok || c.ok && id.String() != c.in || !c.ok && (!id.IsZero() || !problem.Is(err, problem.Invalid)) {
			t.Errorf("ParseID(%q) = %q, %v", c.in, id, err)
		}
	}
}

var grammar = regexp.MustCompile(`\A[a-z][a-z0-9]*(-[a-z0-9]+)*\z`)

func FuzzParseID(f *testing.F) {
	f.Add("lenhart-electric")
	f.Add("a--b")
	f.Add("acme#turn")
	f.Fuzz(func(t *testing.T, s string) {
		_, err := tenant.ParseID(s)
		if want := len(s) >= 3 && len(s) <= 40 && grammar.MatchString(s); want != (err == nil) {
			t.Errorf("ParseID(%q): %v", s, err)
		}
	})
}

// A project id goes out through encoders and never comes in through a decoder.
func TestIDIsNotDecoded(t *testing.T) {
	t.Parallel()
	id, _ := tenant.ParseID("acme")
	b, err := json.Marshal(struct{ ID tenant.ID }{id})
	if err != nil || string(b) != `{"ID":"acme"}` {
		t.Fatalf("control: %s, %v", b, err)
	}
	var in struct{ ID tenant.ID }
	if err := json.Unmarshal(b, &in); err == nil || !in.ID.IsZero() {
		t.Errorf("decoded to %v, %v", in.ID, err)
	}
	for _, v := range []any{&in.ID, new(tenant.Scope)} {
		if _, ok := v.(encoding.TextUnmarshaler); ok {
			t.Errorf("%T has UnmarshalText", v)
		}
		if _, ok := v.(encoding.BinaryUnmarshaler); ok {
			t.Errorf("%T has UnmarshalBinary", v)
		}
		if _, ok := v.(json.Unmarshaler); ok {
			t.Errorf("%T has UnmarshalJSON", v)
		}
		typ := reflect.TypeOf(v).Elem()
		for f := range typ.Fields() {
			if f.IsExported() {
				t.Errorf("%v has the exported field %s", typ, f.Name)
			}
		}
		if typ.NumMethod() != reflect.PointerTo(typ).NumMethod() {
			t.Errorf("%v has methods that can change it", typ)
		}
	}
}

func TestZeroRefuses(t *testing.T) {
	t.Parallel()
	var zero tenant.Scope
	if err := zero.Check("op"); !problem.Is(err, problem.Internal) {
		t.Errorf("Check of the zero Scope: %v", err)
	}
	if zero.Can(tenant.CanChat) || zero.Can(tenant.CanReadConversations) || zero.Role() != 0 || !zero.Project().IsZero() || zero.Actor() != "" {
		t.Errorf("the zero Scope can do something: %+v", zero)
	}
	var role tenant.Role
	if role.String() != "none" || zero.Kind().String() != "none" {
		t.Errorf("names: %v %v", role, zero.Kind())
	}
	sc := tenanttest.Scope("acme")
	if err := sc.Check("op"); err != nil || !sc.Can(tenant.CanChat|tenant.CanReadConversations) || sc.Project().String() != "acme" {
		t.Errorf("control: %v, %+v", err, sc)
	}
	if sc.Can(tenant.CanChat | 1<<31) {
		t.Error("one capability stands for all")
	}
}

func TestTestScopesAreParsed(t *testing.T) {
	t.Parallel()
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "project id") {
			t.Errorf("tenanttest.Scope of a malformed id: %v", v)
		}
	}()
	tenanttest.Scope("_directory")
}
