package dynamotable_test

import (
	"fmt"
	"testing"
	"time"

	"switchboard/shared/problem"
	"switchboard/shared/table"
	"switchboard/shared/table/dynamotable"
	"switchboard/shared/table/dynamotable/dynamotest"
	"switchboard/shared/tenant/tenanttest"
)

// rest reads the feed from a position to its end.
func (r rig) rest(t *testing.T, after string, limit int) ([]table.Change, string) {
	t.Helper()
	var all []table.Change
	for {
		changes, next, err := r.Changes(t.Context(), r.sc, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		all, after = append(all, changes...), next
		if len(changes) == 0 {
			return all, after
		}
	}
}

// TestShardsRoll has shards close and open between and during the writes of a
// key: its changes stay in order, from parents to children, and none is lost.
func TestShardsRoll(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2, 5, 100} {
		r := newRig(t, nil)
		const keys, rounds = 5, 6
		var early string
		for round := range rounds {
			for k := range keys {
				r.write(t, table.Put(table.Key{Kind: "test", Parent: fmt.Sprint(k), ID: "x"}, fmt.Append(nil, round)))
			}
			if round == 2 {
				_, early = r.rest(t, "", limit)
			}
			r.server.RollShards("faults")
		}
		for name, from := range map[string]string{"": "", "from a position": early} {
			last := map[table.Key]int64{}
			changes, _ := r.rest(t, from, limit)
			for _, c := range changes {
				if c.Item.Version <= last[c.Key] {
					t.Errorf("limit %d %s: %s went from %d to %d", limit, name, c.Key, last[c.Key], c.Item.Version)
				}
				if name != "" && c.Item.Version <= 3 {
					t.Errorf("limit %d %s: version %d once more", limit, name, c.Item.Version)
				}
				last[c.Key] = c.Item.Version
			}
			for k, v := range last {
				if v != rounds {
					t.Errorf("limit %d %s: %s ended at %d", limit, name, k, v)
				}
			}
			if len(last) != keys {
				t.Errorf("limit %d %s: %d keys", limit, name, len(last))
			}
		}
	}
}

// TestFeedTooOld holds that a reader who was away for too long is told, rather
// than served what is left.
func TestFeedTooOld(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	put := func() {
		for k := range 8 {
			r.write(t, table.Put(table.Key{Kind: "test", Parent: fmt.Sprint(k), ID: "x"}, nil))
		}
	}
	put()
	_, pos := r.rest(t, "", 100)
	put()
	r.server.RollShards("faults")
	r.server.TrimStream("faults")
	if _, _, err := r.Changes(t.Context(), r.sc, pos, 10); !problem.Is(err, problem.Conflict) {
		t.Errorf("a position in shards that are gone: %v", err)
	}
	put()
	_, pos = r.rest(t, "", 100) // the beginning is what there still is
	put()
	put()
	r.server.TrimStream("faults")
	other := r
	other.Table = open(t, r.endpoint, "faults", nil) // one that remembers no iterators
	if _, _, err := other.Changes(t.Context(), r.sc, pos, 10); !problem.Is(err, problem.Conflict) {
		t.Errorf("a position before the oldest record: %v", err)
	}
}

// TestFeedForgetsShards holds that shards read to their end leave the
// position once the stream has dropped them.
func TestFeedForgetsShards(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.write(t, table.Put(key("a"), nil))
	r.server.RollShards("faults")
	r.write(t, table.Put(key("a"), nil))
	_, pos := r.rest(t, "", 100)
	r.server.TrimStream("faults")
	_, trimmed := r.rest(t, pos, 100)
	if len(trimmed) >= len(pos) {
		t.Errorf("the position grew from %q to %q", pos, trimmed)
	}
}

func TestFeedPassesExpired(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.write(t, table.Create(key("a"), []byte("a")))
	r.write(t, table.Put(key("a"), []byte("ghost")).Expiring(time.Now().Add(-time.Minute)))
	if changes, _ := r.rest(t, "", 10); len(changes) != 1 || changes[0].Item.Version != 0 {
		t.Errorf("an expired item shows: %+v", changes)
	}
}

// TestFeedIsCheap holds that a reader who has caught up costs one request for the
// stream and one for each open shard.
func TestFeedIsCheap(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.write(t, table.Put(key("a"), nil))
	_, pos := r.rest(t, "", 10)
	count := func() int {
		n := 0
		for _, op := range []string{"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords", "GetItem"} {
			n += r.server.Calls(op)
		}
		return n
	}
	before := count()
	if _, _, err := r.Changes(t.Context(), r.sc, pos, 10); err != nil {
		t.Fatal(err)
	}
	if n := count() - before; n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// TestFeedOutlivesIterators holds that an iterator DynamoDB has forgotten costs a
// new one, and no change.
func TestFeedOutlivesIterators(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ExpiredIteratorException", "TrimmedDataAccessException"} {
		r := newRig(t, nil)
		r.write(t, table.Put(key("a"), []byte("1")))
		_, pos := r.rest(t, "", 10)
		r.write(t, table.Put(key("a"), []byte("2")))
		r.on("GetRecords", 1, dynamotest.Fault{Code: code})
		if changes, _ := r.rest(t, pos, 10); len(changes) != 1 || changes[0].Item.Version != 2 {
			t.Errorf("%s: %+v", code, changes)
		}
	}
}

func TestFeedFailures(t *testing.T) {
	t.Parallel()
	none := newRig(t, func(c *dynamotable.Config) { c.Streams = nil })
	if _, _, err := none.Changes(t.Context(), none.sc, "", 10); !problem.Is(err, problem.Internal) {
		t.Errorf("without a client: %v", err)
	}
	r := newRig(t, nil)
	r.write(t, table.Put(key("a"), nil))
	for _, op := range []string{"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"} {
		for code, want := range map[string]problem.Kind{
			"ThrottlingException": problem.Unavailable, "LimitExceededException": problem.Unavailable, "ResourceNotFoundException": problem.Internal,
			"TrimmedDataAccessException": problem.Conflict,
		} {
			fresh := r
			fresh.Table = open(t, r.endpoint, "faults", nil)
			fresh.on(op, 100, dynamotest.Fault{Code: code})
			if _, _, err := fresh.Changes(t.Context(), r.sc, "", 10); !problem.Is(err, want) {
				t.Errorf("%s %s: %v, want %s", op, code, err, want)
			}
			r.server.OnCall(nil)
		}
	}
	sc := tenanttest.Scope("somebody-else")
	if changes, _, err := r.Changes(t.Context(), sc, "", 10); err != nil || len(changes) != 0 {
		t.Errorf("another tenant's feed: %v, %v", changes, err)
	}
}
