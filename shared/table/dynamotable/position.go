package dynamotable

import (
	"maps"
	"slices"
	"strings"

	"switchboard/shared/problem"
)

// position says how far each shard of a stream was read: the sequence number of
// the last record taken, or finished. A shard not in it was not begun.
type position map[string]string

// finished marks a shard that has been read to its end.
const finished = "-"

// positionVersion leads the encoding, so that another one can follow it.
const positionVersion = "1"

// String encodes the position: version, then shard=mark, parted by semicolons. It
// is the same text for the same position.
func (p position) String() string {
	var b strings.Builder
	b.WriteString(positionVersion)
	for _, shard := range slices.Sorted(maps.Keys(p)) {
		b.WriteString(";" + shard + "=" + p[shard])
	}
	return b.String()
}

// parsePosition undoes String; "" is the beginning.
func parsePosition(s string) (position, error) {
	p := position{}
	if s == "" {
		return p, nil
	}
	bad := problem.New(problem.Internal, "dynamotable.Changes", "malformed position %.60q", s)
	version, rest, more := strings.Cut(s, ";")
	if version != positionVersion {
		return nil, bad
	}
	for more {
		var entry string
		entry, rest, more = strings.Cut(rest, ";")
		shard, mark, ok := strings.Cut(entry, "=")
		if _, twice := p[shard]; !ok || twice || !isShard(shard) || mark != finished && !isSequence(mark) {
			return nil, bad
		}
		p[shard] = mark
	}
	return p, nil
}

// isShard and isSequence hold to the lengths of the API reference.
func isShard(s string) bool {
	return s != "" && len(s) <= 65 && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	}) < 0
}

func isSequence(s string) bool {
	return s != "" && len(s) <= 40 && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}
