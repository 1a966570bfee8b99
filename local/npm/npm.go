// Package npm installs applications from npm as plain directories: where AWS runs an image of the application, the
// laboratory starts a process in that directory.
package npm

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"k8s-plus-aws-gitops/internal/cachedir"
)

// Application is a package of npm's registry that brings the lock file of its dependencies: pnpm-lock.yaml or
// npm-shrinkwrap.json.
type Application struct {
	// Package is its name in the registry, for example ghost.
	Package string `json:"package"`
	// Version is exact. It is also the tag of the application's image.
	Version string `json:"version"`
	// Integrity is the package's checksum as lock files have it: sha512-… (npm view PACKAGE@VERSION dist.integrity).
	Integrity string `json:"integrity"`
	// Unbuilt are dependencies of pnpm's allowBuilds whose build scripts do not run: those that the application works
	// without, and that want a C++ compiler where no prebuilt binary can be downloaded.
	Unbuilt []string `json:"unbuilt,omitempty"`
	// Loads are modules that a finished installation must be able to load, best those with a native part: a broken
	// installation is found at once then, and not by a pod that restarts.
	Loads []string `json:"loads,omitempty"`
}

// Validate reports what is missing.
func (a Application) Validate() error {
	for field, value := range map[string]string{"package": a.Package, "version": a.Version} {
		if value == "" || strings.ContainsAny(value, " \t\n") {
			return fmt.Errorf("%s: must be one word, got %q", field, value)
		}
	}
	if !strings.HasPrefix(a.Integrity, integrityPrefix) {
		return fmt.Errorf("integrity: must be %s…, got %q: npm view %s@%s dist.integrity prints it", integrityPrefix, a.Integrity, a.Package, a.Version)
	}
	return nil
}

// name is the package's name as a file's: npm pack calls the archive of @scope/name scope-name.
func (a Application) name() string {
	return strings.ReplaceAll(strings.TrimPrefix(a.Package, "@"), "/", "-")
}

// Installed is an installation.
type Installed struct {
	Dir  string // the package's directory; read it only, content belongs elsewhere
	Node string // the Node.js executable
}

// package.json pins Node.js and pnpm, package-lock.json their own dependencies.
//
//go:embed package.json
var packageJSON []byte

//go:embed package-lock.json
var packageLock []byte

// recipe is part of the hash; raise it when the steps of install change what they leave behind.
const recipe = "3"

// Install makes sure that the application is in the cache (see internal/cachedir) and returns it. The first time takes
// minutes: Ghost has 560 MB of dependencies, and 900 MB with its tools. The package comes from npm, its dependencies are
// installed from the lock file inside it. Progress goes to out, the tools' output to a log file beside the cache, which
// errors name. npm has to be on PATH for it.
func (a Application) Install(ctx context.Context, out io.Writer) (Installed, error) {
	target, err := ensure(ctx, out, a.name(), a.hash(), func(target string) bool {
		_, ok := find(target)
		return ok
	}, func(out io.Writer, cache, target string) error { return a.install(ctx, out, cache, target) })
	if err != nil {
		return Installed{}, a.failed(err)
	}
	found, _ := find(target)
	return found, nil
}

// ensure makes sure that something is in the cache as name-hash, and returns where. One process of several makes it.
func ensure(ctx context.Context, out io.Writer, name, hash string, there func(target string) bool, make func(out io.Writer, cache, target string) error) (string, error) {
	if out == nil {
		out = io.Discard
	}
	cache, err := cachedir.Dir()
	if err != nil {
		return "", err
	}
	target := filepath.Join(cache, name+"-"+hash)
	if there(target) {
		return target, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("%w: set GITOPS_CACHE to a directory that can be written", err)
	}
	lock := flock.New(filepath.Join(cache, name+".lock"))
	if ok, err := lock.TryLock(); err == nil && !ok {
		fmt.Fprintf(out, "%s: waiting for another process that installs it\n", name)
	}
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	defer func() { _ = lock.Unlock() }()
	if there(target) {
		return target, nil
	}
	if err := make(out, cache, target); err != nil {
		return "", err
	}
	if !there(target) {
		return "", fmt.Errorf("%s is incomplete: remove it and run again", target)
	}
	return target, nil
}

func (a Application) failed(err error) error {
	return fmt.Errorf("install %s@%s: %w", a.Package, a.Version, err)
}

// hash is the hash of everything that decides what an installation holds.
func (a Application) hash() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s/%s %q %d %d\n", recipe, runtime.GOOS, runtime.GOARCH, a, len(packageJSON), len(packageLock))
	_, _ = h.Write(packageJSON)
	_, _ = h.Write(packageLock)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// find is the installation in a directory, if its parts are there. The directory appears in one step at the
// end of an installation.
func find(target string) (Installed, bool) {
	found := Installed{Dir: filepath.Join(target, "package"), Node: filepath.Join(target, "tools", "node_modules", "node", "bin", "node")}
	for _, f := range []string{filepath.Join(found.Dir, "package.json"), found.Node} {
		if _, err := os.Stat(f); err != nil {
			return Installed{}, false
		}
	}
	return found, true
}

// nodeVersion is the version of Node.js that package.json pins.
func nodeVersion() (string, error) {
	var pinned struct{ Dependencies map[string]string }
	err := json.Unmarshal(packageJSON, &pinned)
	return pinned.Dependencies["node"], err
}
