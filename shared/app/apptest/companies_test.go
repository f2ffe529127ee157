package apptest_test

import (
	"cmp"
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
	"switchboard/shared/app/local"
	"switchboard/shared/company"
	"switchboard/shared/company/catalog"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

var (
	manyCompanies = flag.Int("companies", 60, "how many companies, of ten assistants each, one process is to have")
	openCompanies = flag.Int("open", 0, "how many companies' files are kept open; 0 = what the server takes by itself")
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

	few := apptest.Start(t, apptest.Options{Open: *openCompanies})
	worlds := []*world{{server: few}, {server: s}}
	for n := range *manyCompanies {
		if n < 4 {
			if err := bring(t.Context(), few, firm(n)); err != nil {
				t.Fatal(err)
			}
			worlds[0].keys = append(worlds[0].keys, few.Key(firm(n)))
		}
		worlds[1].keys = append(worlds[1].keys, s.Key(firm(n)))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, w := range worlds {
		for _, key := range w.keys { // each once before it is timed
			w.ask(t, r, key)
		}
	}
	for range 2 * *manyTurns { // by chance, so that what disturbs the one disturbs the other
		w := worlds[r.IntN(2)]
		w.took = append(w.took, w.ask(t, r, w.keys[r.IntN(len(w.keys))]))
	}
	m4, p4 := worlds[0].times()
	m, p := worlds[1].times()
	t.Logf("a turn among 4 companies: median %v, p99 %v; among %d: %v, %v (p99 %.2f times)", m4, p4, *manyCompanies, m, p, float64(p)/float64(p4))
	t.Logf("peak memory %s, with at most %d companies' files open", peak(), cmp.Or(*openCompanies, local.OpenFiles()))
}

// world is a process with companies, and what turns took in it.
type world struct {
	server *apptest.Server
	keys   []string // of a company each
	took   []time.Duration
}

// ask takes a turn of the key's company, with an assistant of its ten.
func (w *world) ask(t *testing.T, r *rand.Rand, key string) time.Duration {
	t.Helper()
	began := time.Now()
	if a := w.server.Post(key, "/v1/chat", fmt.Sprintf(`{"assistant":"bot-%d","message":"What does a visit cost?"}`, r.IntN(10))); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return time.Since(began)
}

func (w *world) times() (median, p99 time.Duration) {
	slices.Sort(w.took)
	return w.took[len(w.took)/2], w.took[len(w.took)*99/100]
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
