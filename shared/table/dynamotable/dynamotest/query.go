package dynamotest

import "slices"

type queryRequest struct {
	TableName                 string
	KeyConditionExpression    string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]value
	ExclusiveStartKey         item
	Limit                     *int
	ConsistentRead            bool
	ScanIndexForward          *bool
	ReturnConsumedCapacity    string
}

type queryResponse struct {
	Items            []item
	Count            int
	ScannedCount     int
	LastEvaluatedKey item      `json:",omitempty"`
	ConsumedCapacity *consumed `json:",omitempty"`
}

func (s *Server) query(in *queryRequest) (any, error) {
	t, err := s.table(in.TableName)
	if err != nil {
		return nil, err
	}
	if in.Limit != nil && *in.Limit < 1 {
		return nil, invalid("Limit must be greater than or equal to 1")
	}
	x := newExpressions(in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	cond, err := x.condition(in.KeyConditionExpression)
	if err != nil {
		return nil, err
	}
	if err := x.finish(); err != nil {
		return nil, err
	}
	r, err := keyRange(cond)
	if err != nil {
		return nil, err
	}
	keys, err := t.selected(r, in)
	if err != nil {
		return nil, err
	}
	out := &queryResponse{Items: []item{}}
	size := 0
	for _, sk := range keys {
		it := t.partitions[r.pk].items[sk]
		size += it.size()
		out.Items = append(out.Items, it)
		// A page that is full says so even if nothing comes after it.
		if in.Limit != nil && len(out.Items) == *in.Limit || size >= maxPage {
			out.LastEvaluatedKey = keyOf(it)
			break
		}
	}
	out.Count, out.ScannedCount = len(out.Items), len(out.Items)
	out.ConsumedCapacity = s.read(t.name, queryUnits(size, in.ConsistentRead), in.ReturnConsumedCapacity)
	return out, nil
}

// selected returns the sort keys of the range behind the start key, in the
// direction of the query.
func (t *table) selected(r ranged, in *queryRequest) ([]string, error) {
	var keys []string
	if p := t.partitions[r.pk]; p != nil {
		for _, sk := range p.order {
			if r.sort == nil || r.sort.holds(p.items[sk]) {
				keys = append(keys, sk)
			}
		}
	}
	reverse := in.ScanIndexForward != nil && !*in.ScanIndexForward
	if reverse {
		slices.Reverse(keys)
	}
	if in.ExclusiveStartKey == nil {
		return keys, nil
	}
	if err := checkKey(in.ExclusiveStartKey, true); err != nil {
		return nil, invalid("The provided starting key is invalid: %s", err.(*failure).Message)
	}
	start := in.ExclusiveStartKey["sk"].s
	if in.ExclusiveStartKey["pk"].s != r.pk || r.sort != nil && !r.sort.holds(in.ExclusiveStartKey) || r.last(start, reverse) {
		return nil, invalid("The provided starting key is outside query boundaries based on provided conditions")
	}
	for i, sk := range keys {
		if !reverse && sk > start || reverse && sk < start {
			return keys[i:], nil
		}
	}
	return nil, nil
}

// ranged is a key condition: one partition, and a condition on the sort key.
type ranged struct {
	pk   string
	sort condition // nil = all
}

// last reports whether the start key is the range's own end, where there is
// nothing left to query.
func (r ranged) last(start string, reverse bool) bool {
	at := func(bound operand) bool { return bound.(constant).value.s == start }
	switch c := r.sort.(type) {
	case comparison:
		return at(c.right) && (!reverse && c.op == "<=" || reverse && c.op == ">=")
	case between:
		return !reverse && at(c.high) || reverse && at(c.low)
	default:
		return false
	}
}

// keyRange refuses conditions that a key condition cannot be.
func keyRange(c condition) (ranged, error) {
	first, second := c, condition(nil)
	if b, ok := c.(both); ok {
		first, second = b.left, b.right
		if onSortKey(first) {
			first, second = second, first
		}
	}
	eq, ok := first.(comparison)
	if !ok || eq.op != "=" || eq.left != path("pk") {
		return ranged{}, invalid("Query condition missed key schema element: pk")
	}
	pk, ok := eq.right.(constant)
	if !ok || pk.value.kind != 'S' || pk.value.s == "" {
		return ranged{}, invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
	}
	if second != nil && !onSortKey(second) {
		return ranged{}, invalid("Query key condition not supported")
	}
	return ranged{pk.value.s, second}, nil
}

func onSortKey(c condition) bool {
	text := func(o operand) bool {
		v, ok := o.(constant)
		return ok && v.value.kind == 'S' && v.value.s != ""
	}
	switch c := c.(type) {
	case comparison:
		return c.left == path("sk") && c.op != "<>" && text(c.right)
	case between:
		return c.of == path("sk") && text(c.low) && text(c.high)
	default:
		return false
	}
}
