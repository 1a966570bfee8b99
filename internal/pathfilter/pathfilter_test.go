package pathfilter

import (
	"strings"
	"testing"
)

func TestCompile(t *testing.T) {
	for _, c := range []struct {
		pattern  string
		yes, not []string
	}{
		{"cdk.json", []string{"cdk.json"}, []string{"x/cdk.json", "cdk-json", "cdk.json.bak"}},
		{"*.go", []string{"main.go", ".go"}, []string{"config/config.go", "main.gox"}},
		{"go.*", []string{"go.mod", "go.sum"}, []string{"go", "go.d/x"}},
		{"package*.json", []string{"package.json", "package-lock.json"}, []string{"x/package.json"}},
		{"infrastructure/**", []string{"infrastructure/a.go", "infrastructure/delivery/b.go"}, []string{"infrastructure", "x/infrastructure/a.go"}},
		{"**", []string{"a", "a/b/c"}, nil},
		{"**/README.md", []string{"a/README.md", "a/b/README.md"}, []string{"README.md", "a/README.mdx"}},
		{"dir/*", []string{"dir/a"}, []string{"dir/a/b"}},
		{"foo.?", []string{"foo.c"}, []string{"foo.", "foo.cc", "foo./"}},
		{"*.{java,class}", []string{"A.java", "A.class"}, []string{"A.jar", "A.java,class"}},
		{"a{b*,}", []string{"a", "ab", "abc"}, []string{"ac"}},
		{"v[0-9].[!a-c]", []string{"v1.d", "v9.0"}, []string{"va.d", "v1.a", "v1./"}},
		{"x[-*?]", []string{"x-", "x*", "x?"}, []string{"xa"}},
		{`a\*b`, []string{"a*b"}, []string{"axb"}},
		{"release/**", []string{"release/1", "release/1/2"}, []string{"release", "prerelease/1"}},
		{"{main,release/*}", []string{"main", "release/1"}, []string{"release/1/2", "domain"}},
		{"docs/?.md", []string{"docs/a.md"}, []string{"docs/ab.md"}},
		{"ümlaut/*", []string{"ümlaut/ß"}, []string{"umlaut/s"}},
	} {
		re, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		for _, name := range c.yes {
			if !re.MatchString(name) {
				t.Errorf("%s does not match %s", c.pattern, name)
			}
		}
		for _, name := range c.not {
			if re.MatchString(name) {
				t.Errorf("%s matches %s", c.pattern, name)
			}
		}
	}
	for pattern, want := range map[string]string{"a{b": "is not closed", "a[b": "is not closed", "{a{b}}": "nested", `a\`: "nothing follows", "[]": "empty", "[a/b]": "slash", "[z-a]": "range", "a}": "closes nothing", "a]": "closes nothing", "[": "is not closed"} {
		if _, err := Compile(pattern); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
}

func TestAny(t *testing.T) {
	if found, err := Any([]string{"a", "b*"}, "bc"); err != nil || !found {
		t.Errorf("%t, %v", found, err)
	}
	if found, err := Any(nil, "a"); err != nil || found {
		t.Errorf("no pattern: %t, %v", found, err)
	}
	if _, err := Any([]string{"a{"}, "b"); err == nil || !strings.Contains(err.Error(), `"a{"`) {
		t.Errorf("a bad pattern is not named: %v", err)
	}
}
