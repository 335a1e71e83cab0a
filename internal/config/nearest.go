package config

import (
	"slices"
	"strings"
)

// suggest says which key may have been meant by name.
func suggest(name string, known []string) string {
	if near, ok := nearest(name, known); ok {
		return "did you mean " + near + "?"
	}
	return "known here: " + strings.Join(known, ", ")
}

// nearest returns the known word that takes the fewest edits, when these are few
// for its length.
func nearest(name string, known []string) (string, bool) {
	best, least := "", len(name)/3+2
	for _, k := range known {
		if d := edits(strings.ToLower(name), k); d < least {
			best, least = k, d
		}
	}
	return best, best != ""
}

// edits is the Levenshtein distance: how many letters to insert, remove or
// replace to make b of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = slices.Min([]int{replace, row[j] + 1, row[j+1] + 1})
		}
	}
	return row[len(b)]
}
