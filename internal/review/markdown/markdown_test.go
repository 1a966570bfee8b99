package markdown

import (
	"strings"
	"testing"
)

func TestInline(t *testing.T) {
	got := Inline("<script> *x* @team #12 a|b\n`code` [link](http://x) ${A.b_c}")
	for _, bad := range []string{"<script", " *x*", "@team", "#12 ", "a|b", "\n", "[link]("} {
		if strings.Contains(strings.ReplaceAll(got, `\[`, ""), bad) && bad != "a|b" || bad == "a|b" && !strings.Contains(got, `a\|b`) {
			t.Errorf("%q stays in %q", bad, got)
		}
	}
}

func TestCode(t *testing.T) {
	if got := Code("a`b"); got != "`a'b`" {
		t.Errorf("got %s", got)
	}
}
