package cli

import (
	"fmt"
	"io"
	"strings"
)

// width is the number of columns that tables fit into.
const width = 80

// Wrap writes a text behind a mark, in lines that fit. A word that does not fit has a line of its own.
func Wrap(w io.Writer, mark, text string) {
	line := mark
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case len([]rune(line))+1+len([]rune(word)) > width:
			fmt.Fprintln(w, line)
			line = strings.Repeat(" ", len([]rune(mark))) + "  " + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintln(w, line)
}
