package rehearsal

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// pinned is a checkout with files of this repository in which versions are pinned, on main. What people use may change.
func pinned(t *testing.T) string {
	t.Helper()
	repo, root := checkout(t), fixture.Root(t)
	gitIn(t, repo, "checkout", "-q", "main")
	for _, file := range []string{
		"renovate.json", "k8s/platform/controllers/external-dns.yaml", "k8s/platform/controllers/aws-load-balancer-controller.yaml",
		"infrastructure/addons/externaldns.go", "infrastructure/addons/loadbalancercontroller.go", "k8s/platform/controllers-local/kustomization.yaml",
		"config/config.go", "config/kubernetes.go", "dockerbuild/Dockerfile", "infrastructure/delivery/buildspecs/test.yml", "local/platform.yaml",
		"local/programs/set/go.mod", "local/npm/package.json", "k8s/apps/ghost/deployment.yaml", "package.json",
	} {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, repo, file, string(content))
	}
	gitIn(t, repo, "add", ".")
	gitIn(t, repo, "commit", "-qm", "Pins")
	return repo
}

func version(t *testing.T, repo, name, file string) string {
	t.Helper()
	all, err := pins(t.Context(), repo, name)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(p pin) bool { return p.file == file })
	if i < 0 {
		t.Fatalf("%s has no version of %s: %v", file, name, all)
	}
	return all[i].Version
}

// What renovate.json and docs/versions.md say of a name is changed, together; what people raise by hand is not.
func TestMakeUpgrade(t *testing.T) {
	repo := pinned(t)
	const balancer, policy = "k8s/platform/controllers/aws-load-balancer-controller.yaml", "infrastructure/addons/loadbalancercontroller.go"
	const dns, image, ghost = "k8s/platform/controllers/external-dns.yaml", "dockerbuild/Dockerfile", "k8s/apps/ghost/deployment.yaml"
	for upgrade, want := range map[string][]string{
		"aws-load-balancer-controller=9.8.7": {policy, balancer},
		"external-dns, chart=9.8.7":          {dns},
		"external-dns=9.8.7":                 {"infrastructure/addons/externaldns.go", dns},
		"Ghost=9.8.7":                        {image, ghost},
		"node=98.7.6":                        {image},
	} {
		s, c, err := found(t, Options{Repo: repo, Upgrade: upgrade})
		if err != nil {
			t.Errorf("%s: %v", upgrade, err)
			continue
		}
		if !slices.Equal(c.Files, want) || !c.made || c.head != "" || !strings.HasPrefix(c.subject, "Upgrade ") {
			t.Errorf("%s: got %+v, want %v", upgrade, c, want)
		}
		base := gitIn(t, s.repo(), "rev-parse", "HEAD")
		if base != c.base || gitIn(t, s.repo(), "status", "--short") != "" {
			t.Errorf("%s: the scratch is at %s, with changes", upgrade, base)
		}
	}
	if gitIn(t, repo, "status", "--short") != "" {
		t.Error("the checkout was touched")
	}

	s, c, err := found(t, Options{Repo: repo, Upgrade: "aws-load-balancer-controller=9.8.7"})
	if err != nil {
		t.Fatal(err)
	}
	diff := gitIn(t, s.repo(), "diff", c.base, c.ID)
	for _, line := range []string{"\n+      version: 9.8.7", "\n+      tag: v9.8.7"} {
		if strings.Count(diff, line) != 1 {
			t.Errorf("the change has no %q:\n%s", line, diff)
		}
	}
}

func TestMakeUpgradeRefuses(t *testing.T) {
	repo := pinned(t)
	for upgrade, says := range map[string]string{
		"nosuch=1.2.3":    "finds a version of that name",
		"Ghost":           "give the version, --upgrade Ghost=VERSION",
		"kubernetes=1.99": "nothing of it can run here: the laboratory runs v1.",
		"aws-cdk=9.8.7":   "package.json has a lock file",
		"ghost=" + version(t, repo, "Ghost", "dockerbuild/Dockerfile"): "nothing would change",
	} {
		if _, _, err := found(t, Options{Repo: repo, Upgrade: upgrade}); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", upgrade, err, says)
		}
	}
	if _, err := Run(t.Context(), Options{Repo: repo, With: "a", Upgrade: "b"}); err == nil || !strings.Contains(err.Error(), "exclude each other") {
		t.Errorf("got %v", err)
	}
}

// The result says what of an upgrade the laboratory runs at another version, and what of it stayed.
func TestUpgraded(t *testing.T) {
	repo := pinned(t)
	for upgrade, notes := range map[string][]string{
		"Ghost=9.8.7": {"Ghost 9.8.7 at work: the laboratory runs " + version(t, repo, "Ghost", "dockerbuild/Dockerfile") + ", as local/platform.yaml pins it"},
		"node=98.7.6": {"Node.js of Ghost 98.7.6 at work: the laboratory runs ", "a new version of Node.js of the builds: "},
	} {
		o := Options{Repo: repo, Upgrade: upgrade}
		s, c, err := found(t, o)
		if err != nil {
			t.Fatal(err)
		}
		r := &run{Options: o, scratch: s, change: c}
		if err := r.upgraded(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, want := range notes {
			if !slices.ContainsFunc(r.notes, func(n string) bool { return strings.HasPrefix(n, want) }) {
				t.Errorf("%s: got %q, want %q", upgrade, r.notes, want)
			}
		}
		if head := gitIn(t, s.repo(), "rev-parse", "HEAD"); head != c.base {
			t.Errorf("the scratch is not at the base: %s", head)
		}
	}
}

// A branch that brings the upgrade is rehearsed as it is; one that does not is refused.
func TestUpgradedByTheBranch(t *testing.T) {
	repo := pinned(t)
	gitIn(t, repo, "checkout", "-qb", "bot")
	text, err := os.ReadFile(filepath.Join(repo, "dockerbuild", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	was := version(t, repo, "Ghost", "dockerbuild/Dockerfile")
	write(t, repo, "dockerbuild/Dockerfile", strings.Replace(string(text), "GHOST_VERSION="+was, "GHOST_VERSION=9.8.7", 1))
	gitIn(t, repo, "commit", "-qam", "Update Ghost")
	for upgrade, says := range map[string]string{"Ghost": "", "ghost=9.8.7": "", "Ghost=9.8.8": "does not bring it", "node": "does not bring it", "nosuch": "finds a version of that name"} {
		o := Options{Repo: repo, Upgrade: upgrade}
		s, c, err := found(t, o)
		if err != nil || c.made {
			t.Fatalf("%s: %+v, %v", upgrade, c, err)
		}
		r := &run{Options: o, scratch: s, change: c}
		if err := r.upgraded(t.Context()); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", upgrade, err, says)
		}
	}
}
