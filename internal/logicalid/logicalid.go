// Package logicalid names the constructs that are made from the elements of a list.
package logicalid

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
)

// Of returns the construct id of a list's element: prefix, the readable end of the value, and a part of its hash. It
// depends on the value alone. An id that counts the elements gives each resource another identity when the list is
// reordered, and CloudFormation then creates what exists before it deletes it.
func Of(prefix, value string) string {
	readable := value[strings.LastIndex(value, "/")+1:]
	readable = strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return r
	}, readable)
	sum := sha256.Sum256([]byte(value))
	return prefix + "-" + readable[:min(len(readable), 40)] + "-" + hex.EncodeToString(sum[:4])
}
