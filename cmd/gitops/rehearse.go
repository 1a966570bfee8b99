package main

import (
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/plugin"
)

// newRehearse is a verb of the laboratory, beside the review that it completes.
func newRehearse() *cobra.Command {
	return plugin.Verb(&cobra.Command{
		Use:   "rehearse",
		Short: "Merge the change in a system of its own, hold it and revert it, before it is merged.",
		Long: `Merge the change of this working tree in a system of its own on this machine, before
it is merged for good, by 'gitops local rehearse' ('make bin/gitops-local').
--with rehearses it together with another open pull request, in both orders;
--upgrade rehearses a new version of what is pinned.

Exit codes: 0 verified, 1 it broke, 2 it could not run.`,
		Example: "  gitops rehearse\n  gitops rehearse --base origin/main --output markdown\n  gitops rehearse --with 42",
	}, "local")
}
