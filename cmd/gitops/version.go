package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version.",
		Long:    "Print the commit that this program was built from, and the Go version.",
		Example: "  gitops version",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			commit, dirty := "unknown", ""
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					switch {
					case s.Key == "vcs.revision" && len(s.Value) >= 12:
						commit = s.Value[:12]
					case s.Key == "vcs.modified" && s.Value == "true":
						dirty = "+changes"
					}
				}
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "gitops %s%s %s %s/%s\n", commit, dirty, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
