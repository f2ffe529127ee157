package dynamotest

// condition is a parsed condition. An absent item is a nil item: it has no
// attributes.
type condition interface{ holds(item) bool }

type (
	both     struct{ left, right condition }
	either   struct{ left, right condition }
	negation struct{ of condition }
	group    struct{ of condition } // in parentheses
	exists   struct {
		attr path
		want bool
	}
	comparison struct {
		left  operand
		op    string
		right operand
	}
	between struct{ of, low, high operand }
)

func (c both) holds(it item) bool     { return c.left.holds(it) && c.right.holds(it) }
func (c either) holds(it item) bool   { return c.left.holds(it) || c.right.holds(it) }
func (c negation) holds(it item) bool { return !c.of.holds(it) }
func (c group) holds(it item) bool    { return c.of.holds(it) }

func (c exists) holds(it item) bool {
	_, there := it[string(c.attr)]
	return there == c.want
}

// holds is false for an attribute that is missing, and for values of two kinds,
// save that they are unequal.
func (c comparison) holds(it item) bool {
	l, lok := c.left.of(it)
	r, rok := c.right.of(it)
	if c.op == "<>" {
		return !lok || !rok || !l.equal(r)
	}
	return lok && rok && l.kind == r.kind && ordered(c.op, l.compare(r))
}

// ordered reports whether an order (-1, 0, 1) is what the operator asks for.
func ordered(op string, order int) bool {
	switch op {
	case "=":
		return order == 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

// newBetween refuses bounds that can be seen to be upside down.
func newBetween(of, low, high operand) (condition, error) {
	l, lok := low.(constant)
	h, hok := high.(constant)
	if lok && hok {
		if l.value.kind != h.value.kind {
			return nil, invalid("The BETWEEN operator requires same data type for lower and upper bounds")
		}
		if l.value.compare(h.value) > 0 {
			return nil, invalid("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
		}
	}
	return between{of, low, high}, nil
}

func (c between) holds(it item) bool {
	return comparison{c.of, ">=", c.low}.holds(it) && comparison{c.of, "<=", c.high}.holds(it)
}

// operand yields a value, or false if the attribute is missing.
type operand interface{ of(item) (value, bool) }

type (
	path     string // an attribute
	constant struct{ value value }
)

func (p path) of(it item) (value, bool) {
	v, ok := it[string(p)]
	return v, ok
}

func (c constant) of(item) (value, bool) { return c.value, true }
