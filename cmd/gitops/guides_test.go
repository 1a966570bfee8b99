package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// block is an indented block of a document: commands. What is no command (a diagram, a file) is in a fence with its kind.
type block struct {
	file  string
	line  int
	lines []string
}

// blocks reads the command blocks of a document.
func blocks(t *testing.T, root, file string) []block {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	fenced, before := false, ""
	for i, line := range strings.Split(string(content), "\n") {
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		if strings.HasPrefix(text, "```") {
			if kind := strings.TrimPrefix(text, "```"); !fenced && kind == "" {
				t.Errorf("%s:%d: a fence without a kind; indent commands by four blanks, and name what is something else: text, json, yaml", file, i+1)
			}
			fenced = !fenced
		}
		last := len(all) - 1
		switch within := last >= 0 && all[last].line+len(all[last].lines) == i+1; {
		case fenced || text == "" || indent < 4:
		case within:
			all[last].lines = append(all[last].lines, line)
		case before == "":
			all = append(all, block{file: file, line: i + 1, lines: []string{line}})
		}
		before = text
	}
	return all
}

// elsewhere are programs that guides use and that cannot do their work here, and why. In the scratch copy each is a program
// that does nothing.
var elsewhere = map[string]string{
	"aws":     "needs an account",
	"cdk":     "needs an account",
	"kubectl": "needs a cluster",
	"gh":      "needs a repository on GitHub",
	"jq":      "works on what aws printed",
	"gpg":     "has keys of a person",
	"curl":    "asks GitHub",
	// Of a deploy key.
	"ssh-keygen":  "its public half goes to GitHub",
	"ssh-keyscan": "asks GitHub",
}

// system are commands of this tool and targets of make that need an account, a running system, or what the scratch copy has
// not. Their command lines are checked all the same.
var system = map[string]string{
	"gitops local":                      "is a plug-in, and needs a running system",
	"gitops repository setup":           "needs a repository on GitHub",
	"gitops commit-status":              "needs a repository on GitHub",
	"gitops cost":                       "synthesizes the app; its own test runs it",
	"gitops doctor":                     "needs an account",
	"gitops plan":                       "needs an account",
	"gitops report":                     "needs an account",
	"gitops drift":                      "needs an account and a cluster",
	"gitops why":                        "needs an account and a cluster",
	"gitops rollback":                   "compares two revisions; internal/rollback and the end-to-end test run it",
	"gitops restore":                    "needs an account; internal/restore and the end-to-end test run it",
	"gitops rotate":                     "needs an account and a cluster",
	"gitops release":                    "needs a repository on GitHub",
	"gitops status":                     "needs a cluster",
	"gitops dashboard":                  "serves until it is interrupted",
	"gitops service publish":            "needs the manifests repository",
	"gitops service remove hello --env": "needs a cluster",
	"gitops service status":             "needs a cluster",
	"gitops service logs":               "needs a cluster",
	"gitops service connect":            "needs a cluster, and a client",
	"gitops service show":               "synthesizes a stack and renders a service; internal/preview holds what it prints",
	"gitops rehearse":                   "runs a system of its own; the rehearsals of the folder local run it",
	"gitops teardown":                   "needs an account",
	"gitops review":                     "synthesizes two revisions; internal/review and the end-to-end test run it",
	"make":                              "builds or deploys",
}

// added are the commands and targets that the folder local adds. Its own test checks their command lines: here it may be
// missing.
var added = []string{"local", "local-down", "local-reset", "e2e", "faults", "rehearsals"}

// documents are the README and the guides.
func documents(t *testing.T, root string) []string {
	t.Helper()
	files := []string{"README.md", "CONTRIBUTING.md"}
	for _, dir := range []string{"docs/guides", "docs/addons", "docs/resources"} {
		found, err := filepath.Glob(filepath.Join(root, dir, "*.md"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, name := range found {
			files = append(files, dir+"/"+filepath.Base(name))
		}
	}
	return files
}

var (
	ours    = regexp.MustCompile(`bin/gitops((?: +(?:"[^"]*"|'[^']*'|[^\s"'|;&#]+))*)`)
	targets = regexp.MustCompile(`(?m)(?:^|[\s;&|])make((?: +[A-Za-z0-9_=./-]+)+)`)
	words   = regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`)
	urls    = regexp.MustCompile(`[a-z]+://\S+`)
	paths   = regexp.MustCompile(`(?:^|[\s"'=/@])((?:bin|bench|config|docs|dockerbuild|hack|infrastructure|app-resources|internal|k8s)/[A-Za-z0-9_./-]+)`)
)

// Every command of this tool, every target of make and every file in a guide's commands is there.
func TestGuidesNameWhatIsThere(t *testing.T) {
	root := fixture.Root(t)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range documents(t, root) {
		for _, b := range blocks(t, root, file) {
			for i, line := range b.lines {
				at, _, _ := strings.Cut(strings.TrimSpace(line), " #")
				for _, match := range ours.FindAllStringSubmatch(at, -1) {
					if err := commandLine(match[1]); err != "" {
						t.Errorf("%s:%d: gitops%s: %s", file, b.line+i, match[1], err)
					}
				}
				for _, match := range targets.FindAllStringSubmatch(at, -1) {
					for _, target := range strings.Fields(match[1]) {
						rule := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`)
						if !strings.Contains(target, "=") && !slices.Contains(added, target) && !rule.Match(makefile) {
							t.Errorf("%s:%d: make %s: the Makefile has no such target", file, b.line+i, target)
						}
					}
				}
				for _, match := range paths.FindAllStringSubmatch(urls.ReplaceAllString(at, ""), -1) {
					name := strings.TrimSuffix(match[1], "/")
					if _, err := os.Stat(filepath.Join(root, name)); err != nil && !strings.HasPrefix(name, "bin/") {
						t.Errorf("%s:%d: %s is not in the repository", file, b.line+i, name)
					}
				}
			}
		}
	}
}

// commandLine says what is wrong with the arguments of this tool, without running it.
func commandLine(text string) string {
	var args []string
	for _, word := range words.FindAllString(text, -1) {
		args = append(args, strings.Trim(word, `"'`))
	}
	if len(args) > 0 && slices.Contains(added, args[0]) {
		return ""
	}
	cmd, rest, err := newRoot().Find(args)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err == nil && cmd.HasSubCommands() {
		return "needs one of its commands"
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// The blocks of a guide run one after the other in one shell, in a scratch copy with a remote. A program that nobody lists
// fails, and the last line of the output says where.
func TestGuidesRun(t *testing.T) {
	root := fixture.Root(t)
	tool := filepath.Join(t.TempDir(), "gitops")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", tool, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, file := range documents(t, root) {
		t.Run(strings.ReplaceAll(file, "/", "-"), func(t *testing.T) {
			all := blocks(t, root, file)
			if len(all) == 0 {
				return
			}
			dir, path := scratchCopy(t, tool)
			script := "set -euo pipefail\ntrap 'echo \"$at: exit status $?\"' ERR\n"
			for _, b := range all {
				script += fmt.Sprintf("at=%s:%d\n%s\n", b.file, b.line, strings.Join(b.lines, "\n"))
			}
			// What a reader types. A file, so that the programs that do nothing can tell it from a pipe.
			put(t, dir, ".git/typed", strings.Repeat("a token\n", 9))
			typed, err := os.Open(filepath.Join(dir, ".git/typed"))
			if err != nil {
				t.Fatal(err)
			}
			defer typed.Close()
			cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
			cmd.Dir, cmd.Stdin = dir, typed
			cmd.Env = append(gitEnvironment(), "PATH="+path, "HOME="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", file, err, out)
			}
		})
	}
}

// gitEnvironment is this process's environment with a committer, and no configuration of the machine.
func gitEnvironment() []string {
	return append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull,
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com")
}

// scratchCopy is a clone as a reader of the guides has it, and the folder of programs that its commands find.
func scratchCopy(t *testing.T, tool string) (dir, path string) {
	t.Helper()
	dir, remote := fixture.Tree(t), filepath.Join(t.TempDir(), "origin.git")
	// The guide of services begins with the first one.
	if err := os.RemoveAll(filepath.Join(dir, "k8s/services")); err != nil {
		t.Fatal(err)
	}
	copyInto(t, dir, "dockerbuild/Dockerfile")
	for _, name := range []string{"delivery", "identity", "network", "services", "workloads"} {
		copyInto(t, dir, "infrastructure/delivery/execution/"+name+".json")
	}
	programs(t, dir, tool)
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = dir, gitEnvironment()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	run(tool, "generate")
	run("git", "init", "--quiet", "--bare", remote)
	run("git", "init", "--quiet", "--initial-branch", "main")
	run("git", "add", "--all")
	run("git", "commit", "--quiet", "-m", "Start")
	run("git", "tag", "npm/v1.4.1")
	run("git", "remote", "add", "origin", remote)
	for _, branch := range []string{"main", "dev", "production"} {
		run("git", "push", "--quiet", "origin", "HEAD:refs/heads/"+branch)
	}
	run("git", "fetch", "--quiet")
	put(t, dir, "cdk.json", string(fixture.Text(t))+"\n") // the reader's change, to be committed
	return dir, filepath.Join(dir, ".git/programs")
}

// copyInto copies files of the repository.
func copyInto(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, name, string(content))
	}
}

// programs makes the folder of programs, and bin/ and node_modules/.bin of the scratch copy. They are outside of what git
// sees.
func programs(t *testing.T, dir, tool string) {
	t.Helper()
	// A pipe is read to its end: who writes into a closed one fails.
	const none, where = "#!/bin/sh\n[ ! -p /dev/stdin ] || cat >/dev/null\n", ".git/programs/"
	for name := range elsewhere {
		put(t, dir, where+name, none)
	}
	put(t, dir, "node_modules/.bin/cdk", none)
	put(t, dir, where+"make", none)
	skip := ""
	for name := range system {
		if args, ok := strings.CutPrefix(name, "gitops "); ok {
			skip += `case "$* " in "` + args + ` "*) exit 0;; esac` + "\n"
		}
	}
	put(t, dir, "bin/gitops", "#!/bin/sh\n"+skip+"exec "+tool+` "$@"`+"\n")
	put(t, dir, ".gitignore", "/bin/\n/node_modules/\n")
	for _, name := range []string{"bash", "sh", "git", "sed", "rm", "date", "cat", "head", "tr", "mkdir"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(dir, where, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{where + "*", "bin/*", "node_modules/.bin/*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
				if err := os.Chmod(file, 0o700); err != nil { //nolint:gosec // a program
					t.Fatal(err)
				}
			}
		}
	}
}

// A reason is written for each program and command that does not run, and none is left over.
func TestGuidesUseWhatIsListed(t *testing.T) {
	root := fixture.Root(t)
	var text strings.Builder
	for _, file := range documents(t, root) {
		for _, b := range blocks(t, root, file) {
			text.WriteString(strings.Join(b.lines, "\n") + "\n")
		}
	}
	all := text.String()
	for _, list := range []map[string]string{elsewhere, system} {
		for name := range list {
			if !slices.ContainsFunc([]string{" ", "/", "\n"}, func(before string) bool { return strings.Contains(all, before+name+" ") }) {
				t.Errorf("no guide uses %s; remove it here", name)
			}
		}
	}
}
