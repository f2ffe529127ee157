package dynamotest

import (
	"maps"
	"slices"
	"strings"
)

// expressions parses the expressions of one request, which share placeholders.
type expressions struct {
	names  map[string]string
	values map[string]value
	used   map[string]bool
}

func newExpressions(names map[string]string, values map[string]value) *expressions {
	return &expressions{names, values, map[string]bool{}}
}

// finish refuses placeholders that no expression used, as DynamoDB does.
func (x *expressions) finish() error {
	for _, name := range slices.Sorted(maps.Keys(x.values)) {
		if !x.used[name] {
			return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(x.names)) {
		if !x.used[name] {
			return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", name)
		}
	}
	return nil
}

// parser is a recursive descent over the tokens of one expression.
type parser struct {
	x         *expressions
	tokens    []token
	operators int
}

// maxOperators is DynamoDB's limit on one expression; a function is one too.
const maxOperators = 300

// operator counts one.
func (p *parser) operator() error {
	if p.operators++; p.operators > maxOperators {
		return invalid("Invalid expression: The expression contains too many operators; operator count: %d", p.operators)
	}
	return nil
}

func (x *expressions) parser(s string) (*parser, error) {
	tokens, err := lex(s)
	return &parser{x: x, tokens: tokens}, err
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) expect(t token) error {
	if got := p.next(); got != t {
		return syntax("token: %q, expected %q", got, t)
	}
	return nil
}

// condition parses a whole condition expression.
func (x *expressions) condition(s string) (condition, error) {
	p, err := x.parser(s)
	if err != nil {
		return nil, err
	}
	c, err := p.or()
	if err != nil {
		return nil, err
	}
	return c, p.expect("")
}

func (p *parser) or() (condition, error) {
	left, err := p.and()
	for err == nil && p.peek().word("OR") {
		p.next()
		if err = p.operator(); err != nil {
			break
		}
		var right condition
		right, err = p.and()
		left = either{left, right}
	}
	return left, err
}

func (p *parser) and() (condition, error) {
	left, err := p.not()
	for err == nil && p.peek().word("AND") {
		p.next()
		if err = p.operator(); err != nil {
			break
		}
		var right condition
		right, err = p.not()
		left = both{left, right}
	}
	return left, err
}

func (p *parser) not() (condition, error) {
	if p.peek().word("NOT") {
		p.next()
		if err := p.operator(); err != nil {
			return nil, err
		}
		c, err := p.not()
		return negation{c}, err
	}
	return p.test()
}

// test parses a condition in parentheses, a function, or a comparison.
func (p *parser) test() (condition, error) {
	if p.peek() == "(" {
		p.next()
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		if _, twice := c.(group); twice {
			return nil, invalid("Invalid expression: The expression has redundant parentheses;")
		}
		return group{c}, p.expect(")")
	}
	if err := p.operator(); err != nil {
		return nil, err
	}
	name := p.peek()
	if (name == "attribute_exists" || name == "attribute_not_exists") && p.tokens[1] == "(" {
		p.tokens = p.tokens[2:]
		attr, err := p.path()
		if err != nil {
			return nil, err
		}
		return exists{attr, name == "attribute_exists"}, p.expect(")")
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	return p.comparison(left)
}

func (p *parser) comparison(left operand) (condition, error) {
	switch t := p.next(); {
	case t == "=" || t == "<>" || t == "<" || t == "<=" || t == ">" || t == ">=":
		right, err := p.operand()
		if err != nil {
			return nil, err
		}
		return comparison{left, string(t), right}, distinct(left, right)
	case t.word("BETWEEN"):
		low, err := p.operand()
		if err != nil {
			return nil, err
		}
		if !p.next().word("AND") {
			return nil, syntax("BETWEEN without AND")
		}
		high, err := p.operand()
		if err != nil {
			return nil, err
		}
		if err := distinct(left, low, high); err != nil {
			return nil, err
		}
		return newBetween(left, low, high)
	default:
		return nil, syntax("token: %q, expected an operator", t)
	}
}

// distinct refuses to compare an attribute with itself.
func distinct(first operand, others ...operand) error {
	for _, o := range others {
		if attr, ok := first.(path); ok && o == attr {
			return invalid("Invalid expression: The first operand must be distinct from the remaining operands for this operator or function")
		}
	}
	return nil
}

// operand parses an attribute's name or a value.
func (p *parser) operand() (operand, error) {
	if !p.peek().isValue() {
		return p.path()
	}
	name := string(p.next())
	v, ok := p.x.values[name]
	if !ok {
		return nil, invalid("Invalid expression: An expression attribute value used in expression is not defined; attribute value: %s", name)
	}
	p.x.used[name] = true
	return constant{v}, nil
}

// path parses an attribute's name. Paths into documents are not known here.
func (p *parser) path() (path, error) {
	t := p.next()
	if !t.isName() {
		return "", syntax("token: %q, expected an attribute's name", t)
	}
	if t[0] == '#' {
		name, ok := p.x.names[string(t)]
		if !ok {
			return "", invalid("Invalid expression: An expression attribute name used in the document path is not defined; attribute name: %s", t)
		}
		p.x.used[string(t)] = true
		return path(name), nil
	}
	if reserved[strings.ToUpper(string(t))] {
		return "", invalid("Invalid expression: Attribute name is a reserved keyword; reserved keyword: %s", t)
	}
	return path(t), nil
}

// reserved is a part of DynamoDB's list of some 570 words: those that a short
// attribute is likely to be called.
var reserved = map[string]bool{
	"ADD": true, "AND": true, "AT": true, "BETWEEN": true, "BINARY": true, "COUNT": true, "COUNTER": true, "DATA": true,
	"DATE": true, "DELETE": true, "EXISTS": true, "IN": true, "ITEM": true, "ITEMS": true, "KEY": true, "KEYS": true,
	"NAME": true, "NOT": true, "OR": true, "SET": true, "SIZE": true, "STATE": true, "STATUS": true, "TIME": true,
	"TIMESTAMP": true, "TOKEN": true, "TTL": true, "TYPE": true, "USER": true, "VALUE": true, "VALUES": true,
}
