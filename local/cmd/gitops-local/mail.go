package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/endpoint/mailbox"
)

func newMail(f *localFlags) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "mail [NUMBER]",
		Short: "List the mail that the system sent, or show one message.",
		Long: `List the mail that the system sent, the oldest first, or show the text of one.
Nothing is delivered: codes to sign in with and links of invitations are read here.`,
		Example: `  gitops local mail
  gitops local mail 3
  gitops local mail --output json`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, numbers []string) error {
			if output != "" && output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output %q: it is json, or left out for a table", output)}
			}
			s, done, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer done()
			all, err := mailbox.Read(s.Dir.Mail())
			if err != nil {
				return err
			}
			if len(numbers) == 1 {
				n, err := strconv.Atoi(numbers[0])
				if err != nil || n < 1 || n > len(all) {
					return cli.UsageError{Err: fmt.Errorf("there is no message %s, there are %d; `gitops local mail` lists them", numbers[0], len(all))}
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), all[n-1].Text)
				return err
			}
			if output == "json" {
				return cli.JSON(cmd.OutOrStdout(), all)
			}
			return writeMail(cmd.OutOrStdout(), all)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or a table when left out")
	return cmd
}

func writeMail(w io.Writer, all []mailbox.Message) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "No mail was sent.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NO\tTIME\tTO\tSUBJECT")
	for i, m := range all {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", i+1, m.Time.Local().Format(time.DateTime), m.To, m.Subject)
	}
	return t.Flush()
}
