package prove

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// grace bounds the end of a run, also of one that was given up.
const grace = 30 * time.Second

// Cleanup says what became of something that the run made.
type Cleanup struct {
	What string `json:"what"`
	Done bool   `json:"done"`
	Note string `json:"note,omitempty"`
}

// clean revokes every key and suspends every canary. It runs whatever happened, and goes
// on after what fails; keys that are left end by themselves.
func (m *matrix) clean(ctx context.Context) (out []Cleanup) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	m.wire.pace.clear()
	for _, s := range append(m.sides(), m.near, m.shut) {
		if !s.made && s != m.proven {
			continue
		}
		n, err := m.revokeAll(ctx, s)
		out = append(out, done(fmt.Sprintf("revoke the keys that were made of %s", s.label), fmt.Sprintf("%d revoked", n), err))
	}
	for _, s := range append([]*side{m.canary, m.near, m.shut}, m.strays...) {
		if s.made {
			err := m.op.suspend(ctx, s, "its test is over (switchboard prove)")
			out = append(out, done(fmt.Sprintf("suspend %s (%s)", s.label, s.project), "there is no way yet to remove a company", err))
		}
	}
	return out
}

func done(what, note string, err error) Cleanup {
	if err != nil {
		return Cleanup{what, false, err.Error()}
	}
	return Cleanup{what, true, note}
}

// revokeAll revokes the keys that we made of the company, those too whose making was
// answered to nobody.
func (m *matrix) revokeAll(ctx context.Context, s *side) (n int, failed error) {
	ids := map[string]bool{}
	for _, id := range s.issued {
		ids[id] = true
	}
	all, failed := m.op.keys(ctx, s)
	for _, k := range all {
		if strings.HasPrefix(k.Name, s.keyName) || s != m.proven {
			ids[k.ID] = k.Status != "revoked"
		}
	}
	for id, live := range ids {
		if !live {
			continue
		}
		if err := m.op.revoke(ctx, s, id); err != nil {
			failed = fmt.Errorf("key %s: %w", id, err)
			continue
		}
		n++
	}
	return n, failed
}

// clear lets the next request go at once, whatever pauses were asked for.
func (p *pace) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = time.Time{}
}
