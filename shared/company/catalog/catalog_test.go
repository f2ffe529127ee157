package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchboard/shared/company"
	"switchboard/shared/company/catalog"
	"switchboard/shared/problem"
	"switchboard/shared/seal/sealtest"
	"switchboard/shared/table"
	"switchboard/shared/table/sqlitetable"
	"switchboard/shared/table/tabletest"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

const site = "assistants/website.md"

// shelf is a catalog over a table that a test can look into, and make fail.
type shelf struct {
	*catalog.Catalog
	table  *table.Table
	before atomic.Pointer[func(method string) error]
}

func open(t *testing.T) *shelf {
	t.Helper()
	tb, err := sqlitetable.Open(t.TempDir(), make([]byte, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tb.Close() })
	s := &shelf{}
	s.table = tabletest.Observe(tb, func(_ context.Context, method string) error {
		if f := s.before.Load(); f != nil {
			return (*f)(method)
		}
		return nil
	}).SealedBy(sealtest.New(t))
	s.Catalog = catalog.New(s.table, 1<<20)
	return s
}

func acme() tenant.Scope { return tenanttest.Scope("acme") }

func files(more ...string) company.Files {
	f := company.Files{company.Manifest: "name: Acme\n", site: "You answer for Acme.", "knowledge/fees.md": "A visit costs $10."}
	for i := 0; i+1 < len(more); i += 2 {
		if f[more[i]] = more[i+1]; more[i+1] == "" {
			delete(f, more[i])
		}
	}
	return f
}

func (s *shelf) sync(t *testing.T, f company.Files, want ...string) {
	t.Helper()
	for _, dry := range []bool{true, false} { // what is shown is what is done
		got, err := s.Sync(t.Context(), acme(), catalog.FolderOf(f), dry)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, c := range got {
			lines = append(lines, string(c.What)+" "+c.Path)
		}
		if d := cmp.Diff(want, lines); d != "" {
			t.Errorf("dry %v (-want +got)\n%s", dry, d)
		}
	}
}

func put(text string) catalog.Edit { return func(string) (string, error) { return text, nil } }

func (s *shelf) entry(t *testing.T) company.Entry {
	t.Helper()
	e, err := s.Company(t.Context(), acme())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (s *shelf) instructions(t *testing.T) string {
	t.Helper()
	a, _ := s.entry(t).Assistant("website")
	return a.Instructions
}

func TestAFolderIsBrought(t *testing.T) {
	t.Parallel()
	s := open(t)
	if _, err := s.Company(t.Context(), acme()); !problem.Is(err, problem.NotFound) {
		t.Errorf("before: %v", err)
	}
	s.sync(t, files(), "added assistants/website.md", "added company.yaml", "added knowledge/fees.md")
	if e := s.entry(t); e.Name != "Acme" || len(e.Assistants) != 1 || e.Learned == "" || len(e.Version) != 12 {
		t.Errorf("%+v", e)
	}
	known, err := s.Articles(t.Context(), acme())
	if err != nil || len(known) != 1 || known[0].Text != "A visit costs $10." {
		t.Errorf("%+v, %v", known, err)
	}
	before := s.entry(t)
	s.sync(t, files())
	if e := s.entry(t); e.Version != before.Version || e.Learned != before.Learned {
		t.Errorf("nothing changed, and %+v became %+v", before, e)
	}
	s.sync(t, files("knowledge/fees.md", "A visit costs $12."), "changed knowledge/fees.md")
	if e := s.entry(t); e.Version == before.Version || e.Learned == before.Learned {
		t.Errorf("an article changed, and the version is %s still", e.Version)
	}
	s.sync(t, files("knowledge/fees.md", ""), "removed knowledge/fees.md")
	if known, err := s.Articles(t.Context(), acme()); err != nil || len(known) != 0 {
		t.Errorf("%+v, %v", known, err)
	}
	if _, err := s.Company(t.Context(), tenanttest.Scope("other")); !problem.Is(err, problem.NotFound) {
		t.Errorf("another company: %v", err)
	}
}

// What is changed here stays until the folder changes; what is made here is no folder's.
func TestAFolderThatIsBroughtAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	s.sync(t, files(), "added assistants/website.md", "added company.yaml", "added knowledge/fees.md")
	if _, err := s.Put(ctx, acme(), site, catalog.Update, put("You answer better.")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, acme(), "assistants/night.md", catalog.Create, put("You answer at night.")); err != nil {
		t.Fatal(err)
	}
	s.sync(t, files(), "kept assistants/website.md")
	if got := s.instructions(t); got != "You answer better." {
		t.Errorf("the change was lost: %q", got)
	}
	s.sync(t, files(site, "You answer anew."), "changed assistants/website.md")
	if got := s.instructions(t); got != "You answer anew." {
		t.Errorf("the folder's change was not brought: %q", got)
	}
	if _, err := s.Delete(ctx, acme(), site); err != nil {
		t.Fatal(err)
	}
	s.sync(t, files(site, "You answer anew."), "kept assistants/website.md")
	if _, ok := s.entry(t).Assistant("website"); ok {
		t.Error("what was deleted here came back")
	}
	forced := catalog.FolderOf(files(site, "You answer anew."))
	forced.Force = true
	if _, err := s.Sync(ctx, acme(), forced, false); err != nil || s.instructions(t) != "You answer anew." {
		t.Errorf("by force: %v, %q", err, s.instructions(t))
	}
	if _, ok := s.entry(t).Assistant("night"); !ok {
		t.Error("what is no folder's was removed")
	}
	// A folder that says what is here already takes it over.
	s.sync(t, files(site, "You answer anew.", "assistants/night.md", "You answer at night."))
	s.sync(t, files(site, "You answer anew."), "removed assistants/night.md")
}

func TestVersionsAndRollback(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	s.sync(t, files(), "added assistants/website.md", "added company.yaml", "added knowledge/fees.md")
	for i := 2; i <= 4; i++ {
		f, err := s.Put(ctx, acme(), site, catalog.Update, put(fmt.Sprint("Answer ", i)))
		if err != nil || f.Version != i || f.By != acme().Actor() {
			t.Fatalf("%+v, %v", f, err)
		}
		if f, err := s.Put(ctx, acme(), site, catalog.Update, put(fmt.Sprint("Answer ", i))); err != nil || f.Version != i {
			t.Errorf("the same again: %+v, %v", f, err)
		}
	}
	if f, err := s.Rollback(ctx, acme(), site, 2); err != nil || f.Version != 5 || f.Text != "Answer 2" || s.instructions(t) != "Answer 2" {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := s.Delete(ctx, acme(), site); err != nil || f.Version != 6 {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := s.Delete(ctx, acme(), site); err != nil || f.Version != 6 {
		t.Errorf("again: %+v, %v", f, err)
	}
	if _, err := s.File(ctx, acme(), site, 0); !problem.Is(err, problem.NotFound) {
		t.Errorf("%v", err)
	}
	if _, err := s.Rollback(ctx, acme(), site, 6); !problem.Is(err, problem.Invalid) {
		t.Errorf("to where it was gone: %v", err)
	}
	if f, err := s.Rollback(ctx, acme(), site, 4); err != nil || f.Version != 7 || s.instructions(t) != "Answer 4" {
		t.Errorf("%+v, %v", f, err)
	}
	var seen []int
	for cursor := ""; ; {
		page, next, err := s.Versions(ctx, acme(), site, 3, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page {
			seen = append(seen, f.Version)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if !slices.Equal(seen, []int{7, 6, 5, 4, 3, 2, 1}) {
		t.Errorf("versions %v", seen)
	}
	if f, err := s.File(ctx, acme(), site, 3); err != nil || f.Text != "Answer 3" {
		t.Errorf("%+v, %v", f, err)
	}
	for _, version := range []int{-1, 0, 8, 1 << 40} {
		if _, err := s.Rollback(ctx, acme(), site, version); err == nil {
			t.Errorf("rolled back to %d", version)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	s.sync(t, files(), "added assistants/website.md", "added company.yaml", "added knowledge/fees.md")
	before := s.entry(t).Version
	for name, c := range map[string]struct {
		do   func() error
		kind problem.Kind
	}{
		"a mistake":            {func() error { _, err := s.Put(ctx, acme(), site, catalog.Update, put("")); return err }, problem.Invalid},
		"what is not there":    {func() error { _, err := s.Put(ctx, acme(), "assistants/none.md", catalog.Update, put("x")); return err }, problem.NotFound},
		"a name that is taken": {func() error { _, err := s.Put(ctx, acme(), site, catalog.Create, put("another")); return err }, problem.Conflict},
		"a path that is none":  {func() error { _, err := s.Put(ctx, acme(), "../x", catalog.Create, put("x")); return err }, problem.Invalid},
		"a strange name":       {func() error { _, err := s.Put(ctx, acme(), "assistants/A#b.md", catalog.Create, put("x")); return err }, problem.Invalid},
		"no manifest":          {func() error { _, err := s.Delete(ctx, acme(), company.Manifest); return err }, problem.Internal},
		"the zero scope":       {func() error { _, err := s.Put(ctx, tenant.Scope{}, site, catalog.Update, put("x")); return err }, problem.Internal},
		"a folder without one": {func() error { _, err := s.Sync(ctx, acme(), catalog.Folder{}, false); return err }, problem.Invalid},
		"a wrong hash": {func() error {
			f := catalog.FolderOf(files())
			f.Hashes[site] = catalog.Hash("x")
			_, err := s.Sync(ctx, acme(), f, false)
			return err
		}, problem.Invalid},
		"a folder with a mistake": {func() error {
			_, err := s.Sync(ctx, acme(), catalog.FolderOf(files(site, "Changed.", "assistants/two.md", " ")), false)
			return err
		}, problem.Invalid},
	} {
		if err := c.do(); !problem.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
		}
	}
	if e := s.entry(t); e.Version != before {
		t.Errorf("something of it was stored: %+v", e)
	}
}

// Writers of one file come one after another, and readers see whole states alone.
func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.sync(t, files(), "added assistants/website.md", "added company.yaml", "added knowledge/fees.md")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := s.Put(t.Context(), acme(), site, catalog.Update, func(old string) (string, error) { return old + fmt.Sprint("\n", i), nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f, err := s.File(t.Context(), acme(), site, 0)
	if err != nil || f.Version != 9 || strings.Count(f.Text, "\n") != 8 {
		t.Errorf("%+v, %v", f, err)
	}
}

// A write that failed may have happened; the next Sync makes whole what is not.
func TestASyncThatFailsIsDoneByTheNext(t *testing.T) {
	t.Parallel()
	s := open(t)
	many := files()
	for i := range 60 { // more than one write takes
		many[fmt.Sprintf("knowledge/a%02d.md", i)] = fmt.Sprint("Article ", i)
	}
	writes := 0
	fail := func(method string) error {
		if method == "Write" {
			if writes++; writes == 2 {
				return errors.New("throttled")
			}
		}
		return nil
	}
	s.before.Store(&fail)
	if _, err := s.Sync(t.Context(), acme(), catalog.FolderOf(many), false); !problem.Is(err, problem.Unavailable) {
		t.Fatalf("control: %v", err)
	}
	if e := s.entry(t); len(e.Assistants) != 1 {
		t.Errorf("%+v", e)
	}
	if _, err := s.Sync(t.Context(), acme(), catalog.FolderOf(many), false); err != nil {
		t.Fatal(err)
	}
	known, err := s.Articles(t.Context(), acme())
	if err != nil || len(known) != 61 {
		t.Errorf("%d articles, %v", len(known), err)
	}
	s.sync(t, many)
}

// A company is read with one query, and then held.
func TestWhatACompanyCosts(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.sync(t, files(), "added assistants/website.md", "added company.yaml", "added knowledge/fees.md")
	var calls []string
	count := func(method string) error { calls = append(calls, method); return nil }
	s.before.Store(&count)
	for range 3 {
		s.entry(t)
	}
	if !slices.Equal(calls, []string{"Query"}) {
		t.Errorf("calls %v", calls)
	}
}

// What another process wrote is seen by who finds that there is nothing left to write.
func TestARetryElsewhereSeesWhatIsThere(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.sync(t, files(), "added assistants/website.md", "added company.yaml", "added knowledge/fees.md")
	s.entry(t)
	other := catalog.New(s.table, 1<<20)
	for _, c := range []*catalog.Catalog{other, s.Catalog} {
		if f, err := c.Put(t.Context(), acme(), company.Manifest, catalog.Update, put("name: Renamed\n")); err != nil || f.Version != 2 {
			t.Fatalf("%+v, %v", f, err)
		}
	}
	if e := s.entry(t); e.Name != "Renamed" {
		t.Errorf("it is still %q", e.Name)
	}
}

// Nothing is removed while a text is missing: what has a new name would be gone.
func TestNothingIsRemovedBeforeAllIsThere(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.sync(t, files(), "added assistants/website.md", "added company.yaml", "added knowledge/fees.md")
	renamed := catalog.FolderOf(files("knowledge/fees.md", "", "knowledge/prices.md", "A visit costs $10."))
	text := renamed.Files["knowledge/prices.md"]
	delete(renamed.Files, "knowledge/prices.md")
	got, err := s.Sync(t.Context(), acme(), renamed, false)
	if d := cmp.Diff([]catalog.Change{{Path: "knowledge/prices.md", What: catalog.Added, Wanted: true}}, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	if known, err := s.Articles(t.Context(), acme()); err != nil || len(known) != 1 {
		t.Errorf("%d articles, %v", len(known), err)
	}
	renamed.Files["knowledge/prices.md"] = text
	got, err = s.Sync(t.Context(), acme(), renamed, false)
	if d := cmp.Diff([]catalog.Change{{Path: "knowledge/prices.md", What: catalog.Added}, {Path: "knowledge/fees.md", What: catalog.Removed}}, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := open(t)
	many := files()
	for i := range catalog.MaxAssistants - 1 {
		many[company.AssistantFile(fmt.Sprintf("bot-%d", i))] = "You answer."
	}
	if _, err := s.Sync(t.Context(), acme(), catalog.FolderOf(many), false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), acme(), "assistants/one-more.md", catalog.Create, put("x")); !problem.Is(err, problem.Conflict) {
		t.Errorf("one more: %v", err)
	}
	many["assistants/one-more.md"] = "x"
	if _, err := s.Sync(t.Context(), acme(), catalog.FolderOf(many), false); !problem.Is(err, problem.Conflict) {
		t.Errorf("one more in the folder: %v", err)
	}
	delete(many, "assistants/bot-0.md") // that is to say, it was given another name
	if _, err := s.Sync(t.Context(), acme(), catalog.FolderOf(many), false); err != nil {
		t.Errorf("another name: %v", err)
	}
	many["knowledge/more.md"] = "x"
	if _, err := s.Sync(t.Context(), acme(), catalog.FolderOf(many), false); err != nil {
		t.Errorf("an article beside as many as there can be: %v", err)
	}
}
