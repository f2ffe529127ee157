package sqlitetable

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

var errCounts = errors.New("sqlitetable: malformed counters")

// encodeCounts encodes counters as name and value after value, names in order
// and with their length before them. nil is no bytes, and stored as NULL.
func encodeCounts(counts map[string]int64) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
		b = binary.AppendVarint(b, counts[name])
	}
	return b
}

// decodeCounts undoes encodeCounts, and refuses what it cannot have made, so
// that a damaged row is an error and not a wrong bill.
func decodeCounts(b []byte) (map[string]int64, error) {
	if len(b) == 0 {
		return nil, nil
	}
	counts := map[string]int64{}
	for last := ""; len(b) > 0; {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errCounts
		}
		name := string(b[n : n+int(size)])
		value, m := binary.Varint(b[n+int(size):])
		if m <= 0 || name <= last && len(counts) > 0 {
			return nil, errCounts
		}
		counts[name], last = value, name
		b = b[n+int(size)+m:]
	}
	return counts, nil
}
