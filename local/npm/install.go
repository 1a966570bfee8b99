package npm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

// installation is one run of install.
type installation struct {
	Application
	work    string // scratch directory, renamed to the target at the end
	store   string // pnpm's store, which installations share by hard links
	logFile string
	log     io.Writer
	out     io.Writer
	started time.Time
}

func (a Application) install(ctx context.Context, out io.Writer, cache, target string) error {
	return inCache(installation{Application: a, out: out}, cache, target, func(i installation) error {
		for _, step := range []struct {
			name string
			run  func(context.Context) error
		}{
			{"Node.js and pnpm from npm", i.tools},
			{"the package " + a.Package + "@" + a.Version, i.download},
			{"its dependencies, one to five minutes", i.dependencies},
			{"a look whether it can be loaded", i.check},
		} {
			i.say("%s", step.name)
			if err := step.run(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// inCache runs the steps of an installation in a scratch directory, which is the target when all succeeded.
func inCache(i installation, cache, target string, steps func(installation) error) error {
	work, err := os.MkdirTemp(cache, ".install-"+i.name()+"-")
	if err != nil {
		return explain(err.Error())
	}
	defer func() { _ = os.RemoveAll(work) }()
	i.logFile = filepath.Join(cache, i.name()+".log")
	log, err := os.Create(i.logFile)
	if err != nil {
		return explain(err.Error())
	}
	defer log.Close()
	i.work, i.store, i.log, i.started = work, filepath.Join(cache, "pnpm-store"), log, time.Now()
	if err := steps(i); err != nil {
		return fmt.Errorf("%w (log: %s)", err, i.logFile)
	}
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	if err := os.Rename(work, target); err != nil {
		return err
	}
	i.say("installed")
	return nil
}

func (i installation) say(format string, args ...any) {
	fmt.Fprintf(i.out, "%s: %s (%s)\n", i.Package, fmt.Sprintf(format, args...), time.Since(i.started).Round(time.Second))
}

func (i installation) toolsDir() string { return filepath.Join(i.work, "tools") }

func (i installation) packageDir() string { return filepath.Join(i.work, "package") }

// tools installs Node.js and pnpm exactly as package-lock.json has them.
func (i installation) tools(ctx context.Context) error {
	dir := i.toolsDir()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return explain(err.Error())
	}
	return i.locked(ctx, dir, packageJSON, packageLock)
}

// locked installs what a lock file names.
func (i installation) locked(ctx context.Context, dir string, manifest, lock []byte) error {
	for name, content := range map[string][]byte{"package.json": manifest, "package-lock.json": lock} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return explain(err.Error())
		}
	}
	return i.run(ctx, dir, "npm", "ci", "--no-audit", "--no-fund")
}

// download fetches the package and unpacks it after its integrity is the pinned one.
func (i installation) download(ctx context.Context) error {
	if err := i.run(ctx, i.work, "npm", "pack", "--silent", i.Package+"@"+i.Version); err != nil {
		return err
	}
	tarball := filepath.Join(i.work, i.name()+"-"+i.Version+".tgz")
	if err := verify(tarball, i.Integrity); err != nil {
		return err
	}
	if err := unpack(tarball, i.packageDir()); err != nil {
		return fmt.Errorf("unpack %s: %w", tarball, explain(err.Error()))
	}
	return os.Remove(tarball)
}

// dependencies installs what the package's lock file names, by the tool that the file is of.
func (i installation) dependencies(ctx context.Context) error {
	dir := i.packageDir()
	if exists(filepath.Join(dir, "npm-shrinkwrap.json")) {
		return i.run(ctx, dir, "npm", "ci", "--omit=dev", "--no-audit", "--no-fund")
	}
	if !exists(filepath.Join(dir, "pnpm-lock.yaml")) {
		return errors.New("the package has neither pnpm-lock.yaml nor npm-shrinkwrap.json, so its dependencies are not pinned: it cannot be installed twice the same")
	}
	if err := i.forbid(filepath.Join(dir, "pnpm-workspace.yaml")); err != nil {
		return err
	}
	return i.run(ctx, dir, "pnpm", "install", "--prod", "--frozen-lockfile", "--reporter=append-only", "--store-dir="+i.store)
}

// forbid takes the permission to run build scripts back from the dependencies that are not to be built.
func (i installation) forbid(workspace string) error {
	if len(i.Unbuilt) == 0 {
		return nil
	}
	b, err := os.ReadFile(workspace)
	if err != nil {
		return err
	}
	text, err := forbidBuilds(string(b), i.Unbuilt)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(workspace), err)
	}
	if err := os.WriteFile(workspace, []byte(text), 0o644); err != nil {
		return explain(err.Error())
	}
	return nil
}

// forbidBuilds turns the lines of allowBuilds that name the packages from true to false.
// https://pnpm.io/settings#allowbuilds
func forbidBuilds(workspace string, names []string) (string, error) {
	for _, name := range names {
		line := regexp.MustCompile(`(?m)^(\s+'?` + regexp.QuoteMeta(name) + `(?:@[^:\n]*)?:) true$`)
		if !line.MatchString(workspace) {
			return "", fmt.Errorf("allowBuilds does not name %s: adapt unbuilt of the application to this version", name)
		}
		workspace = line.ReplaceAllString(workspace, "$1 false")
	}
	return workspace, nil
}

// check compares the package with what was asked for and its engines field with Node.js, and loads its modules.
func (i installation) check(ctx context.Context) error {
	b, err := os.ReadFile(filepath.Join(i.packageDir(), "package.json"))
	if err != nil {
		return err
	}
	var p struct {
		Version string
		Engines struct{ Node string }
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("package.json: %w", err)
	}
	if p.Version != i.Version {
		return fmt.Errorf("the package is version %s", p.Version)
	}
	if err := accepts(p.Engines.Node); err != nil {
		return err
	}
	if len(i.Loads) == 0 {
		return nil
	}
	return i.run(ctx, i.packageDir(), "node", append([]string{"-e", "process.argv.slice(1).forEach(m => require(m))"}, i.Loads...)...)
}

// accepts compares an engines field, which may be empty, with the Node.js of package.json.
func accepts(engines string) error {
	version, err := nodeVersion()
	if err != nil || engines == "" {
		return err
	}
	wanted, err := semver.NewConstraint(engines)
	if err != nil {
		return fmt.Errorf("package.json: engines.node: %q: %w", engines, err)
	}
	have, err := semver.NewVersion(version)
	if err != nil {
		return fmt.Errorf("local/npm/package.json: node: %w", err)
	}
	if !wanted.Check(have) {
		return fmt.Errorf("the package wants Node.js %s, local/npm/package.json pins %s: change one of them", engines, version)
	}
	return nil
}

// run runs a tool with the installed Node.js and pnpm first on PATH, its output in the log.
func (i installation) run(ctx context.Context, dir, name string, args ...string) error {
	bin := filepath.Join(i.toolsDir(), "node_modules", ".bin")
	path := name
	if own := filepath.Join(bin, name); exists(own) {
		path = own
	} else if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("%s is not on PATH: install Node.js with npm, version 20 or newer, https://nodejs.org", name)
	}
	fmt.Fprintf(i.log, "in %s: %s %s\n", dir, name, strings.Join(args, " "))
	w := &tail{out: i.log}
	stop := w.every(10*time.Second, func(line string) { i.say("%s", line) })
	defer stop()
	c := exec.CommandContext(ctx, path, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"CI=true", "npm_config_update_notifier=false", "NODE_OPTIONS=", "NODE_DISABLE_COMPILE_CACHE=1", "COREPACK_ENABLE_STRICT=0")
	c.Stdout, c.Stderr = w, w
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 5 * time.Second
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s %s: %w", name, args[0], explain(w.String()))
	}
	return nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// causes are what goes wrong outside of this repository, by what npm, pnpm or the system say then.
var causes = []struct {
	signs  []string
	remedy string
}{
	{[]string{"ENOSPC", "no space left on device", "disk quota exceeded"}, "the disk is full: free 2 GB or set GITOPS_CACHE to another disk"},
	{[]string{"EINTEGRITY", "ERR_PNPM_TARBALL_INTEGRITY"}, "a downloaded package is not the pinned one: run npm cache clean --force, and if it stays, the npm registry serves something else"},
	{[]string{"ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "ERR_SOCKET_TIMEOUT", "ERR_PNPM_META_FETCH_FAIL"}, "the npm registry cannot be reached: check the network and npm config get registry, then run it again"},
	{[]string{"E404", "ERR_PNPM_FETCH_404", "E403", "ERR_PNPM_FETCH_403"}, "the npm registry does not have a pinned package: check npm config get registry"},
	{[]string{"EACCES", "permission denied", "EROFS"}, "the cache cannot be written: set GITOPS_CACHE to a directory that can"},
	{[]string{"gyp ERR!"}, "no prebuilt native module could be downloaded and it cannot be compiled here: install a C++ compiler and make (Debian: build-essential, macOS: xcode-select --install)"},
}

// explain turns the output of a failed tool into one line: what went wrong and what to do.
func explain(output string) error {
	lines := strings.Split(output, "\n")
	for _, c := range causes {
		for _, s := range c.signs {
			for _, line := range lines {
				if strings.Contains(line, s) {
					return fmt.Errorf("%s: %s", strings.TrimSpace(line), c.remedy)
				}
			}
		}
	}
	for _, line := range lines {
		if strings.Contains(strings.ToLower(line), "err") {
			return errors.New(strings.TrimSpace(line))
		}
	}
	for n := len(lines) - 1; n >= 0; n-- {
		if line := strings.TrimSpace(lines[n]); line != "" {
			return errors.New(line)
		}
	}
	return errors.New("it failed without a word")
}
