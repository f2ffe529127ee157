package apptest_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sync/errgroup"

	"switchboard/shared/app/apptest"
	"switchboard/shared/company"
	"switchboard/shared/company/catalog"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

var (
	manyCompanies = flag.Int("companies", 60, "how many companies, of ten assistants each, one process is to have")
	openCompanies = flag.Int("open", 256, "how many companies' files are kept open")
	manyTurns     = flag.Int("turns", 300, "how many turns are timed in each of the two worlds")
)

// TestManyCompanies has one process serve many companies. `make scale` has it do so with
// 1,000 of them and prints what a turn takes beside one of four. Here, where others use
// the machine, only what can be counted is asserted.
func TestManyCompanies(t *testing.T) {
	s := apptest.Start(t, apptest.Options{Open: *openCompanies})
	many := firm(*manyCompanies)
	began := time.Now()
	var g errgroup.Group
	g.SetLimit(8)
	for n := range *manyCompanies {
		g.Go(func() error { return bring(t.Context(), s, firm(n)) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d companies with 10 assistants each brought in %v", *manyCompanies, time.Since(began).Round(time.Millisecond))

	// One more, by the API, touches nothing of anybody else's.
	_, secret, err := s.Local.Directory.Issue(t.Context(), auth.Credential{Kind: auth.OperatorKey})
	if err != nil {
		t.Fatal(err)
	}
	before, op := written(t, s), secret.Reveal()
	began = time.Now()
	if a := s.Post(op, "/admin/v1/projects", `{"id":"`+many+`","name":"One more"}`); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := s.Post(op, "/admin/v1/projects/"+many+"/assistants", `{"id":"bot-0","instructions":"You answer."}`); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	key := s.Post(op, "/admin/v1/projects/"+many+"/keys", `{"kind":"secret"}`).Get("key")
	if a := s.Post(key, "/v1/chat", `{"assistant":"bot-0","message":"Hello?"}`); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	t.Logf("a company made by the API answered its first question after %v", time.Since(began).Round(time.Millisecond))
	if after := written(t, s); !slices.Equal(before, after) {
		t.Errorf("others were written to: %v became %v", before, after)
	}

	keys := make([]string, *manyCompanies)
	for n := range keys {
		keys[n] = s.Key(firm(n))
	}
	measure := func(of []string) (median, p99 time.Duration) {
		r := rand.New(rand.NewPCG(1, 2))
		var took []time.Duration
		for n := range *manyTurns + len(of) {
			i := n // each once before it is timed
			if n >= len(of) {
				i = r.IntN(len(of))
			}
			began := time.Now()
			body := fmt.Sprintf(`{"assistant":"bot-%d","message":"What does a visit cost?"}`, r.IntN(10))
			if a := s.Post(of[i], "/v1/chat", body); a.Status != 200 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			if n >= len(of) {
				took = append(took, time.Since(began))
			}
		}
		slices.Sort(took)
		return took[len(took)/2], took[len(took)*99/100]
	}
	m4, p4 := measure(keys[:4])
	m, p := measure(keys)
	t.Logf("a turn among 4 companies: median %v, p99 %v; among %d: %v, %v (p99 %.2f times)", m4, p4, len(keys), m, p, float64(p)/float64(p4))
	t.Logf("peak memory %s, with at most %d companies' files open", peak(), *openCompanies)
}

// A company whose folder finds no room beside what the API has made stays as it is, and
// keeps nobody from being served.
func TestAFolderWithoutRoomStopsNobody(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := apptest.Start(t, apptest.Options{Data: data})
	op, id := auth.Credential{Kind: auth.OperatorKey}, apptest.Alpha
	_, secret, err := s.Local.Directory.Issue(t.Context(), op)
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	for n := range catalog.MaxAssistants {
		if a := s.Post(secret.Reveal(), "/admin/v1/projects/"+id+"/assistants", fmt.Sprintf(`{"id":"made-%d","instructions":"You answer."}`, n)); a.Status == 200 {
			made++
		}
	}
	if made == catalog.MaxAssistants {
		t.Fatal("control: there was room for all")
	}
	s.Stop()
	folder := fstest.MapFS{id + "/assistants/one-more.md": {Data: []byte("You answer.")}}
	s = apptest.Start(t, apptest.Options{Data: data, Company: folder})
	for _, project := range []string{id, apptest.Beta} {
		if a := s.Post(s.Key(project), "/v1/chat", `{"assistant":"website","message":"What does a visit cost?"}`); a.Status != 200 {
			t.Errorf("%s: %d %s", project, a.Status, a.Body)
		}
	}
	if a := s.Post(s.Key(id), "/v1/chat", `{"assistant":"one-more","message":"Hello?"}`); a.Status != 404 {
		t.Errorf("control: %d %s", a.Status, a.Body)
	}
}

func firm(n int) string { return fmt.Sprintf("firm-%d", n) }

// bring brings a company of ten assistants and an article.
func bring(ctx context.Context, s *apptest.Server, name string) error {
	f := company.Files{company.Manifest: "name: " + name + "\n", "knowledge/fees.md": "A visit to " + name + " costs $149."}
	for n := range 10 {
		f[company.AssistantFile(fmt.Sprintf("bot-%d", n))] = "You answer for " + name + "."
	}
	id, err := tenant.ParseID(name)
	if err != nil {
		return err
	}
	_, err = s.Local.Admin.Apply(ctx, auth.ForWork(id, "test"), catalog.FolderOf(f), false)
	return err
}

// written counts what was ever written to each company's data.
func written(t *testing.T, s *apptest.Server) []int {
	t.Helper()
	out := make([]int, *manyCompanies)
	for n := range out {
		id, err := tenant.ParseID(firm(n))
		if err != nil {
			t.Fatal(err)
		}
		changes, _, err := s.Local.Chat.Table.Changes(t.Context(), auth.ForWork(id, "test"), "", 1000)
		if out[n] = len(changes); err != nil || len(changes) == 0 {
			t.Fatalf("%d changes, %v", len(changes), err)
		}
	}
	return out
}

// peak is the most memory that this process ever had, where there is /proc.
func peak() string {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}
