package cachedir

import (
	"path/filepath"
	"testing"
)

func TestDir(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for _, c := range []struct{ gitops, xdg, want string }{
		{"/a/b", "/x", "/a/b"},
		{"", "/x", "/x/k8s-plus-aws-gitops"},
		{"", "", filepath.Join(home, ".cache", "k8s-plus-aws-gitops")},
	} {
		t.Setenv("GITOPS_CACHE", c.gitops)
		t.Setenv("XDG_CACHE_HOME", c.xdg)
		if got, err := Dir(); err != nil || got != c.want {
			t.Errorf("Dir with %+v = %s, %v", c, got, err)
		}
	}
}
