package rehearsal

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// seconds is a time: whole seconds, tenths below ten.
func seconds(s float64) string {
	if s > 0 && s < 9.95 {
		return strings.TrimSuffix(strconv.FormatFloat(s, 'f', 1, 64), ".0") + " s"
	}
	return strconv.FormatFloat(math.Round(s), 'f', 0, 64) + " s"
}

// grouped is a number with commas.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return grouped(n) + " times"
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// shorten keeps the beginning.
func shorten(text string, most int) string {
	if all := []rune(text); len(all) > most {
		return string(all[:most-1]) + "…"
	}
	return text
}

// short is a commit as people write it.
func short(commit string) string { return fmt.Sprintf("%.12s", commit) }
