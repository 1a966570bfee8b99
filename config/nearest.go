package config

import "strings"

// nearest returns the candidate nearest to word, empty when none is near. A word that begins a candidate is one step away.
func nearest(word string, candidates []string) string {
	best, near := "", len(word)/2+1
	for _, candidate := range candidates {
		d := editDistance(strings.ToLower(word), strings.ToLower(candidate))
		if len(word) > 2 && strings.HasPrefix(candidate, word) {
			d = min(d, 1)
		}
		if d < near {
			best, near = candidate, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance of a and b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
