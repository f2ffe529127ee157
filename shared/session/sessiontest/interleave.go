package sessiontest

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"switchboard/shared/session"
	"switchboard/shared/session/internal/driver"
	"switchboard/shared/tenant/tenanttest"
)

// talk is a conversation whose turns overlap as chance has it.
type talk struct {
	*testing.T
	s     *session.Session
	r     *rand.Rand
	id    string
	begun int
	under []turn // under way
	late  []int  // put, and not in the table yet
	table []int  // acknowledged, in order
	found int    // windows
}

// turn is one that is under way.
type turn struct {
	number int
	token  session.Token
	past   []int
}

// Interleave plays conversations whose turns overlap, fail and are dropped at random,
// and come to the table some time after they put: a window that is there has every
// turn that was acknowledged, in order. pass, if not nil, lets time pass.
func Interleave(t *testing.T, s *session.Session, pass func(time.Duration)) {
	found := 0
	for seed := range uint64(150) {
		c := talk{T: t, s: s, r: rand.New(rand.NewPCG(seed, 0)), id: ulid.Make().String()}
		c.under = []turn{{}} // the first, which takes nothing
		for range 20 {
			if c.step(); pass != nil && c.r.IntN(4) == 0 {
				c.land(len(c.late))
				pass(driver.Settle)
			}
		}
		if found += c.found; t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
	if found < 50 {
		t.Errorf("control: there were %d windows", found)
	}
}

// step begins a turn, or ends one, or has one come to the table.
func (c *talk) step() {
	switch n := c.r.IntN(3); {
	case n == 0 && len(c.late) > 0:
		c.r.Shuffle(len(c.late), func(i, j int) { c.late[i], c.late[j] = c.late[j], c.late[i] })
		c.land(1)
	case n == 1 && len(c.under) > 0 || len(c.under) == 3:
		c.end()
	default:
		c.begin()
	}
}

func (c *talk) begin() {
	entries, token := take(c.T, c.s, tenanttest.Scope("abc"), c.id)
	past := slices.Clone(c.table)
	if entries != nil {
		c.found++
		past = nil
		for _, e := range entries {
			n, _ := strconv.Atoi(e)
			past = append(past, n)
		}
		if lacks := slices.ContainsFunc(c.table, func(n int) bool { return !slices.Contains(past, n) }); lacks || !slices.IsSorted(past) {
			c.Errorf("the window is %v, acknowledged are %v", past, c.table)
		}
	}
	if len(past) > 0 { // otherwise it is refused: there is no such conversation
		c.begun++
		c.under = append(c.under, turn{c.begun, token, past})
	}
}

// end ends a turn; some fail and say nothing, some cannot say what the window is.
func (c *talk) end() {
	i := c.r.IntN(len(c.under))
	t := c.under[i]
	c.under = slices.Delete(c.under, i, i+1)
	var entries []string
	switch c.r.IntN(10) {
	case 0:
		return
	case 1:
	default:
		for _, n := range append(t.past, t.number) {
			entries = append(entries, strconv.Itoa(n))
		}
	}
	put(c.T, c.s, tenanttest.Scope("abc"), c.id, t.token, entries...)
	c.late = append(c.late, t.number)
}

// land has the first n of those that are late come to the table.
func (c *talk) land(n int) {
	c.table = append(c.table, c.late[:n]...)
	c.late = c.late[n:]
	slices.Sort(c.table)
}
