// Package plugin finds and runs programs that add commands to gitops, as git and kubectl have them: `gitops NAME …` runs
// gitops-NAME where gitops has no command NAME. Whoever brings one needs no change here.
package plugin

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
)

// prefix starts the names of plug-ins.
const prefix = "gitops-"

// Find returns the program of a plug-in: the one beside this program, else the one on the PATH.
func Find(name string) (string, bool) {
	if name == "" || strings.ContainsAny(name, `/\`) {
		return "", false
	}
	if path := filepath.Join(beside(), prefix+name); runnable(path) {
		return path, true
	}
	path, err := exec.LookPath(prefix + name)
	return path, err == nil
}

// beside is the folder of this program. A variable, so that a test has a folder of its own.
var beside = func() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	return filepath.Dir(self)
}

func runnable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// names lists the plug-ins beside this program.
func names() []string {
	found, err := filepath.Glob(filepath.Join(beside(), prefix+"*"))
	if err != nil {
		return nil
	}
	var all []string
	for _, path := range found {
		if runnable(path) {
			all = append(all, strings.TrimPrefix(filepath.Base(path), prefix))
		}
	}
	slices.Sort(all)
	return all
}

// group is the heading of plug-ins in the help.
const group = "plugins"

// Add gives the root a command for each plug-in beside this program, so that the help lists it, and for the one that the
// command line names. A command line that names neither a command nor a plug-in is an error.
func Add(root *cobra.Command, args []string) error {
	wanted := names()
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") && !has(root, args[0]) {
		if _, found := Find(args[0]); !found {
			return cli.UsageError{Err: fmt.Errorf("unknown command %q, and no program %s beside %s or on the PATH; where this checkout has its source, `make bin/%[2]s` builds it", args[0], prefix+args[0], root.Name())}
		}
		wanted = append(wanted, args[0])
	}
	for _, name := range wanted {
		if has(root, name) {
			continue // a command of ours comes first
		}
		if !root.ContainsGroup(group) {
			headings(root)
		}
		root.AddCommand(command(name))
	}
	return nil
}

// headings tells the program's own commands from plug-ins in the help, and lists them first.
func headings(root *cobra.Command) {
	root.AddGroup(&cobra.Group{ID: "own", Title: "Commands:"}, &cobra.Group{ID: group, Title: "Plug-ins:"})
	for _, c := range root.Commands() {
		c.GroupID = "own"
	}
}

// has reports whether the root has a command, or cobra is going to give it one.
func has(root *cobra.Command, name string) bool {
	return slices.Contains([]string{"help", "completion", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}, name) ||
		slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == name || c.HasAlias(name) })
}

// command runs a plug-in in the place of this process: streams, signals and the exit code are the plug-in's own.
func command(name string) *cobra.Command {
	c := &cobra.Command{
		Use: name, Short: "Run " + prefix + name + ".", GroupID: group,
		DisableFlagParsing: true, // they are the plug-in's
		RunE:               func(_ *cobra.Command, args []string) error { return run(name, args) },
	}
	c.SetHelpFunc(func(c *cobra.Command, _ []string) {
		if err := run(name, []string{"--help"}); err != nil {
			fmt.Fprintln(c.ErrOrStderr(), err)
		}
	})
	return c
}

// Verb makes c a command that a plug-in has under the same name: `gitops rehearse` is `gitops-local rehearse`. Its flags and its
// help are the plug-in's; c's own help is for where the plug-in is missing.
func Verb(c *cobra.Command, name string) *cobra.Command {
	args := func(args []string) []string { return append([]string{c.Name()}, args...) }
	c.DisableFlagParsing = true
	c.RunE = func(cmd *cobra.Command, given []string) error {
		if _, found := Find(name); !found {
			if slices.Contains(given, "--help") || slices.Contains(given, "-h") {
				return cmd.Help()
			}
			return cli.ExitError{Code: 2, Err: fmt.Errorf("%s needs the program %s beside %s or on the PATH; where this checkout has its source, `make bin/%[2]s` builds it", c.Name(), prefix+name, c.Root().Name())}
		}
		return run(name, args(given))
	}
	own := c.HelpFunc()
	c.SetHelpFunc(func(cmd *cobra.Command, given []string) {
		if _, found := Find(name); !found || run(name, args([]string{"--help"})) != nil {
			own(cmd, given)
		}
	})
	return c
}

func run(name string, args []string) error {
	path, found := Find(name)
	if !found {
		return errors.New(prefix + name + " is gone")
	}
	if err := replace(path, append([]string{path}, args...), os.Environ()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// replace is syscall.Exec, but in tests.
var replace = syscall.Exec
