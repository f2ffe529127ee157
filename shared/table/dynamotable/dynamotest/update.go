package dynamotest

import (
	"maps"
	"math/big"
)

// update is a parsed update expression.
type update struct {
	sets    []assignment
	adds    []assignment
	removes []path
}

type assignment struct {
	attr  path
	value operand
}

// update parses an update expression: each clause at most once, each attribute
// at most once.
func (x *expressions) update(s string) (*update, error) {
	p, err := x.parser(s)
	if err != nil {
		return nil, err
	}
	u, seen := &update{}, map[string]bool{}
	for p.peek() != "" {
		clause, parse := p.clause(u)
		if parse == nil {
			return nil, syntax("token: %q, expected a clause", p.peek())
		}
		if seen[clause] {
			return nil, invalid("Invalid UpdateExpression: The %q section can only be used once in an update expression;", clause)
		}
		seen[clause] = true
		p.next()
		if err := p.list(parse); err != nil {
			return nil, err
		}
	}
	return u, u.distinct()
}

// clause returns the name of the clause that begins here and what parses one of
// its parts; nil if none begins.
func (p *parser) clause(u *update) (string, func() error) {
	switch t := p.peek(); {
	case t.word("SET"):
		return "SET", func() error { return p.set(u) }
	case t.word("ADD"):
		return "ADD", func() error { return p.add(u) }
	case t.word("REMOVE"):
		return "REMOVE", func() error {
			attr, err := p.path()
			u.removes = append(u.removes, attr)
			return err
		}
	default:
		return "", nil
	}
}

func (p *parser) list(parse func() error) error {
	for {
		if err := parse(); err != nil {
			return err
		}
		if p.peek() != "," {
			return nil
		}
		p.next()
	}
}

func (p *parser) set(u *update) error {
	attr, err := p.path()
	if err != nil {
		return err
	}
	if err := p.expect("="); err != nil {
		return err
	}
	v, err := p.term()
	if err != nil {
		return err
	}
	if op := p.peek(); op == "+" || op == "-" {
		p.next()
		right, err := p.term()
		if err != nil {
			return err
		}
		v = sum{v, right, op == "-"}
	}
	u.sets = append(u.sets, assignment{attr, v})
	return nil
}

// term parses an operand of SET.
func (p *parser) term() (operand, error) {
	if p.peek() != "if_not_exists" || p.tokens[1] != "(" {
		return p.operand()
	}
	p.tokens = p.tokens[2:]
	attr, err := p.path()
	if err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	other, err := p.term()
	if err != nil {
		return nil, err
	}
	return fallback{attr, other}, p.expect(")")
}

func (p *parser) add(u *update) error {
	attr, err := p.path()
	if err != nil {
		return err
	}
	if !p.peek().isValue() {
		return syntax("token: %q, expected a value to ADD", p.peek())
	}
	v, err := p.operand()
	if err != nil {
		return err
	}
	if v.(constant).value.kind != 'N' {
		return invalid("Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD")
	}
	u.adds = append(u.adds, assignment{attr, v})
	return nil
}

// distinct refuses an attribute that is changed twice.
func (u *update) distinct() error {
	seen := map[path]bool{}
	for _, attr := range u.attributes() {
		if seen[attr] {
			return invalid("Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [%s]", attr)
		}
		seen[attr] = true
	}
	return nil
}

func (u *update) attributes() []path {
	attrs := append([]path{}, u.removes...)
	for _, a := range u.sets {
		attrs = append(attrs, a.attr)
	}
	for _, a := range u.adds {
		attrs = append(attrs, a.attr)
	}
	return attrs
}

// apply returns the item after the update. Every operand is of the item before.
func (u *update) apply(old, key item) (item, error) {
	it := maps.Clone(key)
	maps.Copy(it, old)
	for _, a := range u.sets {
		if s, ok := a.value.(sum); ok && !s.numbers(old) {
			return nil, invalid("An operand in the update expression has an incorrect data type")
		}
		v, ok := a.value.of(old)
		if !ok {
			return nil, invalid("The provided expression refers to an attribute that does not exist in the item")
		}
		it[string(a.attr)] = v
	}
	for _, a := range u.adds {
		v, _ := a.value.of(old)
		if before, there := old[string(a.attr)]; there {
			if before.kind != 'N' {
				return nil, invalid("An operand in the update expression has an incorrect data type")
			}
			v = plus(before, v, false)
		}
		it[string(a.attr)] = v
	}
	for _, attr := range u.removes {
		delete(it, string(attr))
	}
	return it, it.numbersFit()
}

// numbersFit refuses what arithmetic made too long.
func (it item) numbersFit() error {
	for _, v := range it {
		if v.kind == 'N' && digits(v.n) > maxDigits {
			return invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
		}
	}
	return nil
}

// sum is a + b or a - b; fallback is if_not_exists.
type (
	sum struct {
		left, right operand
		minus       bool
	}
	fallback struct {
		attr  path
		other operand
	}
)

func (s sum) of(it item) (value, bool) {
	l, lok := s.left.of(it)
	r, rok := s.right.of(it)
	if !lok || !rok {
		return value{}, false
	}
	return plus(l, r, s.minus), true
}

// numbers reports whether what is there of both sides is numbers.
func (s sum) numbers(it item) bool {
	l, lok := s.left.of(it)
	r, rok := s.right.of(it)
	return (!lok || l.kind == 'N') && (!rok || r.kind == 'N')
}

func plus(l, r value, minus bool) value {
	n := new(big.Int)
	if minus {
		n.Sub(l.n, r.n)
	} else {
		n.Add(l.n, r.n)
	}
	return value{kind: 'N', n: n}
}

func (f fallback) of(it item) (value, bool) {
	if v, ok := f.attr.of(it); ok {
		return v, true
	}
	return f.other.of(it)
}
