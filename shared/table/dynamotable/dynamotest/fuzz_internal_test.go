package dynamotest

import (
	"math/big"
	"strings"
	"testing"
)

// seen is an item and the values that fuzzed expressions can use.
var (
	seen = item{"n": value{kind: 'N', n: big.NewInt(5)}, "s": value{kind: 'S', s: "x"}}
	vals = map[string]value{":n": {kind: 'N', n: big.NewInt(1)}, ":s": {kind: 'S', s: "y"}}
)

// FuzzCondition holds that no text crashes the parser, and that what it takes
// means the opposite with NOT before it, and the same in parentheses.
func FuzzCondition(f *testing.F) {
	for _, s := range []string{"n = :n", "NOT n < :n AND (s = :s OR attribute_exists(#a))", "s BETWEEN :s AND :s", "((n = :n))", "attribute_not_exists(", "a<>b=", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parse := func(s string) (condition, error) {
			return newExpressions(map[string]string{"#a": "n"}, vals).condition(s)
		}
		c, err := parse(s)
		if err != nil {
			return
		}
		if n, err := parse("NOT (" + s + ")"); err == nil && n.holds(seen) == c.holds(seen) {
			t.Errorf("%q and its opposite are both %v", s, c.holds(seen))
		}
		if g, err := parse("(" + s + ") AND :n = :n"); err == nil && g.holds(seen) != c.holds(seen) {
			t.Errorf("%q means something else in parentheses", s)
		}
		c.holds(nil)
	})
}

// FuzzUpdate holds that no text crashes the parser, that an update leaves the
// item it is applied to alone, and that a key stays.
func FuzzUpdate(f *testing.F) {
	for _, s := range []string{"SET a = :n", "SET n = n + :n ADD m :n REMOVE s", "SET a = if_not_exists(b, :n) - :n, #a = :s", "REMOVE n, n", "ADD", "SET a = ,"} {
		f.Add(s)
	}
	key := item{"pk": value{kind: 'S', s: "p"}, "sk": value{kind: 'S', s: "s"}}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := newExpressions(map[string]string{"#a": "n"}, vals).update(s)
		if err != nil || strings.Contains(s, "pk") || strings.Contains(s, "sk") {
			return
		}
		before := item{"n": seen["n"], "s": seen["s"]}
		after, err := u.apply(before, key)
		if !before.equal(item{"n": seen["n"], "s": seen["s"]}) {
			t.Errorf("%q changed the item before", s)
		}
		if err == nil && !keyOf(after).equal(key) {
			t.Errorf("%q changed the key: %v", s, after)
		}
		if _, err := u.apply(nil, key); err == nil && len(u.attributes()) == 0 {
			t.Errorf("%q does nothing", s)
		}
	})
}
