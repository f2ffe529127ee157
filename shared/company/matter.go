package company

import "strings"

const fence = "---"

// splitMatter cuts a Markdown file into its front matter, without the fences,
// and what follows it. Front matter begins at the first line or not at all.
// closed is false if it begins and does not end.
func splitMatter(text string) (matter, body string, closed bool) {
	first, rest, _ := strings.Cut(text, "\n")
	if !isFence(first) {
		return "", text, true
	}
	for start := 0; start < len(rest); {
		line, _, more := strings.Cut(rest[start:], "\n")
		end := start + len(line)
		if isFence(line) {
			if more {
				end++
			}
			return rest[:start], rest[end:], true
		}
		start = end + 1
	}
	return "", "", false
}

// isFence forgives spaces after the dashes, which nobody sees.
func isFence(line string) bool { return strings.TrimRight(line, " \t") == fence }

// matter reads the file's front matter and returns what follows it; false means
// the front matter is not fit to be read further.
func (s *source) matter() (fields *fields, body string, ok bool) {
	matter, body, closed := splitMatter(s.text)
	if !closed {
		s.wrong(place{1, 1}, "front matter does not end; expected a second line %q", fence)
		return nil, "", false
	}
	head, _, _ := strings.Cut(strings.TrimLeft(body, " \t\n"), "\n")
	if len(body) == len(s.text) && isFence(head) {
		s.wrong(place{1, 1}, "front matter does not begin on the first line; expected nothing before %q", fence)
		return nil, "", false
	}
	// The opening fence is line 1: an empty line in its place keeps the file's numbers.
	fields, ok = s.yaml("\n" + matter)
	return fields, body, ok
}
