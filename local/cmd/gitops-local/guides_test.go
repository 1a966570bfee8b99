package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

var (
	called  = regexp.MustCompile(`(?:bin/)?gitops local((?: +(?:"[^"]*"|'[^']*'|[^\s"'|;&#]+))+)`)
	words   = regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`)
	targets = regexp.MustCompile("(?:^ {4,}|`)make ((?:local|e2e|check-local|test-local|bench-local)[a-z-]*)")
	urls    = regexp.MustCompile(`[a-z]+://\S+`)
	paths   = regexp.MustCompile(`(?:^|[\s"'=/@])((?:bench|config|docs|dockerbuild|hack|infrastructure|app-resources|internal|k8s|local)/[A-Za-z0-9_./-]+)`)
	links   = regexp.MustCompile(`\]\(([^):#]+)(?:#[^)]*)?\)`)
)

// documents are the texts of the whole repository: the platform's own tests leave the commands of a plug-in to it.
func documents(t *testing.T) map[string]string {
	t.Helper()
	root, found := fixture.Root(t), map[string]string{}
	for _, part := range []string{"README.md", "CONTRIBUTING.md", "docs", "local"} {
		err := filepath.WalkDir(filepath.Join(root, part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
				return err
			}
			content, err := os.ReadFile(path)
			found[path] = string(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// Every command line of this program and every target of local.mk that a document shows is there.
func TestGuidesNameWhatIsThere(t *testing.T) {
	makefile, err := os.ReadFile("../../local.mk")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for file, content := range documents(t) {
		for line := range strings.Lines(content) {
			for _, match := range targets.FindAllStringSubmatch(line, -1) {
				if !regexp.MustCompile(`(?m)^` + match[1] + `:`).Match(makefile) {
					t.Errorf("%s: local.mk has no target %s", file, match[1])
				}
			}
			if !strings.HasPrefix(line, "    ") {
				continue // prose shortens command lines
			}
			for _, match := range called.FindAllStringSubmatch(line, -1) {
				commands++
				if why := wrong(match[1]); why != "" {
					t.Errorf("%s: gitops local%s: %s", file, match[1], why)
				}
			}
		}
	}
	if commands < 5 {
		t.Errorf("only %d commands were found", commands)
	}
}

// wrong says what is wrong with the arguments of this program, without running it.
func wrong(text string) string {
	var args []string
	for _, word := range words.FindAllString(text, -1) {
		if !strings.HasPrefix(word, "[") { // what may be left out
			args = append(args, strings.Trim(word, `"'`))
		}
	}
	cmd, rest, err := newRoot().Find(args)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// Every file that a command of this folder's documents names is there. What they show needs a running system; the end-to-end
// test does most of it.
func TestFiles(t *testing.T) {
	root := fixture.Root(t)
	for file, content := range documents(t) {
		if !strings.Contains(file, "/local/") {
			continue // the platform's own
		}
		for line := range strings.Lines(content) {
			if !strings.HasPrefix(line, "    ") {
				continue
			}
			line, _, _ = strings.Cut(urls.ReplaceAllString(line, ""), " #")
			for _, match := range paths.FindAllStringSubmatch(line, -1) {
				if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
					t.Errorf("%s: %s is not in the repository", file, match[1])
				}
			}
		}
	}
}

// The links of this folder's documents, and those that lead to it, hold.
func TestLinks(t *testing.T) {
	for file, content := range documents(t) {
		for _, match := range links.FindAllStringSubmatch(content, -1) {
			to := filepath.Join(filepath.Dir(file), match[1])
			if !strings.Contains(file, "/local/") && !strings.Contains(match[1], "local/") {
				continue // the platform's own
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", file, match[1])
			}
		}
	}
}
