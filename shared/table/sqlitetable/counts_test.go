package sqlitetable_test

import (
	"bytes"
	"maps"
	"math"
	"testing"

	"switchboard/shared/table/sqlitetable"
)

func TestCountsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, counts := range []map[string]int64{
		nil, {"n": 0}, {"n": math.MaxInt64, "m": math.MinInt64}, {"a": -1, "aa": 1, "b": 1 << 40}, {"": 1},
	} {
		got, err := sqlitetable.DecodeCounts(sqlitetable.EncodeCounts(counts))
		if err != nil || !maps.Equal(got, counts) || (got == nil) != (counts == nil) {
			t.Errorf("%v came back as %v, %v", counts, got, err)
		}
	}
}

// FuzzDecodeCounts: bytes from a damaged file are refused or are what the
// decoded counters encode to; they never panic or read as something else.
func FuzzDecodeCounts(f *testing.F) {
	f.Add([]byte{})
	f.Add(sqlitetable.EncodeCounts(map[string]int64{"input": 12, "output": -3}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a', 2})
	f.Add([]byte{1, 'b', 2, 1, 'a', 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		counts, err := sqlitetable.DecodeCounts(b)
		if err != nil {
			return
		}
		again, err := sqlitetable.DecodeCounts(sqlitetable.EncodeCounts(counts))
		if err != nil || !maps.Equal(again, counts) {
			t.Errorf("%x: %v, then %v, %v", b, counts, again, err)
		}
		if canonical := sqlitetable.EncodeCounts(counts); len(canonical) == len(b) && !bytes.Equal(canonical, b) {
			t.Errorf("%x and %x both read as %v", b, canonical, counts)
		}
	})
}
