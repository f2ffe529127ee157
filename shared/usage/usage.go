// Package usage says what tokens cost: a versioned price book in integer
// micro-dollars.
//
// shared/chat imports it to price a turn. Its one promise: a cost is computed
// from what a provider counted and from a price that is written down with its
// date; what has no price costs nothing and says that it is unpriced.
package usage

import (
	_ "embed"
	"math/bits"

	"switchboard/shared/model"
	"switchboard/shared/problem"
	"switchboard/shared/strictjson"
)

//go:embed prices.json
var shipped []byte

// Book is a price book. Its prices are micro-dollars for a million tokens, so a
// price of 250000 is 25 cents.
type Book struct {
	Version string           `json:"version"` // the date of the prices, which names the book
	Note    string           `json:"note"`    // where they are from
	Models  map[string]Price `json:"models"`  // by "provider/model"
}

// Price is what a million tokens cost, in micro-dollars.
type Price struct {
	Input       int64 `json:"input"`
	CachedInput int64 `json:"cached_input"`
	Output      int64 `json:"output"`
}

// Shipped returns the price book that comes with this version.
func Shipped() (*Book, error) { return Parse(shipped) }

// Parse reads a price book from JSON, strictly.
func Parse(data []byte) (*Book, error) {
	var b Book
	if err := strictjson.Unmarshal(data, &b); err != nil {
		return nil, err
	}
	if b.Version == "" {
		return nil, problem.Bad("usage.Parse", "version", "a price book has a version")
	}
	for name, p := range b.Models {
		if p.Input < 0 || p.CachedInput < 0 || p.Output < 0 {
			return nil, problem.Bad("usage.Parse", "models."+name, "a price is not negative")
		}
	}
	return &b, nil
}

// Cost returns what the tokens cost with the model ("provider/model"), in
// micro-dollars, each part rounded up; priced is false where the book has no
// price for it.
func (b *Book) Cost(ref string, u model.Usage) (microUSD int64, priced bool) {
	p, ok := b.Models[ref]
	if !ok {
		return 0, false
	}
	plain := max(0, u.Input-u.CachedInput)
	return part(plain, p.Input) + part(u.CachedInput, p.CachedInput) + part(u.Output, p.Output), true
}

// part is tokens x price / 1e6, rounded up, without overflow on the way.
func part(tokens, price int64) int64 {
	if tokens <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(tokens), uint64(price))
	lo, carry := bits.Add64(lo, 999_999, 0)
	if hi += carry; hi >= 1_000_000 {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, 1_000_000)
	return int64(min(q, 1<<63-1))
}
