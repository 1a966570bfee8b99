package logicalid

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	for value, want := range map[string]string{
		"arn:aws:iam::111111111111:role/Admin": "Access-Admin-",
		"platform@example.com":                 "Access-platformexamplecom-",
		"arn:aws:iam::111111111111:user/é+=,.": "Access--",
		strings.Repeat("x", 512):               "Access-" + strings.Repeat("x", 40) + "-",
	} {
		got := Of("Access", value)
		if !strings.HasPrefix(got, want) || len(got) != len(want)+8 {
			t.Errorf("%s: got %s, want %s and 8 digits of a hash", value, got, want)
		}
	}
	// CDK writes "/" as "--" in an id, so these two would be one.
	if a, b := Of("Access", "arn:aws:iam::1:role/a/b"), Of("Access", "arn:aws:iam::1:role/a--b"); a == b {
		t.Errorf("two principals have the id %s", a)
	}
}
