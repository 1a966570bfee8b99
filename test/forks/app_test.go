package forks

import (
	"strings"
	"testing"
)

// An application that `gitops app add` wrote passes the gates and the tests after the command that it prints: the tests of whole
// stacks that know Ghost and the fixture's services by name, among them.
func TestAppAdd(t *testing.T) {
	f := newFork(t)
	f.build()
	f.followReadme()
	f.commit()
	out, err := f.run("bin/gitops", "app", "add", "web-store", "--image", "ghcr.io/my-company/store:1.0.0")
	if err != nil || !strings.Contains(out, "make golden") {
		t.Fatalf("%v\n%s", err, out)
	}
	f.must("touch", "node_modules/.package-lock.json") // newer than the copy of package.json: nothing is to be installed
	f.must("go", "test", "-count", "1", "./app-resources", "./internal/services", "./internal/manifests")
	f.must("go", "test", "-count", "1", ".", "-update") // of make golden, what stacks change
	f.must("go", "vet", ".", "./app-resources")
	f.must("make", "--silent", "bin/app")
	f.must("hack/check", gates...)
	if out, err := f.run("git", "status", "--porcelain", "testdata"); err != nil || !strings.Contains(out, "dev-web-store.json") {
		t.Errorf("the golden files have no stack of the application: %v\n%s", err, out)
	}
}
