package dynamotable

import (
	"maps"
	"strings"
	"testing"
)

func FuzzPosition(f *testing.F) {
	for _, s := range []string{"", "1", "1;shardId-00000001414576573621-f55eea83=300000000000000499659", "1;a=1;b=-", "1;a=1;a=1", "1;=1", "1;a=", "2", "1;", "1;a=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePosition(s)
		if err != nil {
			return
		}
		again, err := parsePosition(p.String())
		if err != nil || !maps.Equal(p, again) {
			t.Fatalf("%q is %v, written %q, which is %v, %v", s, p, p.String(), again, err)
		}
	})
}

func TestPositionRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0", "2", "1;", "1;a", "1;a=", "1;=1", "1;a=1;", "1;a=1;a=2", "1;a=-1", "1;a=1=2", "1;a b=1", "1;é=1", " 1", "1;a=١",
		"1;" + strings.Repeat("a", 66) + "=1", "1;a=" + strings.Repeat("1", 41), "not a position"} {
		if p, err := parsePosition(s); err == nil {
			t.Errorf("%q is %v", s, p)
		}
	}
}
