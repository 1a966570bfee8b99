// Package ghost installs Ghost, the application that this platform runs, as a plain directory: the local
// system starts it as a process where AWS starts the image of the same version.
package ghost

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"

	"k8s-plus-aws-gitops/local/programs"
)

// Ghost is an installation, ready to be run as `Node index.js` in Dir.
type Ghost struct {
	Dir  string // the package's directory; read it only, content belongs elsewhere (paths__contentPath)
	Node string // the Node.js executable that Ghost's engines field accepts
}

// package.json is the one place that pins Ghost and its tools; package-lock.json pins the tools' own
// dependencies.
//
//go:embed package.json
var packageJSON []byte

//go:embed package-lock.json
var packageLock []byte

// recipe is part of the hash; raise it when the steps of install change what they leave behind.
const recipe = "2"

// pins is what package.json says about Ghost itself.
type pins struct {
	Config struct {
		Ghost     string `json:"ghost"`
		Integrity string `json:"integrity"`
	} `json:"config"`
}

func readPins() (pins, error) {
	var p pins
	if err := json.Unmarshal(packageJSON, &p); err != nil {
		return p, fmt.Errorf("local/ghost/package.json: %w", err)
	}
	if p.Config.Ghost == "" || p.Config.Integrity == "" {
		return p, errors.New("local/ghost/package.json: config.ghost and config.integrity are required")
	}
	return p, nil
}

// Version is the pinned version of Ghost, which is also the tag of its image.
func Version() (string, error) {
	p, err := readPins()
	return p.Config.Ghost, err
}

// Install makes sure that Ghost is in the cache (see programs.CacheDir) and returns it. The first time takes
// one to five minutes and 900 MB: the package comes from npm, its dependencies are installed by pnpm from
// the lock file inside the package, which is what Ghost-CLI does. Progress goes to out, the tools' output to
// a log file beside the cache, which errors name. npm has to be on PATH for it.
func Install(ctx context.Context, out io.Writer) (Ghost, error) {
	if out == nil {
		out = io.Discard
	}
	p, err := readPins()
	if err != nil {
		return Ghost{}, err
	}
	cache, err := programs.CacheDir()
	if err != nil {
		return Ghost{}, fmt.Errorf("install ghost: %w", err)
	}
	target := filepath.Join(cache, "ghost-"+hash())
	if g, ok := find(target); ok {
		return g, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Ghost{}, fmt.Errorf("install ghost: %w: set GITOPS_CACHE to a directory that can be written", err)
	}
	lock := flock.New(filepath.Join(cache, "ghost.lock"))
	if ok, err := lock.TryLock(); err == nil && !ok {
		fmt.Fprintln(out, "ghost: waiting for another process that installs it")
	}
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return Ghost{}, fmt.Errorf("install ghost: lock %s: %w", lock.Path(), err)
	}
	defer func() { _ = lock.Unlock() }()
	if g, ok := find(target); ok {
		return g, nil
	}
	if err := install(ctx, out, p, cache, target); err != nil {
		return Ghost{}, fmt.Errorf("install ghost %s: %w", p.Config.Ghost, err)
	}
	g, ok := find(target)
	if !ok {
		return Ghost{}, fmt.Errorf("install ghost %s: %s is incomplete: remove it and run again", p.Config.Ghost, target)
	}
	return g, nil
}

// Cached tells whether Ghost is installed for the present pins. It needs neither npm nor the network.
func Cached() (Ghost, bool, error) {
	cache, err := programs.CacheDir()
	if err != nil {
		return Ghost{}, false, err
	}
	g, ok := find(filepath.Join(cache, "ghost-"+hash()))
	return g, ok, nil
}

// hash is the hash of everything that decides what an installation holds.
func hash() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s/%s %d %d\n", recipe, runtime.GOOS, runtime.GOARCH, len(packageJSON), len(packageLock))
	_, _ = h.Write(packageJSON)
	_, _ = h.Write(packageLock)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// find is the installation in a directory, if its parts are there. The directory appears in one step at the
// end of an installation.
func find(target string) (Ghost, bool) {
	g := Ghost{Dir: filepath.Join(target, "package"), Node: filepath.Join(target, "tools", "node_modules", "node", "bin", "node")}
	for _, f := range []string{filepath.Join(g.Dir, "index.js"), filepath.Join(g.Dir, "node_modules"), g.Node} {
		if _, err := os.Stat(f); err != nil {
			return Ghost{}, false
		}
	}
	return g, true
}
