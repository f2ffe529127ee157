package dynamotest

import (
	"slices"
)

// Limits of DynamoDB, in bytes.
const (
	maxItem        = 400 << 10
	maxPartition   = 2048
	maxSort        = 1024
	maxPage        = 1 << 20
	maxTransaction = 4 << 20
)

// table is a table with the key schema of dynamotable: pk and sk, both strings.
type table struct {
	name       string
	partitions map[string]*partition
	stream     *stream // nil if it has none
	ttl        string  // attribute; "" = off
}

// partition holds the items of one pk.
type partition struct {
	items map[string]item
	order []string // the sort keys, in order of their bytes
}

func (s *Server) table(name string) (*table, error) {
	t, ok := s.tables[name]
	if !ok {
		return nil, &failure{Type: "ResourceNotFoundException", Message: "Cannot do operations on a non-existent table"}
	}
	return t, nil
}

// get returns the item under the key, or nil.
func (t *table) get(key item) item {
	p := t.partitions[key["pk"].s]
	if p == nil {
		return nil
	}
	return p.items[key["sk"].s]
}

// store puts the item, which may be nil, in the place of what is under the key.
func (t *table) store(key, it item) {
	pk, sk := key["pk"].s, key["sk"].s
	p := t.partitions[pk]
	if p == nil {
		p = &partition{items: map[string]item{}}
		t.partitions[pk] = p
	}
	at, there := slices.BinarySearch(p.order, sk)
	switch {
	case it == nil && there:
		p.order = slices.Delete(p.order, at, at+1)
		delete(p.items, sk)
	case it != nil:
		if !there {
			p.order = slices.Insert(p.order, at, sk)
		}
		p.items[sk] = it
	}
}

// keyOf returns the key attributes of an item.
func keyOf(it item) item { return item{"pk": it["pk"], "sk": it["sk"]} }

// checkKey refuses what cannot be a key. exact is for a request's Key, which has
// no other attributes.
func checkKey(it item, exact bool) error {
	if exact && len(it) != 2 {
		return invalid("The provided key element does not match the schema")
	}
	for _, k := range []struct {
		name string
		most int
	}{{"pk", maxPartition}, {"sk", maxSort}} {
		switch v := it[k.name]; {
		case v.kind != 'S':
			return invalid("One or more parameter values were invalid: Missing the key %s in the item", k.name)
		case v.s == "":
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", k.name)
		case len(v.s) > k.most:
			return invalid("One or more parameter values were invalid: Size of key %s has exceeded the maximum size limit of %d bytes", k.name, k.most)
		}
	}
	return nil
}

func checkSize(it item) error {
	if it.size() > maxItem {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}
