package dynamotest

import "strings"

// token is a word, a placeholder (:value or #name), an operator, or "" at the end.
type token string

// maxExpression is DynamoDB's limit on an expression, in bytes.
const maxExpression = 4096

// lex cuts an expression into tokens; the last one is "".
func lex(s string) ([]token, error) {
	if strings.TrimSpace(s) == "" {
		return nil, syntax("The expression can not be empty;")
	}
	if len(s) > maxExpression {
		return nil, invalid("Expression size has exceeded the maximum allowed size; expression size: %d", len(s))
	}
	var tokens []token
	for i := 0; i < len(s); {
		n := 1
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case letter(c) || c == ':' || c == '#':
			for i+n < len(s) && (letter(s[i+n]) || s[i+n] >= '0' && s[i+n] <= '9') {
				n++
			}
			if n == 1 && !letter(c) {
				return nil, syntax("a placeholder without a name")
			}
		case strings.HasPrefix(s[i:], "<>") || strings.HasPrefix(s[i:], "<=") || strings.HasPrefix(s[i:], ">="):
			n = 2
		case strings.IndexByte("=<>(),+-", c) < 0:
			return nil, syntax("unexpected %q", c)
		}
		tokens = append(tokens, token(s[i:i+n]))
		i += n
	}
	return append(tokens, ""), nil
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// word reports whether the token is the keyword; keywords ignore case.
func (t token) word(keyword string) bool { return strings.EqualFold(string(t), keyword) }

func (t token) isName() bool { return t != "" && (letter(t[0]) || t[0] == '#') }

func (t token) isValue() bool { return t != "" && t[0] == ':' }

func syntax(format string, args ...any) error {
	return invalid("Invalid expression: Syntax error; "+format, args...)
}
