// Package tabletest is the conformance suite of shared/table: what every driver
// has to do, said once. Only tests of drivers and of what wraps one import it.
// Its one promise: two drivers that pass it can be swapped under a feature
// without the feature noticing, isolation between tenants included.
package tabletest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"testing"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/tenant"
	"switchboard/shared/tenant/tenanttest"
)

// Options fit the suite to a driver. The zero Options is the full suite for a
// store in this process.
type Options struct {
	// Fast makes the random test and the races shorter, for a driver that talks
	// over a network. No rule is left out.
	Fast bool
	// FeedLag is how long after a write its change may be missing from an answer
	// of Changes. 0 means not at all: an empty answer is the end of the feed.
	FeedLag time.Duration
}

// Run runs the full suite. open is called once, with t; every subtest takes
// projects of its own, under random names, so open may return a Table that other
// tests use too. Closing it is a matter of open's t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) *table.Table) {
	t.Helper()
	RunWith(t, open, Options{})
}

// RunWith is [Run] with options.
func RunWith(t *testing.T, open func(t *testing.T) *table.Table, opt Options) {
	t.Helper()
	s := &suite{open(t), opt}
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, s)
		})
	}
}

// conformance is the suite.
var conformance = []struct {
	name string
	test func(*testing.T, *suite)
}{
	{"ZeroScopeIsRefused", testZeroScope},
	{"TenantsAreStrangers", testStrangers},
	{"KeysAreStrangers", testKeysAreStrangers},
	{"Create", testCreate},
	{"Replace", testReplace},
	{"Put", testPut},
	{"Delete", testDelete},
	{"Check", testCheck},
	{"MadeAnewIsAnother", testMadeAnew},
	{"ConflictIsComplete", testConflictIsComplete},
	{"AllOrNothing", testAllOrNothing},
	{"FirstConflictIsReported", testFirstConflict},
	{"WriteIsCopied", testWriteIsCopied},
	{"Counters", testCounters},
	{"CountersAndBodies", testCountersAndBodies},
	{"CountersConcurrent", testCountersConcurrent},
	{"CounterOverflow", testCounterOverflow},
	{"Ranges", testRanges},
	{"PageBoundaries", testPageBoundaries},
	{"ByteOrder", testByteOrder},
	{"BigPages", testBigPages},
	{"Cursors", testCursors},
	{"CursorsAreBound", testCursorsAreBound},
	{"CursorsSurviveWrites", testCursorsSurviveWrites},
	{"Expiry", testExpiry},
	{"ExpiredIsAbsentForWriters", testExpiredWrites},
	{"ExpiryIsOfTheLastWrite", testExpiryIsOfTheLastWrite},
	{"OneCreatorWins", testOneCreatorWins},
	{"NoLostUpdates", testNoLostUpdates},
	{"AtomicUnderRaces", testAtomicUnderRaces},
	{"SizeLimits", testSizeLimits},
	{"OddStrings", testOddStrings},
	{"MalformedIsRefused", testMalformed},
	{"FeedHasEveryWrite", testFeedHasEveryWrite},
	{"FeedResumes", testFeedResumes},
	{"FeedKeepsOrder", testFeedKeepsOrder},
	{"FeedIsOneTenants", testFeedIsOneTenants},
	{"CancelledContext", testCancelled},
	{"CancelledMidway", testCancelledMidway},
	{"Model", testModel},
}

// kind is the Kind of most test items.
const kind table.Kind = "test"

// suite is one Table under test.
type suite struct {
	*table.Table
	opt Options
}

// fresh returns the scope of a project nobody has used.
func fresh() tenant.Scope { return tenanttest.Scope(freshName()) }

func freshName() string {
	var b [8]byte
	rand.Read(b[:])
	return "t" + hex.EncodeToString(b[:])
}

// key returns the key of an item in the range most tests use.
func key(id string) table.Key { return table.Key{Kind: kind, Parent: "p", ID: id} }

// tb is what *testing.T and *rapid.T have in common and the helpers need.
type tb interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// get returns the item, failing t on an error.
func (s *suite) get(t tb, sc tenant.Scope, k table.Key) table.Item {
	t.Helper()
	it, err := s.Get(t.Context(), sc, k)
	if err != nil {
		t.Fatalf("Get %s: %v", k, err)
	}
	if it.Version != 0 && it.Key != k {
		t.Fatalf("Get %s: another key: %s", k, it.Key)
	}
	return it
}

// write writes, failing t on an error.
func (s *suite) write(t tb, sc tenant.Scope, ops ...table.Op) {
	t.Helper()
	if err := s.Write(t.Context(), sc, ops...); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

// refused writes, failing t unless the answer is a *Conflict at operation op.
func (s *suite) refused(t tb, sc tenant.Scope, op int, ops ...table.Op) table.Item {
	t.Helper()
	c := conflict(t, s.Write(t.Context(), sc, ops...))
	if c.Op != op {
		t.Fatalf("conflict at operation %d, want %d", c.Op, op)
	}
	return c.Current
}

// list returns the IDs of one page and its cursor.
func (s *suite) list(t tb, sc tenant.Scope, q table.Query) ([]string, string) {
	t.Helper()
	p, err := s.List(t.Context(), sc, q)
	if err != nil {
		t.Fatalf("List %+v: %v", q, err)
	}
	ids := make([]string, len(p.Items))
	for i, it := range p.Items {
		ids[i] = it.Key.ID
		if it.Key.Kind != q.Kind || it.Key.Parent != q.Parent || it.Version < 1 {
			t.Fatalf("List %+v: item %s of version %d does not belong here", q, it.Key, it.Version)
		}
	}
	return ids, p.Cursor
}

func conflict(t tb, err error) *table.Conflict {
	t.Helper()
	c, ok := errors.AsType[*table.Conflict](err)
	if !ok {
		t.Fatalf("error is %v, want a *Conflict", err)
	}
	return c
}

// wantKind fails t unless err is a problem of the kind.
func wantKind(t tb, err error, kind problem.Kind) {
	t.Helper()
	if !problem.Is(err, kind) {
		t.Fatalf("error is %v, want %s", err, kind)
	}
}

// wantItem fails t unless the item has this body, these counters and version.
func wantItem(t tb, it table.Item, body string, counts map[string]int64, version int64) {
	t.Helper()
	if !bytes.Equal(it.Body, []byte(body)) || !maps.Equal(it.Counts, counts) || it.Version != version {
		t.Fatalf("item is %.80q %v version %d, want %.80q %v version %d",
			it.Body, it.Counts, it.Version, body, counts, version)
	}
}

// wantAbsent fails t unless it is the zero Item.
func wantAbsent(t tb, it table.Item) {
	t.Helper()
	if it.Version != 0 || it.Key != (table.Key{}) || it.Body != nil || it.Counts != nil ||
		!it.Expires.IsZero() || it.Token != "" {
		t.Fatalf("item is %+v, want the zero Item", it)
	}
}
