package setup

import (
	"fmt"
	"io"
	"strings"
)

// The columns of the table, which has 80.
const (
	actionWidth = 8
	objectWidth = 30
	detailWidth = 80 - actionWidth - objectWidth
)

// Print writes what would be done, and what is left alone, as a table.
func (p Plan) Print(w io.Writer) {
	for _, item := range p.Items {
		if item.Action == Keep {
			continue
		}
		object, detail := wrap(item.Object, objectWidth-1), wrap(item.Detail, detailWidth)
		action := string(item.Action)
		for i := range max(len(object), len(detail)) {
			line := fmt.Sprintf("%-*s%-*s%s", actionWidth, action, objectWidth, at(object, i), at(detail, i))
			fmt.Fprintln(w, strings.TrimRight(line, " "))
			action = ""
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// wrap breaks a text into lines of a width, between words, or within one that is longer.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line+" "+word)) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
		for runes := []rune(line); len(runes) > width; runes = []rune(line) {
			lines, line = append(lines, string(runes[:width])), string(runes[width:])
		}
	}
	return append(lines, line)
}
