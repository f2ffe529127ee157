package dynamotable

import (
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"switchboard/shared/problem"
	"switchboard/shared/table/internal/driver"
	"switchboard/shared/tenant"
)

// attributes is an item, a key or the values of an expression on the wire.
type attributes = map[string]types.AttributeValue

// counterPrefix keeps counters from colliding with our own attributes.
const counterPrefix = "c_"

func keyOf(sc tenant.Scope, k driver.Key) attributes {
	return attributes{"pk": str(driver.Partition(sc, k.Kind, k.Parent)), "sk": str(k.ID)}
}

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// bin never encodes nil: the SDK would send a NULL, which is another type.
func bin(b []byte) types.AttributeValue {
	if b == nil {
		b = []byte{}
	}
	return &types.AttributeValueMemberB{Value: b}
}

// decode reads an item of the scope's tenant; no attributes are the zero Item.
func decode(sc tenant.Scope, av attributes) (driver.Item, error) {
	if len(av) == 0 {
		return driver.Item{}, nil
	}
	r := reader{av: av}
	kind, parent, ok := driver.ParsePartition(sc, r.str("pk"))
	if !ok {
		r.fail("pk")
	}
	it := driver.Item{
		Key:     driver.Key{Kind: kind, Parent: parent, ID: r.str("sk")},
		Version: r.num("v"),
		Token:   r.str("t"),
	}
	for name := range av {
		switch {
		case name == "b":
			it.Body = r.bin(name)
		case name == "e":
			it.Expires = time.Unix(r.num(name), 0).UTC()
		case strings.HasPrefix(name, counterPrefix):
			if it.Counts == nil {
				it.Counts = map[string]int64{}
			}
			it.Counts[name[len(counterPrefix):]] = r.num(name)
		}
	}
	if r.bad != "" {
		return driver.Item{}, problem.New(problem.Internal, "dynamotable.decode", "attribute %s of a stored item cannot be read", r.bad)
	}
	return it, nil
}

// reader reads attributes and remembers the first that is not what it should be,
// so that a damaged item is an error and never half an item.
type reader struct {
	av  attributes
	bad string
}

func (r *reader) fail(name string) {
	if r.bad == "" {
		r.bad = name
	}
}

func (r *reader) str(name string) string {
	s, ok := r.av[name].(*types.AttributeValueMemberS)
	if !ok {
		r.fail(name)
		return ""
	}
	return s.Value
}

func (r *reader) num(name string) int64 {
	if n, ok := r.av[name].(*types.AttributeValueMemberN); ok {
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i
		}
	}
	r.fail(name)
	return 0
}

func (r *reader) bin(name string) []byte {
	b, ok := r.av[name].(*types.AttributeValueMemberB)
	if !ok {
		r.fail(name)
		return nil
	}
	return b.Value
}

// live returns the item, or the zero Item once it has expired.
func live(it driver.Item, now time.Time) driver.Item {
	if expired(it, now) {
		return driver.Item{}
	}
	return it
}

// expired compares whole seconds, as the conditions in DynamoDB do.
func expired(it driver.Item, now time.Time) bool {
	return !it.Expires.IsZero() && it.Expires.Unix() <= now.Unix()
}
