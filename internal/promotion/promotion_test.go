package promotion

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/golden"
)

// run runs git in a folder.
func run(t *testing.T, root string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", root, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %s", args, out)
	}
}

// clone is a repository with a branch production, and main two commits ahead.
func clone(t *testing.T) (string, config.Config) {
	t.Helper()
	root := t.TempDir()
	git := func(args ...string) { run(t, root, args...) }
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fixture.Write(t, root)
	for _, name := range []string{"dockerbuild/Dockerfile", "k8s/platform/controllers/external-dns.yaml"} {
		content, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		write(name, string(content))
	}
	git("init", "--quiet", "--initial-branch", "main")
	git("add", "-A")
	git("commit", "--quiet", "-m", "Start")
	git("branch", "production")
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	replace := func(name, pattern, by string) {
		write(name, regexp.MustCompile(pattern).ReplaceAllString(read(name), by))
	}
	replace("cdk.json", `"min": 3, "max": 9`, `"min": 3, "max": 12`)
	replace("dockerbuild/Dockerfile", `ARG GHOST_VERSION=\S+`, "ARG GHOST_VERSION=6.99.0")
	git("commit", "--quiet", "-am", "Raise the limit of nodes, and Ghost")
	replace("k8s/platform/controllers/external-dns.yaml", `version: 1\.\d+\.\d+`, "version: 1.99.0")
	replace("k8s/clusters/integration/images.yaml", `GHOST_IMAGE: \S+`, "GHOST_IMAGE: "+tested)
	git("commit", "--quiet", "-am", "Upgrade external-dns")
	c, err := config.LoadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	return root, c
}

func TestFind(t *testing.T) {
	root, c := clone(t)
	p, err := Find(t.Context(), root, c, "integration", "production")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p.Write(&out)
	text := regexp.MustCompile(`\([0-9a-f]{8}\)`).ReplaceAll(out.Bytes(), []byte("(COMMIT)"))
	// Versions that other changes move are not this test's matter.
	text = regexp.MustCompile("`(GHOST_VERSION|external-dns)`: `[^`]*`").ReplaceAll(text, []byte("`$1`: `OLD`"))
	golden.Compare(t, "testdata/promotion.md", text)
}

func TestFindNothing(t *testing.T) {
	root, c := clone(t)
	p, err := Find(t.Context(), root, c, "production", "integration")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p.Write(&out)
	if want := "Nothing: branch main has everything that production has."; !strings.Contains(out.String(), want) {
		t.Errorf("%s", out.String())
	}
}

func TestFindRefuses(t *testing.T) {
	root, c := clone(t)
	for _, test := range []struct{ from, to, want string }{
		{"staging", "production", `there is no environment "staging"`},
		{"local", "integration", "follow the same branch"},
		{"dev", "production", `the repository has no branch "dev"; git fetch`},
	} {
		if _, err := Find(t.Context(), root, c, test.from, test.to); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s to %s: %v", test.from, test.to, err)
		}
	}
}
