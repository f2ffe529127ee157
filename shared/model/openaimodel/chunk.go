package openaimodel

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"switchboard/shared/model/internal/provider"
)

// chunk is one event of a stream, or one whole answer (Message instead of Delta).
type chunk struct {
	Object  string         `json:"object"`
	Choices []choice       `json:"choices"`
	Usage   *usage         `json:"usage"`
	Error   jsontext.Value `json:"error"`
}

type choice struct {
	Index        int    `json:"index"`
	Delta        delta  `json:"delta"`
	Message      delta  `json:"message"`
	FinishReason string `json:"finish_reason"`
}

type delta struct {
	Content   string      `json:"content"`
	Refusal   string      `json:"refusal"`
	ToolCalls []callDelta `json:"tool_calls"`
}

type callDelta struct {
	Index    *int         `json:"index"` // nil from servers that send each call whole
	ID       string       `json:"id"`
	Function functionCall `json:"function"`
}

type usage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Details    struct {
		Cached int64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

// decode reads a chunk by the book.
func decode(data []byte) (chunk, error) {
	var c chunk
	err := json.Unmarshal(data, &c, provider.Lenient)
	return c, err
}

// plainText reads the chunk that nearly all of a stream is made of: one choice
// that carries text and nothing else. It reports false for everything it does not
// know for certain, which decode then reads; where it reports true, decode would
// have found this text, no finish reason, no usage and no error (FuzzPlainText).
func plainText(data []byte) (text string, ok bool) {
	s := scanner{b: data}
	choices := 0
	ok = s.object(func(name []byte) bool {
		switch string(name) {
		case "choices":
			choices++
			return choices == 1 && s.choices(&text)
		case "usage", "error":
			return s.word("null")
		case "object":
			_, ok := s.simple()
			return ok
		}
		return s.scalar()
	})
	s.space()
	return text, ok && choices == 1 && s.i == len(s.b)
}

// scanner walks the JSON of a plain chunk. Each method consumes what it names and
// reports whether it was there in the simple form expected.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) choices(text *string) bool {
	deltas := 0
	return s.byte('[') && s.object(func(name []byte) bool {
		switch string(name) {
		case "index":
			return s.word("0")
		case "finish_reason":
			return s.word("null")
		case "delta":
			deltas++
			return deltas == 1 && s.delta(text)
		case "message":
			return false
		}
		return s.scalar()
	}) && s.byte(']')
}

func (s *scanner) delta(text *string) bool {
	contents := 0
	return s.object(func(name []byte) bool {
		switch string(name) {
		case "content":
			contents++
			return contents == 1 && (s.word("null") || s.text(text))
		case "refusal", "tool_calls":
			return s.word("null")
		}
		return s.scalar()
	})
}

// object calls member for each name, which consumes the value.
func (s *scanner) object(member func(name []byte) bool) bool {
	if !s.byte('{') {
		return false
	}
	if s.byte('}') {
		return true
	}
	for {
		name, ok := s.simple()
		if !ok || !s.byte(':') || !member(name) {
			return false
		}
		if s.byte('}') {
			return true
		}
		if !s.byte(',') {
			return false
		}
	}
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) byte(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// word takes a literal or the number zero; what follows must not continue it.
func (s *scanner) word(w string) bool {
	s.space()
	if !bytes.HasPrefix(s.b[s.i:], []byte(w)) {
		return false
	}
	end := s.i + len(w)
	if end < len(s.b) && !ends(s.b[end]) {
		return false
	}
	s.i = end
	return true
}

// ends reports whether c may stand behind a literal or number.
func ends(c byte) bool {
	switch c {
	case ',', '}', ']', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

// scalar skips a string without escapes, a literal or a natural number.
func (s *scanner) scalar() bool {
	s.space()
	if s.i == len(s.b) {
		return false
	}
	switch c := s.b[s.i]; {
	case c == '"':
		_, ok := s.simple()
		return ok
	case c == '0':
		return s.word("0")
	case c >= '1' && c <= '9':
		for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
			s.i++
		}
		return s.i < len(s.b) && ends(s.b[s.i])
	}
	return s.word("null") || s.word("true") || s.word("false")
}

// simple takes a string without escapes and returns what is between its quotes.
func (s *scanner) simple() ([]byte, bool) {
	if !s.byte('"') {
		return nil, false
	}
	start, end := s.i, s.special(s.i)
	if end == len(s.b) || s.b[end] != '"' {
		return nil, false
	}
	s.i = end + 1
	return s.b[start:end], true
}

// text takes any string.
func (s *scanner) text(into *string) bool {
	if !s.byte('"') {
		return false
	}
	start, escaped := s.i, false
	for i := s.special(start); i < len(s.b); i = s.special(i) {
		switch s.b[i] {
		case '"':
			s.i = i + 1
			return unquote(s.b[start-1:s.i], escaped, into)
		case '\\':
			escaped = true
			i += 2
		default:
			return false
		}
	}
	return false
}

// special returns where, from i on, the next quote, backslash or control character
// is. It looks at eight bytes at a time, since most of a stream is looked at only
// to be skipped. In the mask a borrow can mark bytes behind the first one marked,
// never before it, so the first is right.
func (s *scanner) special(i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s.b); i += 8 {
		x := binary.LittleEndian.Uint64(s.b[i:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		mask := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*' ')&^x) & highs
		if mask != 0 {
			return i + bits.TrailingZeros64(mask)/8
		}
	}
	for ; i < len(s.b); i++ {
		if c := s.b[i]; c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(s.b)
}

func unquote(quoted []byte, escaped bool, into *string) bool {
	if raw := quoted[1 : len(quoted)-1]; !escaped {
		*into = string(raw)
		return utf8.Valid(raw)
	}
	b, err := jsontext.AppendUnquote(nil, quoted)
	*into = string(b)
	return err == nil
}
