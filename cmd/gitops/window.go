package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
)

// newWindow makes the command, for which now is what the clock says.
func newWindow(now func() time.Time) *cobra.Command {
	var zone, frozen, variables string
	cmd := &cobra.Command{
		Use:   "window",
		Short: "Say whether changes are frozen today.",
		Long: `Say whether today is one of the frozen dates of a change window, and which is the
last. It is a stage of the environment's pipeline, which hands it the dates that are
deployed, and reads nothing else.

--variables writes what the pipeline's conditions read: FROZEN, yes or no, and
UNTIL, the last date.`,
		Example: `  gitops window --frozen 2026-12-24,2026-12-20/2027-01-03
  gitops window --time-zone Europe/Berlin --frozen 2026-12-24 --variables window.env`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := time.LoadLocation(zone)
			if err != nil {
				return cli.UsageError{Err: fmt.Errorf("--time-zone %q: give UTC or an IANA name, for example Europe/Berlin", zone)}
			}
			last, err := config.FrozenUntil(now().In(at), strings.FieldsFunc(frozen, func(r rune) bool { return r == ',' }))
			if err != nil {
				return cli.UsageError{Err: fmt.Errorf("--frozen %q: write dates like 2026-12-24, and ranges like 2026-12-20/2027-01-03: %w", frozen, err)}
			}
			answer := "no"
			if last != "" {
				answer = "yes"
				fmt.Fprintf(cmd.OutOrStdout(), "Changes are frozen until %s (%s).\n", last, zone)
			} else {
				last = "-" // CodePipeline refuses to pass on a variable without a value
				fmt.Fprintln(cmd.OutOrStdout(), "Changes are not frozen today.")
			}
			if variables == "" {
				return nil
			}
			return os.WriteFile(variables, []byte("FROZEN="+answer+"\nUNTIL="+last+"\n"), 0o644)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&zone, "time-zone", "UTC", "IANA `name` of the dates' time zone")
	flags.StringVar(&frozen, "frozen", "", "the frozen `dates` and ranges, separated by commas")
	flags.StringVar(&variables, "variables", "", "write the variables of the pipeline to this `file`")
	return cmd
}
