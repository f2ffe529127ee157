package knowledge

import (
	"strconv"
	"strings"
	"unicode"
)

// aim is how many bytes a passage may have before it is cut between two blocks:
// about 180 words, enough to answer and small enough to be read as a citation.
const aim = 1200

// chunk is a passage before it belongs to a document.
type chunk struct {
	anchor  string // unique within the document, stable while the headings are
	heading string // path of headings, joined by " > "
	text    string
}

// cut divides Markdown at its headings, and long sections between blocks (a
// paragraph, list, table or code fence is never divided).
func cut(markdown string) []chunk {
	var (
		out   []chunk
		path  []string // headings above, by level from 1
		block []string // blocks of the section so far
		used  = make(map[string]int)
	)
	flush := func() {
		for _, text := range fill(block) {
			heading := strings.Join(compact(path), " > ")
			anchor := slug(heading)
			if used[anchor]++; used[anchor] > 1 {
				anchor += "-" + strconv.Itoa(used[anchor])
			}
			out = append(out, chunk{anchor, heading, text})
		}
		block = nil
	}
	for _, b := range blocks(markdown) {
		level, title := headingOf(b)
		if level == 0 {
			block = append(block, b)
			continue
		}
		flush()
		for len(path) < level {
			path = append(path, "")
		}
		path = append(path[:level-1], title)
	}
	flush()
	return out
}

// fill joins blocks into texts of about aim bytes.
func fill(blocks []string) []string {
	var out []string
	var cur string
	for _, b := range blocks {
		if cur != "" && len(cur)+len(b) > aim {
			out, cur = append(out, cur), ""
		}
		if cur != "" {
			cur += "\n\n"
		}
		cur += b
	}
	if cur != "" {
		out = append(out, cur)
	}
	return out
}

// blocks splits Markdown at empty lines outside code fences; a heading is a block
// of its own.
func blocks(markdown string) []string {
	var out []string
	var cur []string
	flush := func() {
		if len(cur) > 0 {
			out = append(out, strings.Join(cur, "\n"))
			cur = nil
		}
	}
	fenced := false
	for line := range strings.Lines(strings.ReplaceAll(markdown, "\r\n", "\n")) {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		level, _ := headingOf(line)
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
			cur = append(cur, line)
		case fenced:
			cur = append(cur, line)
		case line == "":
			flush()
		case level > 0:
			flush()
			out = append(out, line)
		default:
			cur = append(cur, line)
		}
	}
	flush()
	return out
}

// headingOf returns the level (1 to 6) and text of an ATX heading, or 0.
func headingOf(line string) (int, string) {
	n := len(line) - len(strings.TrimLeft(line, "#"))
	if n == 0 || n > 6 || len(line) == n || line[n] != ' ' || strings.ContainsRune(line, '\n') {
		return 0, ""
	}
	return n, strings.TrimSpace(strings.TrimRight(line[n:], "# "))
}

func compact(path []string) []string {
	var out []string
	for _, p := range path {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

// slug is a heading path as an anchor: letters and digits, the rest hyphens.
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 80 {
			break
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "top"
}
