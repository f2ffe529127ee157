// Package table stores the items of one tenant at a time.
//
// Feature packages import it; only shared/app imports a driver. A [Table] is a
// concrete type over a small driver (sqlitetable, dynamotable). Its one promise:
// a write that returned nil is there, whole, exactly once, for the tenant in the
// Scope and for no other. Nothing here can be called without a Scope, and the
// zero Scope is refused.
//
// Items of the same Kind and Parent form a range ordered by ID, so a
// conversation's turns are read with one query. A write of several operations is
// atomic. Conditions carry the item that was read ([Replace], [Delete]), so a
// writer cannot overwrite what it has not seen, nor what took its place.
//
// Bodies are sealed under the tenant's own key and bound to the item's whole key
// ([Table.SealedBy]); a body that was written for another item or tenant does not
// open. Keys, versions, tokens, expiries and counters are in the clear: a store
// orders, compares and adds by them.
package table

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"
	"unicode/utf8"

	"switchboard/shared/problem"
	"switchboard/shared/seal"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

type (
	// Kind names a sort of item: 1 to 16 of a-z, a constant of its owner.
	Kind = driver.Kind
	// Key addresses one item of one tenant.
	Key = driver.Key
	// Item is one stored value; the zero Item is an absent one.
	Item = driver.Item
	// Conflict is the error of a write whose condition did not hold.
	Conflict = driver.Conflict
	// Change is one entry of a tenant's change feed.
	Change = driver.Change
)

// Limits of every driver. DynamoDB's item limit is 400 KB in all, its
// transactions hold 100 operations and 4 MB.
const (
	MaxBody   = 350_000   // bytes of an item's body, before it is sealed
	MaxWrite  = 3_000_000 // bytes of all bodies of one write
	MaxParent = 1024      // bytes
	MaxID     = 512       // bytes
	MaxOps    = 50        // operations of one write
	MaxPage   = 1000      // items of one page
)

// Table stores items over a driver. The zero Table is not usable; see [New].
type Table struct {
	d       driver.Driver
	cursors cursors
	sealer  *seal.Sealer
	decided bool // that sealer is the one
}

// New returns a Table over d. key (32 bytes) seals cursors; all processes that
// serve the same clients need the same one. Bodies are in the clear until
// [Table.SealedBy] says otherwise.
func New(d driver.Driver, key []byte) (*Table, error) {
	c, err := newCursors(key)
	if err != nil {
		return nil, err
	}
	return &Table{d: d, cursors: c, sealer: seal.Unsealed()}, nil
}

// Op is one operation of a [Table.Write].
type Op struct{ op driver.Op }

// Create stores a new item; the write fails with *[Conflict] if the key is taken.
func Create(key Key, body []byte) Op {
	return Op{driver.Op{Type: driver.Create, Key: key, Body: body}}
}

// Replace stores a new body over the item that was read, and leaves its counters
// alone; the write fails with *[Conflict] if the item has changed since, an [Add]
// to its counters included, or is another one under the same key.
func Replace(old Item, body []byte) Op {
	return Op{driver.Op{Type: driver.Replace, Key: old.Key, Body: body, If: old.Version, IfToken: old.Token}}
}

// Put stores a body whatever was there, and leaves counters alone. It is for derived items, which can be
// made again; anything else deserves [Create] or [Replace].
func Put(key Key, body []byte) Op {
	return Op{driver.Op{Type: driver.Put, Key: key, Body: body}}
}

// Delete removes the item that was read; *[Conflict] if it has changed since.
func Delete(old Item) Op {
	return Op{driver.Op{Type: driver.Delete, Key: old.Key, If: old.Version, IfToken: old.Token}}
}

// Check writes nothing; it makes the write fail with *[Conflict] unless the item
// still is as it was read. An absent item is Item{Key: key}.
func Check(old Item) Op {
	return Op{driver.Op{Type: driver.Check, Key: old.Key, If: old.Version, IfToken: old.Token}}
}

// Add adds to the item's counters, which start at 0, and creates the item if
// need be. A retried Add whose acknowledgement was lost can count twice: totals
// that must be exact are derived from immutable items instead. A counter never
// wraps: past an int64 the write fails.
func Add(key Key, counts map[string]int64) Op {
	return Op{driver.Op{Type: driver.Add, Key: key, Counts: counts}}
}

// Expiring returns the operation with an expiry, in whole seconds: from then on
// the item is absent for every reader and every writer. An item's expiry is that
// of its last write; a write without one leaves it without.
func (o Op) Expiring(at time.Time) Op { o.op.Expires = at; return o }

// Relaxed returns the operation with the promise weakened for a local disk: it
// survives the end of the process, not a power cut. It is for items that lose
// their worth with the process, such as the reservation of a running turn.
func (o Op) Relaxed() Op { o.op.Relaxed = true; return o }

// Get returns the item, or the zero Item (Version 0) if there is none. It sees
// every acknowledged write.
func (t *Table) Get(ctx context.Context, sc tenant.Scope, key Key) (Item, error) {
	const op = "table.Get"
	if err := sc.Check(op); err != nil {
		return Item{}, err
	}
	if err := checkKey(op, key); err != nil {
		return Item{}, err
	}
	it, err := t.d.Get(ctx, sc, key)
	if err != nil {
		return Item{}, classify(op, err)
	}
	return t.open(ctx, sc, it)
}

// Write applies all operations or none. If a condition does not hold the error
// is a *[Conflict] with what is there instead. A write whose acknowledgement was
// lost and that was sent again by the driver is recognised and is no conflict.
// Any other error leaves it open whether the write happened; the same Write may
// be tried again.
func (t *Table) Write(ctx context.Context, sc tenant.Scope, ops ...Op) error {
	const op = "table.Write"
	if err := sc.Check(op); err != nil {
		return err
	}
	if len(ops) == 0 || len(ops) > MaxOps {
		return problem.New(problem.Internal, op, "%d operations; 1 to %d are possible", len(ops), MaxOps)
	}
	token := newToken()
	seen := make(map[Key]bool, len(ops))
	dops := make([]driver.Op, len(ops))
	size := 0
	for i, o := range ops {
		if err := checkOp(op, o.op); err != nil {
			return err
		}
		if size += len(o.op.Body); size > MaxWrite {
			return problem.New(problem.Invalid, op, "a write has more than %d bytes", MaxWrite)
		}
		if seen[o.op.Key] {
			return problem.New(problem.Internal, op, "two operations on %s", o.op.Key)
		}
		seen[o.op.Key] = true
		dops[i] = o.op
		dops[i].Token = token
	}
	if err := t.seal(ctx, sc, dops); err != nil {
		return err
	}
	err := t.d.Write(ctx, sc, dops)
	if c, ok := errors.AsType[*Conflict](err); ok {
		if c.Current.Token == token {
			return nil // ours: the first try landed and only its answer was lost
		}
		var unread error
		if c.Current, unread = t.open(ctx, sc, c.Current); unread != nil {
			return unread
		}
	}
	return classify(op, err)
}

// checkOp holds an operation to the limits of the narrowest driver.
func checkOp(op string, o driver.Op) error {
	if err := checkKey(op, o.Key); err != nil {
		return err
	}
	switch {
	case o.Type == 0:
		return problem.New(problem.Internal, op, "zero operation")
	case len(o.Body) > MaxBody:
		return problem.New(problem.Invalid, op, "an item has %d bytes; %d are possible", len(o.Body), MaxBody)
	case (o.Type == driver.Replace || o.Type == driver.Delete) && o.If == 0:
		return problem.New(problem.Internal, op, "%s was not read before it is overwritten", o.Key)
	case o.Type == driver.Add && len(o.Counts) == 0:
		return problem.New(problem.Internal, op, "nothing to add to %s", o.Key)
	}
	for name := range o.Counts {
		if !lower(name, 32, "_") {
			return problem.New(problem.Internal, op, "counter name %q", name)
		}
	}
	return nil
}

// Query selects items of one Kind and Parent, in order of ID.
type Query struct {
	Kind    Kind
	Parent  string
	From    string // first ID, inclusive; "" = from the start
	To      string // end, exclusive; "" = to the end
	Reverse bool   // highest ID first
	Limit   int    // items a page; 0 = 100, at most MaxPage
	Cursor  string // from the Page before; it opens only for the same query and scope
}

// Page is one page of a query.
type Page struct {
	Items  []Item
	Cursor string // "" on the last page
}

// List returns one page of items, as of the last acknowledged write.
func (t *Table) List(ctx context.Context, sc tenant.Scope, q Query) (Page, error) {
	const op = "table.List"
	if err := sc.Check(op); err != nil {
		return Page{}, err
	}
	if err := checkKey(op, Key{Kind: q.Kind, Parent: q.Parent, ID: "x"}); err != nil {
		return Page{}, err
	}
	if !bound(q.From) || !bound(q.To) {
		return Page{}, problem.New(problem.Internal, op, "malformed range of %s", q.Kind)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, MaxPage)
	r := driver.Range{Kind: q.Kind, Parent: q.Parent, From: q.From, To: q.To, Reverse: q.Reverse, Limit: limit + 1}
	if q.Cursor != "" {
		after, err := t.cursors.open(sc, q)
		if err != nil {
			return Page{}, err
		}
		r.After = after
	}
	items, err := t.d.Query(ctx, sc, r)
	if err != nil {
		return Page{}, classify(op, err)
	}
	last := len(items) <= limit
	items = items[:min(len(items), limit)]
	for i := range items {
		if items[i], err = t.open(ctx, sc, items[i]); err != nil {
			return Page{}, err
		}
	}
	if last {
		return Page{Items: items}, nil
	}
	return Page{items, t.cursors.seal(sc, q, items[limit-1].Key.ID)}, nil
}

// Changes returns up to limit changes of the tenant after the position and the
// position behind them; "" is the beginning. Every change is delivered at least
// once, those of one key in order. What is derived from it must come out the
// same when a change arrives twice.
func (t *Table) Changes(ctx context.Context, sc tenant.Scope, after string, limit int) ([]Change, string, error) {
	const op = "table.Changes"
	if err := sc.Check(op); err != nil {
		return nil, "", err
	}
	cs, next, err := t.d.Changes(ctx, sc, after, max(1, min(limit, MaxPage)))
	if err != nil {
		return nil, "", classify(op, err)
	}
	for i := range cs {
		if cs[i], err = t.OpenChange(ctx, sc, cs[i]); err != nil {
			return nil, "", err
		}
	}
	return cs, next, nil
}

// Close releases what the driver holds.
func (t *Table) Close() error { return t.d.Close() }

func checkKey(op string, k Key) error {
	if !lower(string(k.Kind), 16, "") || len(k.Parent) > MaxParent || k.ID == "" || len(k.ID) > MaxID ||
		!utf8.ValidString(k.Parent) || !utf8.ValidString(k.ID) {
		return problem.New(problem.Internal, op, "malformed key %.100s", k)
	}
	return nil
}

// bound reports whether s can be an end of a range: what an ID can be, and one
// rune more, so that prefix+"\U0010FFFF" is an end for every prefix.
func bound(s string) bool { return len(s) <= MaxID+utf8.UTFMax && utf8.ValidString(s) }

// lower reports whether s is 1 to most of a-z and the bytes in also.
func lower(s string, most int, also string) bool {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && (also == "" || s[i] != also[0]) {
			return false
		}
	}
	return s != "" && len(s) <= most
}

// classify lets conflicts and problems through and calls the rest a store that
// is not available: a driver classifies what it knows to be otherwise.
func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Conflict](err); ok {
		return err
	}
	if _, ok := errors.AsType[*problem.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return problem.Wrap(problem.Unavailable, op, err)
}

// newToken names one write. 96 random bits: it only has to differ among writers
// of one item.
func newToken() string {
	var b [12]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Decorate returns t over the driver that wrap makes of its own. The parameter's
// type can be named by the packages below this one alone: it is for tabletest.
func Decorate(t *Table, wrap func(driver.Driver) driver.Driver) *Table {
	d := *t
	d.d = wrap(t.d)
	return &d
}
