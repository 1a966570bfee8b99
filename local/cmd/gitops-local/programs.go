package main

import (
	"cmp"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/platform"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system"
)

func programsFlag(cmd *cobra.Command, from *string) {
	cmd.Flags().StringVar(from, "programs", "", "where programs come from: auto, images or compile (default: "+programs.FromVariable+", else auto)")
}

// parseFrom reads the flag --programs, or the variable where it is left out.
func parseFrom(flag string) (programs.From, error) {
	from, err := programs.ParseFrom(cmp.Or(flag, os.Getenv(programs.FromVariable)))
	switch {
	case err != nil && flag != "":
		return "", cli.UsageError{Err: fmt.Errorf("--programs: %w", err)}
	case err != nil:
		return "", fmt.Errorf("%s: %w", programs.FromVariable, err)
	}
	return from, nil
}

// source is where the programs of the checkout come from, and which it needs.
func source(flag string) (programs.Source, []string, error) {
	from, err := parseFrom(flag)
	if err != nil {
		return programs.Source{}, nil, err
	}
	root, err := checkout.Root()
	if err != nil {
		return programs.Source{}, nil, err
	}
	declared, err := platform.Load(root)
	if err != nil {
		return programs.Source{}, nil, err
	}
	found, err := system.ProgramSource(from, declared)
	return found, declared.Programs(), err
}

func newPrograms() *cobra.Command {
	var from, output string
	cmd := &cobra.Command{
		Use:   "programs",
		Short: "List the programs, and the released images they come from.",
		Long: `List the programs, and whether the cache has them. Each is compiled, or taken out of
its released image by the digest that ` + programs.LockFile + ` records:

  auto     what the cache has; else the image, where its digest is recorded and the
           registry gives it; else the compiler
  images   the image, or an error; a digest that is not recorded is asked for by tag
           and recorded
  compile  the compiler

Programs whose released binary cannot run here are always compiled.
` + programs.MirrorVariable + ` names a registry, or a path in one, that holds the
images instead: ghcr.io/team/name is at $` + programs.MirrorVariable + `/ghcr.io/team/name.`,
		Example: `  gitops local programs
  gitops local programs lock
  gitops local up --programs images`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output %q: it is json, or left out for a table", output)}
			}
			source, names, err := source(from)
			if err != nil {
				return err
			}
			all, err := source.List(cmd.Context(), names...)
			if err != nil {
				return err
			}
			if output == "json" {
				return cli.JSON(cmd.OutOrStdout(), all)
			}
			writePrograms(cmd.OutOrStdout(), all)
			return nil
		},
	}
	programsFlag(cmd, &from)
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or a table when left out")
	cmd.AddCommand(newProgramsLock())
	return cmd
}

func newProgramsLock() *cobra.Command {
	return &cobra.Command{
		Use:   "lock",
		Short: "Record the digests of released images.",
		Long: `Ask the registries for the digests of the released images, for amd64 and arm64, and
record those that ` + programs.LockFile + ` lacks. Commit the file: from
then on everyone gets these bytes, or none. A tag that has moved since is an error,
and the digest that is recorded stays.`,
		Example: `  gitops local programs lock
  ` + programs.MirrorVariable + `=registry.example.com/mirror gitops local programs lock`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, _, err := source("")
			if err != nil {
				return err
			}
			added, err := source.Lock(cmd.Context(), cmd.ErrOrStderr())
			switch {
			case added > 0:
				fmt.Fprintf(cmd.OutOrStdout(), "%d recorded in %s. Next: commit it, then gitops local up\n", added, programs.LockFile)
			case err == nil:
				fmt.Fprintf(cmd.OutOrStdout(), "%s has them all, and no tag has moved.\n", programs.LockFile)
			}
			return err
		},
	}
}

func writePrograms(w io.Writer, all []programs.Binary) {
	const columns = "%-28s  %-8s  %-7s  %s\n"
	fmt.Fprintf(w, columns, "PROGRAM", "VERSION", "STATE", "FROM")
	for _, b := range all {
		state, from := "cached", "compiler"
		if b.Path == "" {
			state = "missing"
		}
		if b.Image != nil {
			from = fmt.Sprintf("image %.19s", b.Image.Digest)
		}
		fmt.Fprintf(w, columns, b.Name, b.Version, state, from)
	}
}
