package isolationtest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/shared/app/apptest"
	"switchboard/shared/attack"
)

// minted are the texts that differ from run to run: ids, tokens, cursors, times.
var minted = regexp.MustCompile(`eyJ[A-Za-z0-9_.-]{60,}|\bv_[0-9a-z_]{30,}|\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b|\d{4}-\d\d-\d\dT[0-9:.]+Z|"next_cursor":"[^"]+"`)

// renamer calls what is minted by the order in which it is seen. Times are all alike.
type renamer map[string]string

func (n renamer) rename(s string) string {
	return minted.ReplaceAllStringFunc(s, func(m string) string {
		if strings.Contains(m, "T") && strings.HasSuffix(m, "Z") && strings.Count(m, ":") == 2 {
			return "<time>"
		}
		if n[m] == "" {
			n[m] = fmt.Sprintf("<%d>", len(n)+1)
		}
		return n[m]
	})
}

// side is one of the two worlds, with what tenant A saw in it.
type side struct {
	*world
	names renamer
	convs map[string][]string // by who, their conversations in order
	log   []string
}

// see writes an answer into A's transcript, and returns it.
func (s *side) see(a *attempt) response {
	r := s.send(a)
	var head []string
	for _, k := range slices.Sorted(maps.Keys(r.header)) {
		if k != "Date" && k != "X-Request-Id" && k != "Content-Length" { // a time's last zeros are not written
			head = append(head, k+": "+strings.Join(r.header[k], ","))
		}
	}
	s.log = append(s.log, s.names.rename(fmt.Sprintf("%s %s %s -> %d %s\n%s", a.who.name, a.method, a.target, r.status, strings.Join(head, "; "), r.body)))
	return r
}

// tick waits for the next millisecond. Ids are ordered by it: of two turns that one
// client takes within the same one, either may come first in a conversation.
func tick() {
	for began := time.Now().UnixMilli(); time.Now().UnixMilli() == began; {
		runtime.Gosched()
	}
}

// act does one thing of A's. What it is follows from rng alone, so that both worlds are
// done the same.
func (s *side) act(rng *rand.Rand, theirs string) {
	who := s.by[attack.Pick(rng, []string{"sk", "ada", "bob", "sk", "viewer"})]
	mine := s.convs[who.name]
	conv := unknownConv
	n, fresh, wrong := rng.IntN(1<<20), rng.IntN(4) == 0, rng.IntN(6) == 0
	switch {
	case wrong:
		conv = theirs // B's: in A's eyes as unknown as any
	case len(mine) > 0:
		conv = mine[n%len(mine)]
	}
	body := fmt.Sprintf(`{"assistant":"website","message":"What does a visit cost? %d"`, n%7)
	key := fmt.Sprintf("key-%d", n%40) // now and then one that was used
	switch rng.IntN(6) {
	case 0, 1:
		more := `,"conversation_id":"` + conv + `"}`
		if fresh {
			more = "}"
		}
		a := &attempt{who: who, method: "POST", target: "/v1/chat", body: body + more}
		if n%3 == 0 {
			a.header = []string{"Idempotency-Key", key}
		}
		tick()
		if r := s.see(a); r.status == 200 && fresh {
			s.convs[who.name] = append(mine, apptest.Get(r.body, "conversation_id"))
		}
	case 2, 3:
		s.see(&attempt{who: who, method: "GET", target: "/v1/conversations/" + conv + fmt.Sprintf("?limit=%d", 1+n%3)})
	case 4:
		s.see(&attempt{who: s.by["pk"], method: "POST", target: "/v1/widget/token", body: fmt.Sprintf(`{"assistant":"%s"}`, attack.Pick(rng, []string{"website", word("desk", beta), word("desk", alpha)}))})
	case 5:
		s.see(&attempt{who: who, method: "GET", target: "/v1/models/" + attack.Pick(rng, []string{"website", word("desk", alpha), word("desk", beta), "no-such"})})
	}
}

// disturb has B do something of its own, in the second world alone.
func (s *side) disturb(rng *rand.Rand) error {
	b := s.by["sk(neighbour)"]
	switch rng.IntN(8) {
	case 0:
		return s.revive(beta, rng.IntN(2) == 0)
	case 1, 2:
		s.send(&attempt{who: b, method: "POST", target: "/v1/chat", body: `{"assistant":"website","message":"What does a visit cost?"}`, header: []string{"Idempotency-Key", fmt.Sprintf("key-%d", rng.IntN(40))}})
	case 3:
		for _, conv := range s.convs["ada"] { // knocks at A's
			s.send(&attempt{who: b, method: "POST", target: "/v1/chat", body: `{"assistant":"website","message":"hi","conversation_id":"` + conv + `"}`})
		}
	case 4:
		s.send(&attempt{who: s.by["op"], method: "POST", target: "/admin/v1/projects/" + beta + "/keys", body: `{"kind":"secret"}`})
	default:
		s.send(&attempt{who: b, method: "GET", target: "/v1/models"})
	}
	return nil
}

// TestTwoWorlds: A sees the same in two worlds that differ in B alone.
func TestTwoWorlds(t *testing.T) {
	t.Parallel()
	began := time.Now()
	worlds := [2]*side{}
	for n := range worlds {
		worlds[n] = &side{world: newWorld(t), names: renamer{}, convs: map[string][]string{}}
	}
	theirs := worlds[1].by["sk(neighbour)"].conv // in the first world it is nobody's
	lines, served := 0, 0
	for p := range *programs {
		var g sync.WaitGroup
		for n, s := range worlds {
			s.log, s.names, s.convs = nil, renamer{theirs: "<theirs>"}, map[string][]string{}
			g.Go(func() {
				rng, other := rand.New(rand.NewPCG(*seed, uint64(p))), rand.New(rand.NewPCG(*seed+1, uint64(p)))
				for range *actions {
					if n == 1 {
						if err := s.disturb(other); err != nil {
							t.Error(err)
						}
					}
					s.act(rng, theirs)
				}
			})
		}
		g.Wait()
		for n, line := range worlds[0].log {
			lines++
			if strings.Contains(line, " -> 200") {
				served++
			}
			if n >= len(worlds[1].log) || line != worlds[1].log[n] {
				t.Fatalf("seed %d, program %d, action %d: A sees\n%s\n\nand, beside another B,\n%s", *seed, p, n, line, worlds[1].log[n])
			}
		}
	}
	if served < lines/4 {
		t.Errorf("control: %d of %d actions were served", served, lines)
	}
	t.Logf("two worlds: %d programs, %d answers of which %d served, all alike, seed %d, %.2fs", *programs, lines, served, *seed, time.Since(began).Seconds())
}
