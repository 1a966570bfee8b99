package pathfilter

import "testing"

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"infrastructure/**", "infrastructure/delivery/policies.go", true},
		{"infrastructure/**", "infrastructure.md", false},
		{"*.go", "main.go", true},
		{"*.go", "config/config.go", false},
		{"go.*", "go.mod", true},
		{"package*.json", "package-lock.json", true},
		{"cdk.json", "cdkxjson", false},
		{"**/*.md", "docs/guides/bootstrap.md", true},
		{"docs/?.md", "docs/a.md", true},
		{"docs/?.md", "docs/ab.md", false},
		{"{main,release/*}", "release/1", true},
		{"{main,release/*}", "release/1/2", false},
		{"v[0-9]", "v7", true},
		{"v[!0-9]", "v7", false},
		{"[", "[", true},
		{"a{b", "ab", false},
		{"main", "main", true},
		{"main", "domain", false},
	} {
		if got := Match(c.pattern, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %t", c.pattern, c.name, got)
		}
	}
	if !Any([]string{"a", "b*"}, "bc") || Any(nil, "a") {
		t.Error("Any")
	}
}
