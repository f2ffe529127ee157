package company

import "strings"

// nearest returns the name that a person most likely meant by written.
func nearest(written string, names []string) (string, bool) {
	best, least := "", 1+len(written)/4
	for _, name := range names {
		if d := distance(strings.ToLower(written), name); d <= least && d < len(name) {
			if best == "" || d < least {
				best, least = name, d
			}
		}
	}
	return best, best != ""
}

// distance counts the letters to add, drop, change or swap with their neighbor
// that make b of a (optimal string alignment). It works on bytes: all known
// names are ASCII.
func distance(a, b string) int {
	const longest = 64 // no field is near to a longer one, and the table stays small
	if len(a) > longest {
		return longest
	}
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
