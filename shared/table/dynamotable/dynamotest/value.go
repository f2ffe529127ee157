package dynamotest

import (
	"encoding/json"
	"maps"
	"math/big"
	"strings"
)

// value is an attribute's value: a string, a whole number or a binary.
type value struct {
	kind byte     // 'S', 'N' or 'B'
	s    string   // the text, or the bytes
	n    *big.Int // never written to once the value is made
}

// maxDigits is the precision of DynamoDB's numbers.
const maxDigits = 38

// item is what a table holds. Items that a table holds are never written to: a
// write makes another one.
type item map[string]value

func (v value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case 'S':
		return json.Marshal(map[string]string{"S": v.s})
	case 'N':
		return json.Marshal(map[string]string{"N": v.n.String()})
	default:
		return json.Marshal(map[string][]byte{"B": []byte(v.s)})
	}
}

func (v *value) UnmarshalJSON(data []byte) error {
	var in struct {
		S, N *string
		B    *[]byte
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields() // the types dynamotest does not know
	if err := dec.Decode(&in); err != nil {
		return err
	}
	switch {
	case in.S != nil && in.N == nil && in.B == nil:
		*v = value{kind: 'S', s: *in.S}
	case in.N != nil && in.S == nil && in.B == nil:
		n, ok := new(big.Int).SetString(*in.N, 10)
		if !ok || digits(n) > maxDigits {
			return invalid("dynamotest knows whole numbers of %d digits only, not %q", maxDigits, *in.N)
		}
		*v = value{kind: 'N', n: n}
	case in.B != nil && in.S == nil && in.N == nil:
		*v = value{kind: 'B', s: string(*in.B)}
	default:
		return invalid("Supplied AttributeValue must contain exactly one of the supported datatypes")
	}
	return nil
}

func (v value) equal(w value) bool {
	if v.kind != w.kind {
		return false
	}
	if v.kind == 'N' {
		return v.n.Cmp(w.n) == 0
	}
	return v.s == w.s
}

// compare orders values of one kind; strings and binaries by their bytes.
func (v value) compare(w value) int {
	if v.kind == 'N' {
		return v.n.Cmp(w.n)
	}
	return strings.Compare(v.s, w.s)
}

func (it item) equal(other item) bool {
	return maps.EqualFunc(it, other, value.equal)
}

// size is what DynamoDB bills: names and values, in bytes. Of a number it says
// "approximately" one byte for two significant digits, and one more.
func (it item) size() int {
	total := 0
	for name, v := range it {
		total += len(name) + v.size()
	}
	return total
}

func (v value) size() int {
	if v.kind != 'N' {
		return len(v.s)
	}
	significant := len(strings.Trim(new(big.Int).Abs(v.n).String(), "0"))
	size := (significant+1)/2 + 1
	if v.n.Sign() < 0 {
		size++
	}
	return size
}

func digits(n *big.Int) int { return len(new(big.Int).Abs(n).String()) }
