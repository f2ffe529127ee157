package isolationtest_test

import (
	"context"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchboard/shared/app"
	"switchboard/shared/problem"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/auth"
)

// behind puts an authorizer before the companies' routes, whose gate then reads no
// directory, as on AWS. The operator's routes keep theirs.
func (w *world) behind() {
	l := w.server.Local
	text, err := os.ReadFile(filepath.Join(w.server.Data, "master.key"))
	if err != nil {
		w.t.Fatal(err)
	}
	master, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range everyone { // who were there before anybody kept standings
		id, err := tenant.ParseID(name)
		if err == nil {
			err = l.Directory.WithStandings(l.Chat.Table).KeepStanding(context.Background(), id)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	authorizer, err := auth.NewAuthorizer(l.Directory, master)
	if err != nil {
		w.t.Fatal(err)
	}
	p := l.Parts
	if p.Gate, err = auth.NewGateBehind(master, l.Chat.Table, app.Sites{Companies: l.Catalog}, l.Audit); err != nil {
		w.t.Fatal(err)
	}
	chat, admin := app.Chat(&p).(*auth.Door), w.handler
	w.handler = http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			admin.ServeHTTP(out, r)
			return
		}
		said, err := authorizer.Authorize(r.Context(), r.Header)
		if err != nil && !problem.Is(err, problem.Unauthenticated) {
			w.t.Errorf("the authorizer: %v", err)
		}
		chat.ServePrincipal(out, r, said.Principal) // without its word, whom a gateway would stop
	})
}

// TestMatrixBehindAnAuthorizer is a round of TestMatrix as on AWS: every cell once.
func TestMatrixBehindAnAuthorizer(t *testing.T) {
	t.Parallel()
	began := time.Now()
	w := newWorld(t)
	cells := w.cells() // which makes keys, so before standings are kept
	w.behind()
	w.probe()
	w.controls(t)
	r := &runner{w: w, t: t, score: map[int]*tally{}}
	r.rounds(cells, min(*attempts, len(cells)))
	r.print(began, len(cells))
}
