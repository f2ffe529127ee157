// Package driver is what a table's store has to do. Only the packages below
// shared/table can import it. Its one promise: a driver is small and has no
// policy. Limits, cursors, lost acknowledgements and classification live once,
// in shared/table; a driver checks the Scope, stores, and reports.
package driver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"switchboard/shared/tenant"
)

// Kind names a sort of item: 1 to 16 of a-z. Kinds are constants in the package
// that owns the items.
type Kind string

// Key addresses one item of one tenant. Items with the same Kind and Parent form
// a range that is ordered by ID, byte by byte.
type Key struct {
	Kind   Kind
	Parent string // may be empty; at most 1,024 bytes of UTF-8
	ID     string // 1 to 512 bytes of UTF-8
}

// String is for logs and test failures.
func (k Key) String() string { return fmt.Sprintf("%s(%q,%q)", k.Kind, k.Parent, k.ID) }

// Item is one stored value. The zero Item, with Version 0, is an absent one.
type Item struct {
	Key     Key
	Body    []byte
	Counts  map[string]int64 // counters, changed by Add alone; nil when there are none
	Version int64            // 1 when created, one more with every write
	Expires time.Time        // from this second on the item is absent; zero = never
	Token   string           // who wrote this version; makes a lost acknowledgement recognisable
}

// OpType is what an Op does.
type OpType uint8

// The operations.
const (
	Create  OpType = iota + 1 // the item must be absent
	Replace                   // the item must be the one of If and IfToken; counters stay
	Put                       // whatever was there; counters stay
	Delete                    // the item must be the one of If and IfToken
	Check                     // write nothing; the same condition (If 0 = absent)
	Add                       // add Counts to the item's counters, never past an int64; creates the item
)

// Op is one part of an atomic write.
type Op struct {
	Type   OpType
	Key    Key
	Body   []byte
	Counts map[string]int64
	If     int64 // the version that was read
	// IfToken is the token that was read; "" is not checked. Versions begin at 1
	// again when an item is made anew, tokens never come back.
	IfToken string
	Expires time.Time // replaces the item's, also when it is zero; Check and Delete have none
	Token   string
	// Relaxed lets a store on a local disk acknowledge before the write is
	// synced: it survives the end of the process, not a power cut. A write is
	// relaxed only if every Op in it is.
	Relaxed bool
}

// Conflict says that an Op's condition did not hold and nothing was written.
type Conflict struct {
	Op      int  // index of the first Op that failed
	Current Item // what is there instead; the zero Item if nothing is
}

// Error implements error.
func (c *Conflict) Error() string {
	return fmt.Sprintf("condition of operation %d does not hold (version there: %d)", c.Op, c.Current.Version)
}

// Range selects items of one Kind and Parent.
type Range struct {
	Kind    Kind
	Parent  string
	From    string // first ID, inclusive; "" = from the start
	To      string // last ID, exclusive; "" = to the end
	After   string // position: exclusive, in the direction of travel; "" = none
	Reverse bool   // from the highest ID down
	Limit   int    // most items to return, at least 1
}

// Change is one entry of a tenant's change feed.
type Change struct {
	Key  Key
	Item Item // the item as it is when the feed is read; zero when it is gone
}

// Driver stores the items of many tenants. Every method refuses the zero Scope
// and never reaches an item of another tenant than sc's. Expired items are
// absent for every method. Methods are safe for concurrent use.
type Driver interface {
	// Get returns the item as of the last acknowledged write, or the zero Item.
	Get(ctx context.Context, sc tenant.Scope, key Key) (Item, error)
	// Write applies all ops or none. A condition that does not hold is a
	// *Conflict. No two ops have the same key.
	Write(ctx context.Context, sc tenant.Scope, ops []Op) error
	// Query returns up to r.Limit items in order, as of the last acknowledged
	// write; fewer only when there are no more.
	Query(ctx context.Context, sc tenant.Scope, r Range) ([]Item, error)
	// Changes returns up to limit changes of the tenant after the position, and
	// the position behind them. "" is the beginning. Every change is delivered
	// at least once; changes of one key arrive in order; several changes of a
	// key may arrive as one. An expiry need not appear.
	Changes(ctx context.Context, sc tenant.Scope, after string, limit int) ([]Change, string, error)
	// Close releases what the driver holds.
	Close() error
}

// Partition is the one codec of partition keys: <project>#<kind>#<parent>. It is
// injective, because neither a project id nor a Kind contains '#'. The IAM
// condition on AWS is the prefix <project>#.
func Partition(sc tenant.Scope, kind Kind, parent string) string {
	return sc.Project().String() + "#" + string(kind) + "#" + parent
}

// ParsePartition undoes [Partition]. ok is false for what Partition cannot have
// made for this scope.
func ParsePartition(sc tenant.Scope, s string) (kind Kind, parent string, ok bool) {
	rest, ok := strings.CutPrefix(s, sc.Project().String()+"#")
	if !ok {
		return "", "", false
	}
	k, parent, ok := strings.Cut(rest, "#")
	return Kind(k), parent, ok && k != ""
}
