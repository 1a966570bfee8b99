// Package markdown writes text of others into GitHub's Markdown, so that nothing in it is markup.
package markdown

import "strings"

// Code is text in a code span.
func Code(text string) string { return "`" + strings.ReplaceAll(text, "`", "'") + "`" }

// Inline is one line of text, also in a table or a heading, in which nothing is markup, a mention or an issue.
func Inline(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", `\*`, "_", `\_`, "`", "'", "|", `\|`, "[", `\[`, "@", "@&#8203;", "#", "&#35;").Replace(text)
}
