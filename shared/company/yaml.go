package company

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The parser recurses at each level of nesting, and its time grows with the
// square of what it reads: 60,000 brackets keep it busy for half a minute, as
// many brackets side by side for three seconds.
const (
	maxDepth  = 16   // the format itself needs four levels
	maxTokens = 8000 // 500 members, written out, are 5,000
)

// yaml reads one document of named fields. Whatever could make a small file
// large or deep is refused on its tokens, before the parser sees it.
func (s *source) yaml(text string) (*fields, bool) {
	if len(text) > maxManifest {
		s.wrong(place{1, 1}, "fields are too large; expected at most %d KiB", maxManifest>>10)
		return nil, false
	}
	tokens := lexer.Tokenize(text)
	if !s.few(tokens) || !s.plainTokens(tokens) || !s.shallow(tokens) {
		return nil, false
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // fields names duplicates, all of them
	if err != nil {
		s.syntax(err)
		return nil, false
	}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			return s.fields(doc.Body, "")
		}
	}
	return &fields{src: s, at: place{1, 1}}, true
}

func (s *source) syntax(err error) {
	at, message := place{1, 1}, err.Error()
	if e, ok := errors.AsType[yaml.Error](err); ok {
		message = e.GetMessage()
		if tk := e.GetToken(); tk != nil {
			at = placeOf(tk)
		}
	}
	expected := "YAML"
	switch {
	case strings.Contains(message, "mapping value is not allowed"):
		expected = `quotes around a value with a colon in it, such as name: "Sparky: the best"`
	case strings.Contains(message, "'\t'"):
		expected = "spaces instead of a tab"
	}
	s.wrong(at, "cannot be read: %s; expected %s", message, expected)
}

func (s *source) few(tokens token.Tokens) bool {
	if len(tokens) <= maxTokens {
		return true
	}
	s.wrong(placeOf(tokens[maxTokens]), "more than %d names, values and marks; expected fewer", maxTokens)
	return false
}

// plainTokens refuses the parts of YAML that a manifest has no use for.
func (s *source) plainTokens(tokens token.Tokens) bool {
	before, content := len(s.report.mistakes), false
	for _, tk := range tokens {
		switch tk.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			s.wrong(placeOf(tk), "anchors, aliases and merge keys are not allowed; expected the value itself")
		case token.TagType:
			s.wrong(placeOf(tk), "tag %s is not allowed; expected a plain value", quote(tk.Value))
		case token.DirectiveType:
			s.wrong(placeOf(tk), "directives are not allowed; expected fields")
			return false // its words are tokens too, and the fence it needs would look like a second document
		case token.DocumentEndType:
			s.wrong(placeOf(tk), "document end marker; expected one document without it")
		case token.DocumentHeaderType:
			if content {
				s.wrong(placeOf(tk), "second document; expected one document per file")
			}
			content = true
		case token.CommentType:
		default:
			content = true
		}
	}
	return len(s.report.mistakes) == before
}

// shallow refuses nesting beyond maxDepth. Outside brackets, depth is the number
// of columns at which entries and fields stand open.
func (s *source) shallow(tokens token.Tokens) bool {
	brackets, columns := 0, []int{}
	for i, tk := range tokens {
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(0, brackets-1)
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType:
			if brackets == 0 {
				columns = openAt(columns, entryColumn(tokens, i))
			}
		}
		if brackets+len(columns) > maxDepth {
			s.wrong(placeOf(tk), "nested more than %d deep; expected at most %d levels", maxDepth, maxDepth)
			return false
		}
	}
	return true
}

// entryColumn is where the entry that tokens[i] marks begins; a field's colon
// stands behind its name.
func entryColumn(tokens token.Tokens, i int) int {
	at := placeOf(tokens[i])
	if tokens[i].Type == token.MappingValueType && i > 0 {
		if name := placeOf(tokens[i-1]); name.line == at.line {
			return name.column
		}
	}
	return at.column
}

// openAt closes what stood deeper than column and opens column.
func openAt(columns []int, column int) []int {
	for len(columns) > 0 && columns[len(columns)-1] >= column {
		columns = columns[:len(columns)-1]
	}
	return append(columns, column)
}

func placeOf(tk *token.Token) place { return place{tk.Position.Line, max(1, tk.Position.Column)} }

// nodePlace is where a person sees the value begin. The parser places a block of
// fields at its first colon.
func nodePlace(n ast.Node) place {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return placeOf(m.Values[0].Key.GetToken())
	}
	return placeOf(n.GetToken())
}

// describe names a value's type for a person.
func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a group of fields"
	default:
		return "nothing"
	}
}
