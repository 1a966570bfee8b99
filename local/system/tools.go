package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"k8s-plus-aws-gitops/internal/cachedir"
)

// tool is a program that has to be on the PATH.
type tool struct {
	name string
	args []string
	// least is the lowest major and minor version, where it matters.
	least  [2]int
	debian string // package
	other  string // how to get it elsewhere
}

var tools = []tool{
	{"go", []string{"version"}, [2]int{1, 26}, "", "https://go.dev/dl"},
	{"git", []string{"--version"}, [2]int{2, 38}, "git", "brew install git"},
	{"make", []string{"--version"}, [2]int{}, "make", "xcode-select --install"},
	{"node", []string{"--version"}, [2]int{18, 0}, "nodejs", "brew install node"},
	{"npm", []string{"--version"}, [2]int{}, "npm", "brew install node"},
	{"python3", []string{"--version"}, [2]int{3, 10}, "python3 python3-venv", "brew install python"},
}

// checkTools returns every missing or old tool, each with its remedy.
func checkTools(ctx context.Context) error {
	var all []error
	for _, t := range tools {
		if err := t.check(ctx); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

func (t tool) check(ctx context.Context) error {
	path, err := exec.LookPath(t.name)
	if err != nil {
		return fmt.Errorf("%s is not on the PATH: %s", t.name, t.remedy())
	}
	if t.least[0] == 0 {
		return nil
	}
	out, err := exec.CommandContext(ctx, path, t.args...).Output()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", t.name, strings.Join(t.args, " "), err, t.remedy())
	}
	major, minor := version(string(out))
	if major > t.least[0] || major == t.least[0] && minor >= t.least[1] {
		return nil
	}
	return fmt.Errorf("%s is version %d.%d, at least %d.%d is needed: %s", t.name, major, minor, t.least[0], t.least[1], t.remedy())
}

func (t tool) remedy() string {
	if _, err := os.Stat("/etc/debian_version"); err == nil && t.debian != "" && runtime.GOOS == "linux" {
		return "apt-get install " + t.debian
	}
	return "install it (" + t.other + ")"
}

// version finds the first X.Y in a tool's answer: go1.26.8, v24.1.0, 3.11.7.
func version(text string) (major, minor int) {
	fields := strings.FieldsFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	for _, f := range fields {
		if x, rest, ok := strings.Cut(f, "."); ok && x != "" {
			y, _, _ := strings.Cut(rest, ".")
			major, _ = strconv.Atoi(x)
			minor, _ = strconv.Atoi(y)
			return major, minor
		}
	}
	return 0, 0
}

// Free space that is wanted, in bytes: building every program fills the Go
// build cache; afterwards logs and databases stay small.
const (
	spaceToBuild = 15 << 30
	spaceToRun   = 1 << 30
)

// checkSpace fails when the disk would run full on the way.
func checkSpace(state string, compile bool) error {
	var all []error
	if err := needSpace(state, spaceToRun); err != nil {
		all = append(all, err)
	}
	if compile {
		cache, err := cachedir.Dir()
		if err != nil {
			return err
		}
		all = append(all, needSpace(cache, spaceToBuild))
	}
	return errors.Join(all...)
}

func needSpace(dir string, bytes uint64) error {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return nil //nolint:nilerr // a file system that does not tell is used as it is
	}
	free := fs.Bavail * uint64(fs.Bsize) // on some systems
	if free >= bytes {
		return nil
	}
	return fmt.Errorf("%s has %.1f GiB free, %.0f GiB are needed: make room, or point GITOPS_CACHE, GOCACHE and --state to a larger disk",
		dir, float64(free)/(1<<30), float64(bytes)/(1<<30))
}
