package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
)

// world has plug-ins beside the program and on the PATH, and notes what would run.
func world(t *testing.T) (near, far string, ran *[]string) {
	t.Helper()
	near, far, ran = t.TempDir(), t.TempDir(), new([]string)
	for path, mode := range map[string]os.FileMode{
		near + "/gitops-near": 0o700, near + "/gitops-both": 0o700, near + "/gitops-note.txt": 0o600, near + "/gitops-review": 0o700,
		far + "/gitops-far": 0o700, far + "/gitops-both": 0o700,
	} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", far)
	wasBeside, wasReplace := beside, replace
	t.Cleanup(func() { beside, replace = wasBeside, wasReplace })
	beside = func() string { return near }
	replace = func(_ string, argv, _ []string) error { *ran = argv; return nil }
	return near, far, ran
}

// call runs a command line of a program with one command of its own.
func call(t *testing.T, args ...string) (int, string) {
	t.Helper()
	root := &cobra.Command{Use: "gitops", Args: cli.Args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	root.AddCommand(&cobra.Command{Use: "review", Short: "Review.", RunE: func(*cobra.Command, []string) error { return nil }})
	var said bytes.Buffer
	if err := Add(root, args); err != nil {
		return cli.Code(root, err, &said), said.String()
	}
	return cli.Run(t.Context(), root, args, &said, &said), said.String()
}

func TestRun(t *testing.T) {
	near, far, ran := world(t)
	for line, want := range map[string]string{
		"near up --state x --help": near + "/gitops-near up --state x --help",
		"both":                     near + "/gitops-both",
		"far -o json":              far + "/gitops-far -o json",
		"help near":                near + "/gitops-near --help",
		"review":                   "", // a command of the program itself
	} {
		*ran = nil
		if code, said := call(t, strings.Fields(line)...); code != 0 || strings.Join(*ran, " ") != want {
			t.Errorf("gitops %s: runs %q, code %d: %s", line, *ran, code, said)
		}
	}
}

func TestHelpListsWhatLiesBeside(t *testing.T) {
	world(t)
	_, said := call(t, "--help")
	list := said[strings.Index(said, "Plug-ins:"):]
	if !strings.Contains(list, "near ") || !strings.Contains(list, "both ") || strings.Contains(list, "far ") || strings.Contains(list, "note") {
		t.Error(said)
	}
}

func TestMissing(t *testing.T) {
	world(t)
	for _, line := range []string{"locale", "locale up --state x"} {
		code, said := call(t, strings.Fields(line)...)
		if code != 2 || !strings.Contains(said, "no program gitops-locale beside gitops or on the PATH") || !strings.Contains(said, "make bin/gitops-locale") {
			t.Errorf("%s: code %d: %s", line, code, said)
		}
	}
	if _, found := Find("../near"); found {
		t.Error("a path is no name of a plug-in")
	}
	if got := names(); !slices.Equal(got, []string{"both", "near", "review"}) {
		t.Errorf("names %q in %s", got, filepath.Base(beside()))
	}
}

// A verb of a plug-in is run by it, with its help and its flags; without the plug-in it says what is missing.
func TestVerb(t *testing.T) {
	near, _, ran := world(t)
	verb := func(of string, args ...string) (int, string) {
		root := &cobra.Command{Use: "gitops", Args: cli.Args(cobra.NoArgs)}
		root.AddCommand(Verb(&cobra.Command{Use: "rehearse", Short: "Rehearse.", Long: "Rehearse a change."}, of))
		var said bytes.Buffer
		return cli.Run(t.Context(), root, append([]string{"rehearse"}, args...), &said, &said), said.String()
	}
	for line, want := range map[string]string{
		"":                 near + "/gitops-near rehearse",
		"--keep -o json x": near + "/gitops-near rehearse --keep -o json x",
		"--help":           near + "/gitops-near rehearse --help",
	} {
		*ran = nil
		if code, said := verb("near", strings.Fields(line)...); code != 0 || strings.Join(*ran, " ") != want {
			t.Errorf("rehearse %s: runs %q, code %d: %s", line, *ran, code, said)
		}
	}
	if code, said := verb("none"); code != 2 || !strings.Contains(said, "gitops-none beside gitops") {
		t.Errorf("without the plug-in: code %d: %s", code, said)
	}
	if code, said := verb("none", "--help"); code != 0 || !strings.Contains(said, "Rehearse a change.") {
		t.Errorf("its help without the plug-in: code %d: %s", code, said)
	}
}
