package config

import (
	"os"
	"strings"
	"testing"
)

// A key that is there twice is an error with both lines, also where the CDK CLI has read the file already and kept the
// last one.
func TestDuplicateKeys(t *testing.T) {
	t.Chdir(t.TempDir())
	text := `{
  "context": {
    "gitops": {
      "environments": {
        "dev": {
          "account": "111111111111",
          "tags": {"a": "1", "b": "2",
            "a": "3"},
          "account": "222222222222"
        }
      },
      "list": [{"x": 1}, {"x": 1, "x": 2}]
    }
  }
}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`cdk.json:8: context.gitops.environments.dev.tags.a: is also in line 7, and only the last would count; keep one of them`,
		`cdk.json:9: context.gitops.environments.dev.account: is also in line 6, and only the last would count; keep one of them`,
		`cdk.json:12: context.gitops.list[1].x: is also in line 12, and only the last would count; keep one of them`,
	}, "\n")
	for name, lookup := range map[string]func(string) (string, bool){
		"by hand":     func(string) (string, bool) { return "", false },
		"by the CLI":  func(name string) (string, bool) { return `{"gitops": {}}`, name == contextVariable },
		"by overflow": func(name string) (string, bool) { return "/nowhere", name == overflowVariable },
	} {
		if _, err := Context(lookup); err == nil || err.Error() != want {
			t.Errorf("%s:\n%v\nwant\n%s", name, err, want)
		}
	}
}
