package vend_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/app/aws/iamtest"
	"switchboard/shared/app/aws/internal/account"
	"switchboard/shared/app/aws/internal/vend"
	"switchboard/shared/audit"
	"switchboard/shared/company/catalog"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// pairs is how many pairs of tenants are tried.
const pairs = 100_000

var tables = map[string]string{"DataTable": "data", "KeysTable": "keys", "DirectoryTable": "directory"}

func tableARN(name string) string {
	return fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s", iamtest.Region, iamtest.AccountID, name)
}

func session(t *testing.T, a *iamtest.Account, access account.Access) *iamtest.Policy {
	t.Helper()
	p, err := iamtest.ParsePolicy(newVendor(t, a, a.Login("ChatRole"), "data", access).Policy())
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

func on(action, table string, keys ...string) iamtest.Request {
	r := iamtest.Request{Action: "dynamodb:" + action, Resource: tableARN(table), Keys: map[string][]string{}}
	if keys != nil {
		r.Keys["dynamodb:LeadingKeys"] = keys
	}
	return r
}

// name makes an id that the grammar takes, or now and then one that it does not.
func name(r *rand.Rand) string {
	const letters, all, odd = "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz0123456789-", "*?#${}/:_. A\u200bé\x00"
	b := []byte{letters[r.IntN(26)]}
	for range 2 + r.IntN(10) {
		b = append(b, all[r.IntN(len(all))])
	}
	if r.IntN(8) == 0 {
		b[r.IntN(len(b))] = odd[r.IntN(len(odd))]
	}
	return string(b)
}

// neighbor is often an id that begins as the other does, or differs in one letter.
func neighbor(r *rand.Rand, id string) string {
	switch r.IntN(5) {
	case 0:
		return id + "-2"
	case 1:
		return id + string(rune('a'+r.IntN(26)))
	case 2:
		return id[:len(id)-1]
	case 3:
		b := []byte(id)
		b[r.IntN(len(b))] = byte('a' + r.IntN(26))
		return string(b)
	}
	return name(r)
}

// TestTenantsAreApart asks the deployed policies and the session's about random pairs
// of tenants: own keys are allowed, and the other's, none, another table's and every
// other action are not.
func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	began := time.Now()
	seed := uint64(began.UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	a := iamtest.New(t, template, tables)
	chat := session(t, a, account.Chat())
	tried, refused, asked := 0, 0, 0
	for tried < pairs {
		first := name(r)
		mine, err := tenant.ParseID(first)
		theirs, err2 := tenant.ParseID(neighbor(r, first))
		if err != nil || err2 != nil || mine == theirs {
			refused++
			continue
		}
		tried++
		p := a.Principal("DataRole", mine.String(), chat)
		own, other := mine.String()+"#turn#c", theirs.String()+"#turn#c"
		for _, q := range []struct {
			iamtest.Request
			want bool
		}{
			{on(pick(r, account.Chat().Data), "data", own), true},
			{on(pick(r, account.Chat().Keys), "keys", own), true},
			{on(pick(r, account.Chat().Data), "data", other), false},
			{on(pick(r, account.Chat().Keys), "keys", other), false},
			{on("GetItem", "data", own, other), false},
			{on(pick(r, account.Chat().Data), "data"), false},
			{on("GetItem", "directory", own), false},
			{on("UpdateItem", "keys", own), false},
			{on(pick(r, forbidden()), "data", own), false},
			{on(pick(r, forbidden()), "data"), false},
			{on("Query", "data/index/x", own), false},
		} {
			asked++
			if got, why := p.Allows(q.Request); got != q.want {
				t.Fatalf("seed %d: a session of %s asks for %+v: %v (%s)", seed, mine, q.Request, got, why)
			}
		}
	}
	if refused == 0 {
		t.Error("control: the grammar refused none")
	}
	t.Logf("seed %d: %d pairs, %d that the grammar refused, %d questions in %v", seed, tried, refused, asked, time.Since(began))
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

func forbidden() []string {
	return []string{"Scan", "PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete", "ExecuteStatement", "BatchGetItem",
		"BatchWriteItem", "DescribeTable", "DeleteTable", "UpdateTable", "ExportTableToPointInTime", "GetRecords", "*"}
}

// TestEachLockHolds takes one of the two policies away: what is left keeps tenants
// apart, and a tag with a wildcard in it is a text.
func TestEachLockHolds(t *testing.T) {
	t.Parallel()
	a := iamtest.New(t, template, tables)
	chat := session(t, a, account.Chat())
	everything, err := iamtest.ParsePolicy(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*iamtest.Principal{
		"the role's alone":    a.Principal("DataRole", "acme", nil),
		"the session's alone": {Identity: []iamtest.Policy{everything}, Session: chat, Tags: map[string]string{"projectId": "acme"}},
	} {
		for _, q := range []struct {
			iamtest.Request
			want bool
		}{
			{on("GetItem", "data", "acme#turn#"), true}, {on("GetItem", "data", "acme-2#turn#"), false}, {on("GetItem", "data"), false},
			{on("Scan", "data"), false}, {on("GetItem", "directory", "acme#x"), false}, {on("UpdateItem", "keys", "acme#ring#"), false},
		} {
			if got, _ := p.Allows(q.Request); got != q.want {
				t.Errorf("%s: %+v is %v", name, q.Request, got)
			}
		}
		for _, action := range forbidden() { // not even with a key of one's own
			for _, table := range []string{"data", "keys"} {
				if ok, _ := p.Allows(on(action, table, "acme#turn#")); ok {
					t.Errorf("%s: %s on %s", name, action, table)
				}
			}
		}
	}
	for _, tag := range []string{"*", "acm?", "", "${aws:PrincipalTag/projectId}"} {
		if ok, _ := a.Principal("DataRole", tag, chat).Allows(on("GetItem", "data", "acme#turn#")); ok {
			t.Errorf("a session of %q reads what is acme's", tag)
		}
	}
	untagged := a.Principal("DataRole", "", chat)
	untagged.Tags = nil
	if ok, _ := untagged.Allows(on("GetItem", "data", "#turn#")); ok {
		t.Error("a session without a tag reads")
	}
}

// The operator's function defines companies. Its session is at no other item of theirs.
func TestAdministrationSeesNoConversation(t *testing.T) {
	t.Parallel()
	a := iamtest.New(t, template, tables)
	admin, chat := session(t, a, account.TenantAdmin()), session(t, a, account.Chat())
	if d := cmp.Diff(append(catalog.Kinds(), audit.Kind, auth.StandingKind), account.TenantAdmin().Kinds); d != "" {
		t.Errorf("the kinds are not those of their owners (-owners +here)\n%s", d)
	}
	for key, want := range map[string]bool{
		"acme#definition#": true, "acme#article#": true, "acme#revision#company.yaml": true, "acme#audit#": true, "acme#standing#": true, "acme#standings#": false,
		"acme#turn#01J": false, "acme#reservation#": false, "acme#due#": false, "acme#definitions#": false, "acme#definition": false, "acme#": false,
		"acme-2#definition#": false, "acm#definition#": false, "acme#turn#x#definition#": false,
	} {
		for _, action := range account.TenantAdmin().Data {
			if got, why := a.Principal("DataRole", "acme", admin).Allows(on(action, "data", key)); got != want {
				t.Errorf("%s of %s: %v (%s)", action, key, got, why)
			}
		}
		if got, _ := a.Principal("DataRole", "acme", chat).Allows(on("GetItem", "data", key)); got != strings.HasPrefix(key, "acme#") {
			t.Errorf("control: chat's session at %s: %v", key, got)
		}
	}
	if ok, _ := a.Principal("DataRole", "acme", admin).Allows(on("GetItem", "data", "acme#audit#", "acme#turn#")); ok {
		t.Error("one key of its own brings another along")
	}
}

// Rollup reads the list of projects, and nothing else of the directory.
func TestRollupReadsTheRosterAlone(t *testing.T) {
	t.Parallel()
	p := iamtest.New(t, template, tables).Principal("RollupRole", "", nil)
	for q, want := range map[string]bool{"Query _directory#roster#": true, "Query _directory#credential#": false, "Query _directory#project#": false,
		"Query _directory#rosters#": false, "Query _directory#roster#x": false, "GetItem _directory#roster#": false, "PutItem _directory#roster#": false, "Query acme#turn#": false} {
		action, key, _ := strings.Cut(q, " ")
		if got, why := p.Allows(on(action, "directory", key)); got != want {
			t.Errorf("%s: %v (%s)", q, got, why)
		}
	}
	if ok, _ := p.Allows(on("Query", "directory")); ok {
		t.Error("a query without a key")
	}
}

// The functions' own roles reach no tenant's data, and nobody scans. The directory is the
// authorizer's to read and the operator's to write, and chat's not at all.
func TestTheFunctionsReachNoData(t *testing.T) {
	t.Parallel()
	a := iamtest.New(t, template, tables)
	for _, role := range []string{"AuthorizerRole", "ChatRole", "TenantAdminRole", "RollupRole"} {
		p := a.Principal(role, "acme", nil)
		for _, action := range append(forbidden(), account.Chat().Data...) {
			for _, table := range []string{"data", "keys"} {
				if ok, _ := p.Allows(on(action, table, "acme#turn#")); ok {
					t.Errorf("%s may %s on %s", role, action, table)
				}
			}
		}
	}
	directory := map[string][]string{
		"AuthorizerRole": {"GetItem"}, "TenantAdminRole": {"GetItem", "PutItem", "UpdateItem", "Query"}, "ChatRole": nil, "RollupRole": nil,
	}
	for role, may := range directory {
		p := a.Principal(role, "", nil)
		for _, action := range append(forbidden(), account.Chat().Data...) {
			for _, keys := range [][]string{{"_directory#credential#"}, {"acme#turn#"}, nil} {
				if ok, why := p.Allows(on(action, "directory", keys...)); ok != slices.Contains(may, action) {
					t.Errorf("%s: %s on the directory is %v (%s)", role, action, ok, why)
				}
			}
		}
	}
	// Nor does a session of the data role, of whatever tag.
	for _, tag := range []string{"acme", "_directory"} {
		if ok, _ := a.Principal("DataRole", tag, session(t, a, account.Chat())).Allows(on("GetItem", "directory", tag+"#credential#")); ok {
			t.Errorf("a session of %s reads the directory", tag)
		}
	}
}

// The authorizer opens one ring with one key, and has no session of any tenant's.
func TestTheAuthorizerReachesTheDirectoryAlone(t *testing.T) {
	t.Parallel()
	a := iamtest.New(t, template, tables)
	p := a.Principal("AuthorizerRole", "", nil)
	for _, q := range []struct {
		iamtest.Request
		want bool
	}{
		{on("GetItem", "keys", "_directory#ring#"), true}, {on("GetItem", "keys", "acme#ring#"), false}, {on("GetItem", "keys"), false},
		{on("GetItem", "keys", "_directory#ring#", "acme#ring#"), false}, {on("PutItem", "keys", "_directory#ring#"), false},
		{on("GetItem", "data", "_directory#ring#"), false},
		{iamtest.Request{Action: "sts:AssumeRole", Resource: iamtest.DataRole()}, false}, {iamtest.Request{Action: "sts:TagSession", Resource: iamtest.DataRole()}, false},
	} {
		if got, why := p.Allows(q.Request); got != q.want {
			t.Errorf("%+v is %v (%s)", q.Request, got, why)
		}
	}
	if ok, why := a.Principal("ChatRole", "", nil).Allows(iamtest.Request{Action: "sts:AssumeRole", Resource: iamtest.DataRole()}); !ok {
		t.Errorf("control: %s", why)
	}
	const key = "arn:aws:of-a-test:us-east-1:123456789012:TenantKeys/Arn"
	for role, who := range map[string]map[string]bool{
		"AuthorizerRole": {"_directory": true, "acme": false}, "ChatRole": {"_directory": false, "acme": true}, "TenantAdminRole": {"_directory": true, "acme": true},
	} {
		for project, want := range who {
			r := iamtest.Request{Action: "kms:Decrypt", Resource: key, Keys: map[string][]string{
				"kms:EncryptionContext:purpose": {"switchboard-data-key"}, "kms:EncryptionContext:project": {project}, "kms:EncryptionContextKeys": {"project", "purpose"}}}
			if got, why := a.Principal(role, "", nil).Allows(r); got != want {
				t.Errorf("%s opens a key of %s: %v (%s)", role, project, got, why)
			}
		}
	}
}

// A session may do what the driver sends, and the data role what sessions may.
func TestTheActionsAreTheDriversOwn(t *testing.T) {
	t.Parallel()
	var sent []string
	for m := range reflect.TypeFor[dynamotable.Client]().Methods() {
		if m.Name == "TransactWriteItems" { // IAM is asked for each of its items
			sent = append(sent, "ConditionCheckItem")
			continue
		}
		sent = append(sent, m.Name)
	}
	if chat := slices.Sorted(slices.Values(account.Chat().Data)); !slices.Equal(chat, slices.Sorted(slices.Values(sent))) {
		t.Errorf("chat's sessions may %v; the driver sends %v", chat, sent)
	}
	a := iamtest.New(t, template, tables)
	for name, access := range map[string]account.Access{"chat": account.Chat(), "admin": account.TenantAdmin(), "rollup": account.Rollup()} {
		text := newVendor(t, a, a.Login("ChatRole"), strings.Repeat("a", 255), access).Policy()
		if len(text) > 2048 {
			t.Errorf("%s: a policy of %d characters", name, len(text))
		}
		p := a.Principal("DataRole", "acme", session(t, a, access))
		for table, actions := range map[string][]string{"data": access.Data, "keys": access.Keys} {
			for _, action := range account.Chat().Data {
				if got, why := p.Allows(on(action, table, "acme#audit#")); got != slices.Contains(actions, action) {
					t.Errorf("%s: %s on %s is %v (%s)", name, action, table, got, why)
				}
			}
		}
	}
}

func TestWhatIsNoGrant(t *testing.T) {
	t.Parallel()
	good := newRig(t, nil)
	for name, c := range map[string]struct {
		role   string
		grants []vend.Grant
	}{
		"no role":           {"", grants("data", account.Chat())},
		"no role's ARN":     {"arn:aws:iam::123456789012:user/x", grants("data", account.Chat())},
		"no grants":         {iamtest.DataRole(), nil},
		"no table":          {iamtest.DataRole(), grants("", account.Chat())},
		"every table":       {iamtest.DataRole(), grants("*", account.Chat())},
		"every action":      {iamtest.DataRole(), []vend.Grant{{Table: "data", Actions: []string{"*"}}}},
		"every kind":        {iamtest.DataRole(), []vend.Grant{{Table: "data", Actions: []string{"GetItem"}, Kinds: []table.Kind{"*"}}}},
		"a kind and more":   {iamtest.DataRole(), []vend.Grant{{Table: "data", Actions: []string{"GetItem"}, Kinds: []table.Kind{"a#b"}}}},
		"another service":   {iamtest.DataRole(), []vend.Grant{{Table: "data", Actions: []string{"s3:GetObject"}}}},
		"unknown partition": {"arn:aws-x:iam::123456789012:role/x", grants("data", account.Chat())},
	} {
		if _, err := vend.New(configOf(good), c.role, c.grants); err == nil {
			t.Errorf("%s: there is a vendor", name)
		}
	}
	if _, err := vend.New(configOf(good), iamtest.DataRole(), grants("data", account.Chat())); err != nil {
		t.Errorf("control: %v", err)
	}
}
