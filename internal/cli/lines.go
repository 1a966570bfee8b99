package cli

import "strings"

// Lines breaks a text between words, and a word that is too long where the line ends.
func Lines(text string, most int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) <= most {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		rest := []rune(word)
		for len(rest) > most {
			lines, rest = append(lines, string(rest[:most])), rest[most:]
		}
		line = string(rest)
	}
	if line == "" {
		return lines
	}
	return append(lines, line)
}
