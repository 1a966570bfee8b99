// Package unified writes the difference between two texts as diff -u does.
package unified

import (
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// context is the number of unchanged lines around a change.
const context = 3

// Diff returns the unified difference of two texts without file names; empty when they are equal.
func Diff(old, now string) string {
	if old == now {
		return ""
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: lines(old), B: lines(now), Context: context})
	if err != nil { // a strings.Builder does not fail
		return ""
	}
	return text
}

// lines splits a text and ends each line.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	return difflib.SplitLines(strings.TrimSuffix(text, "\n"))
}
