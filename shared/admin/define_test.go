package admin_test

import (
	"strings"
	"sync"
	"testing"

	"switchboard/shared/app/apptest"
	"switchboard/shared/company/catalog"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// A company is made, defined, asked, changed and had back, without a folder and without a
// restart.
func TestACompanyByTheAPI(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	op := operator(t, s)
	want(t, s.Post(op, projects, `{"id":"volt-garage","name":"Volt Garage","tier":"pro","origins":["https://volt.example"]}`), 200,
		"id", "volt-garage", "name", "Volt Garage", "tier", "pro", "kind", "company", "status", "active", "version", "1", "manifest.origins.0", "https://volt.example")
	volt := projects + "/volt-garage"
	want(t, s.Post(op, volt+"/assistants", `{"id":"desk","name":"Desk","instructions":"You answer."}`), 200, "version", "1", "instructions", "You answer.")
	files := `{"files":{"company.yaml":"name: Volt Garage\ntier: pro\norigins: [\"https://volt.example\"]\n","knowledge/fees.md":"---\ntitle: Fees\n---\nA charger check costs $75."}}`
	want(t, s.Do(op, "PUT", volt+"/files", files), 200, "dry_run", "false", "changes.0.path", "company.yaml", "changes.1.change", "added")
	key := s.Post(op, volt+"/keys", `{"kind":"secret"}`).Get("key")
	want(t, s.Post(key, "/v1/chat", `{"assistant":"desk","message":"What does a charger check cost?"}`), 200, "citations.0.document_id", "fees")

	desk := volt + "/assistants/desk"
	want(t, s.Do(op, "PATCH", desk, `{"name":"Front desk","greeting":"Hello."}`), 200, "version", "2", "name", "Front desk", "greeting", "Hello.")
	want(t, s.Do(op, "PATCH", desk, `{"greeting":null}`), 200, "version", "3", "greeting", "")
	want(t, s.Do(op, "GET", desk+"?version=2", ""), 200, "greeting", "Hello.")
	want(t, s.Do(op, "GET", desk+"/versions?limit=2", ""), 200, "data.0.version", "3", "data.1.version", "2")
	want(t, s.Post(op, desk+"/rollback", `{"version":1}`), 200, "version", "4", "name", "Desk")
	want(t, s.Do(op, "DELETE", desk, ""), 200, "deleted", "true")
	want(t, s.Post(key, "/v1/chat", `{"assistant":"desk","message":"Hello?"}`), 404)
	want(t, s.Post(op, desk+"/rollback", `{"version":4}`), 200, "version", "6")
	want(t, s.Post(key, "/v1/chat", `{"assistant":"desk","message":"Hello?"}`), 200)

	want(t, s.Do(op, "PATCH", volt, `{"name":"Volt","tier":"free"}`), 200, "name", "Volt", "tier", "free", "manifest.origins.0", "https://volt.example")
	want(t, s.Do(op, "GET", projects+"?limit=100", ""), 200, "data.3.id", "volt-garage", "data.3.tier", "free")
	want(t, s.Post(op, volt+"/rollback", `{"version":1}`), 200, "name", "Volt Garage", "tier", "pro")
	if listed := s.Do(op, "GET", projects+"?limit=2", ""); strings.Count(listed.Body, `"id"`) != 2 || listed.Get("next_cursor") == "" {
		t.Errorf("a page: %s", listed.Body)
	}
	// The neighbours have nothing of it.
	want(t, s.Post(s.Key(apptest.Alpha), "/v1/chat", `{"assistant":"desk","message":"Hello?"}`), 404)
}

func TestWhatDefinesNothing(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	op := operator(t, s)
	for body, field := range map[string]string{
		`{}`:                                                  "id",
		`{"id":"ab","name":"x"}`:                              "id",
		`{"id":"Acme","name":"x"}`:                            "id",
		`{"id":"a#b-c","name":"x"}`:                           "id",
		`{"id":5,"name":"x"}`:                                 "id",
		`{"id":"acme"}`:                                       "name",
		`{"id":"acme","name":5}`:                              "name",
		`{"id":"acme","name":"x","tier":1}`:                   "tier",
		`{"id":"acme","name":"x","teir":"pro"}`:               "teir",
		`{"id":"acme","name":"x","brand":{"color":"red"}}`:    "brand.color",
		`{"id":"acme","name":"x","origins":["https://a.b/"]}`: "origins[0]",
		`{"id":"acme","name":"x","name":"y"}`:                 "name",
		`[]`:                                                  "body",
	} {
		a := s.Post(op, projects, body)
		want(t, a, 400, "field", field)
		if strings.Contains(a.Body, ".yaml:") {
			t.Errorf("%s: %s speaks of a file that nobody sent", body, a.Body)
		}
	}
	want(t, s.Do(op, "GET", projects+"/acme", ""), 404)
	assistants := projects + "/alpha/assistants"
	for body, field := range map[string]string{
		`{"id":"desk"}`:                                  "instructions",
		`{"id":"d","instructions":"x"}`:                  "id",
		`{"instructions":"x"}`:                           "id",
		`{"id":"desk","instructions":7}`:                 "instructions",
		`{"id":"../x","instructions":"x"}`:               "id",
		`{"id":"desk","model":"gpt","instructions":"x"}`: "model",
	} {
		want(t, s.Post(op, assistants, body), 400, "field", field)
	}
	want(t, s.Do(op, "PATCH", assistants+"/website", `{"id":"other"}`), 400, "field", "id")
	for _, path := range []string{"/none", "/none/versions", "/%2e%2e%2fcompany", "/website?version=99"} {
		want(t, s.Do(op, "GET", assistants+path, ""), 404)
	}
	want(t, s.Do(op, "PATCH", assistants+"/none", `{"name":"x"}`), 404)
	want(t, s.Do(op, "DELETE", assistants+"/none", ""), 404)
	want(t, s.Post(op, assistants+"/website/rollback", `{"version":0}`), 400, "field", "version")
	want(t, s.Do(op, "PUT", projects+"/alpha/files", `{"files":{"company.yaml":"name: A\ntier: gold"}}`), 400, "field", "tier", "detail", `company.yaml:2:7: tier is "gold"; expected free, standard, pro or enterprise`)
	want(t, s.Do(op, "PUT", projects+"/alpha/files", `{"files":{}}`), 400)
	want(t, s.Do(op, "PUT", projects+"/nobody/files", `{"files":{"company.yaml":"name: A"}}`), 404)
	want(t, s.Do(op, "GET", projects+"/alpha", ""), 200, "name", "Alpha", "version", "1")
}

// A create whose answer was lost is sent again; another of the same id changes nothing.
func TestAProjectIsMadeOnce(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	op := operator(t, s)
	body := `{"id":"acme","name":"Acme","tier":"pro"}`
	want(t, s.Post(op, projects, body), 200, "version", "1")
	want(t, s.Post(op, projects, `{"tier":"pro","name":"Acme","id":"acme"}`), 200, "version", "1")
	want(t, s.Post(op, projects, `{"id":"acme","name":"Mallory"}`), 409, "detail", "There is a project of this id already.")
	want(t, s.Post(op, projects, `{"id":"alpha","name":"Mallory"}`), 409)
	want(t, s.Do(op, "GET", projects+"/acme", ""), 200, "name", "Acme")
	want(t, s.Do(op, "GET", projects+"/alpha", ""), 200, "name", "Alpha")

	// What an earlier try left half-way is no project, and does not stand in the way.
	id, err := tenant.ParseID("torn")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Local.Catalog.Put(t.Context(), auth.ForWork(id, "test"), "company.yaml", catalog.Create, func(string) (string, error) { return "name: Half\n", nil }); err != nil {
		t.Fatal(err)
	}
	want(t, s.Do(op, "GET", projects+"/torn", ""), 404)
	want(t, s.Post(op, projects, `{"id":"torn","name":"Whole"}`), 200, "name", "Whole")

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { want(t, s.Post(op, projects, `{"id":"at-once","name":"At once"}`), 200, "version", "1") })
	}
	wg.Wait()
}

// What is made, too, is on the company's own record before it is made.
func TestTheMakingIsOnRecord(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	op := operator(t, s)
	want(t, s.Post(op, projects, `{"id":"acme","name":"Acme"}`), 200)
	want(t, s.Post(op, projects+"/acme/assistants", `{"id":"desk","instructions":"You answer."}`), 200)
	want(t, s.Do(op, "DELETE", projects+"/acme/assistants/desk", ""), 200)
	id, err := tenant.ParseID("acme")
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := s.Local.Audit.List(t.Context(), auth.ForWork(id, "test"), 10, "")
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	seen := map[string]bool{}
	for _, e := range got {
		seen[e.Action+" "+strings.Join(e.IDs, ",")] = e.As == "operator_key" && strings.HasPrefix(op, "op_"+e.Actor)
	}
	for _, action := range []string{"POST /admin/v1/projects ", "POST /admin/v1/projects/{project}/assistants ", "DELETE /admin/v1/projects/{project}/assistants/{assistant} desk"} {
		if !seen[action] {
			t.Errorf("%q is not on record: %+v", action, got)
		}
	}
}
