package auth

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"switchboard/shared/problem"
	"switchboard/shared/tenant"
)

// How long a looked-up credential is used without asking again. Between fresh
// and stale it is used while it is looked up in the background, so that no
// request waits for that; after stale it is looked up first. A revocation
// therefore bites within stale.
const (
	fresh = 25 * time.Second
	stale = 50 * time.Second

	// lookupTimeout bounds a lookup; a directory that does not answer is a 503,
	// never an open door.
	lookupTimeout = 3 * time.Second
	// maxHeld bounds the credentials held in memory, and maxUnknown the ids held
	// that belong to none. They are apart so that guesses push out guesses only.
	maxHeld    = 20_000
	maxUnknown = 4_000
)

// Gate checks credentials against a directory and holds them in memory.
type Gate struct {
	dir     *Directory
	flights singleflight.Group

	mu      sync.Mutex
	known   map[string]held
	unknown map[string]held
}

// held is one lookup's answer; the zero Credential means there is none.
type held struct {
	Credential
	at         time.Time // by the monotonic clock
	wall       time.Time // by the wall clock
	refreshing bool
}

// age is how old the answer is. The monotonic clock stands still while a machine
// sleeps or a Lambda is frozen, and the wall clock can be set back; whichever says
// more is believed, so that neither keeps a revoked credential alive.
func (e held) age(now time.Time) time.Duration {
	return max(now.Sub(e.at), now.Round(0).Sub(e.wall))
}

// NewGate returns a Gate over the directory.
func NewGate(dir *Directory) *Gate {
	return &Gate{dir: dir, known: make(map[string]held), unknown: make(map[string]held)}
}

// unauthenticated is the one answer to every credential that does not hold.
func unauthenticated() error {
	return &problem.Error{Kind: problem.Unauthenticated, Op: "auth.Gate"}
}

// authenticate returns the credential in the request's headers.
func (g *Gate) authenticate(r *http.Request) (Credential, error) {
	text, ok := bearer(r.Header)
	if !ok {
		return Credential{}, unauthenticated()
	}
	kind, id, ok := parse(text)
	if !ok {
		return Credential{}, unauthenticated()
	}
	c, err := g.lookup(r.Context(), id)
	if err != nil {
		return Credential{}, err
	}
	if !g.dir.hash.matches(text, c.Hash) || c.Kind != kind || !c.live(time.Now()) {
		return Credential{}, unauthenticated()
	}
	return c, nil
}

// bearer returns the one credential of a request. Two that differ are refused:
// another reader might choose the other.
func bearer(h http.Header) (string, bool) {
	auth, keys := h.Values("Authorization"), h.Values("X-Api-Key")
	if len(auth) > 1 || len(keys) > 1 {
		return "", false
	}
	var text string
	if len(auth) == 1 {
		scheme, rest, _ := strings.Cut(auth[0], " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", false
		}
		if text = strings.TrimSpace(rest); text == "" {
			return "", false
		}
	}
	if len(keys) == 1 {
		if text != "" && text != keys[0] {
			return "", false
		}
		text = keys[0]
	}
	return text, text != ""
}

// lookup returns the credential with the id, from memory where that will do.
func (g *Gate) lookup(ctx context.Context, id string) (Credential, error) {
	now := time.Now()
	g.mu.Lock()
	e, known := g.known[id]
	ok := known
	if !known {
		e, ok = g.unknown[id]
	}
	age := e.age(now)
	if ok && age < stale {
		refresh := known && age >= fresh && !e.refreshing
		if refresh {
			e.refreshing = true
			g.known[id] = e
		}
		g.mu.Unlock()
		if refresh {
			go g.refresh(context.WithoutCancel(ctx), id)
		}
		return e.Credential, nil
	}
	g.mu.Unlock()
	return g.fetch(ctx, id)
}

// refresh renews an entry in the background. If the directory does not answer
// the entry stays until it is stale, and then requests are refused.
func (g *Gate) refresh(ctx context.Context, id string) {
	err := problem.Guard("auth.refresh", func() error {
		_, err := g.fetch(ctx, id)
		return err
	})
	if err != nil {
		slog.WarnContext(ctx, "credential not refreshed", slog.String("key_id", id), slog.Any("err", err))
		g.mu.Lock()
		defer g.mu.Unlock()
		if e, ok := g.known[id]; ok {
			e.refreshing = false
			g.known[id] = e
		}
	}
}

// fetch asks the directory, once for all who ask at the same time.
func (g *Gate) fetch(ctx context.Context, id string) (Credential, error) {
	v, err, _ := g.flights.Do(id, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		_, c, err := g.dir.read(ctx, id)
		if err == nil {
			g.hold(id, c)
		}
		return c, err
	})
	if err != nil {
		return Credential{}, &problem.Error{Kind: problem.Unavailable, Op: "auth.fetch", RetryAfter: time.Second, Err: err}
	}
	return v.(Credential), nil
}

func (g *Gate) hold(id string, c Credential) {
	g.mu.Lock()
	defer g.mu.Unlock()
	in, not, most := g.known, g.unknown, maxHeld
	if c.ID == "" {
		in, not, most = g.unknown, g.known, maxUnknown
	}
	delete(not, id)
	if len(in) >= most {
		// What is dropped comes back with one read. Any order will do, so take
		// the map's.
		for k := range in {
			if delete(in, k); len(in) < most*3/4 {
				break
			}
		}
	}
	now := time.Now()
	in[id] = held{Credential: c, at: now, wall: now.Round(0)}
}

// admit returns the scope of a request on a route that allows what a says.
func (g *Gate) admit(r *http.Request, a Allow) (tenant.Scope, error) {
	c, err := g.authenticate(r)
	if err != nil {
		return tenant.Scope{}, err
	}
	if !a.kind(c.Kind) || c.Can&a.Can != a.Can {
		return tenant.Scope{}, problem.New(problem.Forbidden, "auth.admit", "This credential may not do that.")
	}
	return c.scope()
}
