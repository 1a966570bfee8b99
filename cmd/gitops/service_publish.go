package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
)

// publishFlags are those of publish alone.
type publishFlags struct {
	output               string
	allowDirty, rollback bool
	propose              bool
}

func newServicePublish(f *serviceFlags) *cobra.Command {
	var p publishFlags
	cmd := &cobra.Command{
		Use:   "publish [NAME]...",
		Short: "Render services and push them to their branches.",
		Long: `Render services, or all of them, for one environment and push each that changed to
its branch of the manifests repository, with the source's commit, tag and author.
What is there already makes no commit. All branches change in one atomic push, or
none does.

Where fleet.yaml says propose, the push goes to proposals/<branch>, for a pull
request against the branch; with GITHUB_TOKEN set it is opened.`,
		Example: `  gitops service publish npm --env dev
  gitops service publish --env integration
  gitops service publish npm --env production   # a proposal
  gitops service publish npm --env dev --rollback`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if p.output != "" && p.output != "json" {
				return usageError{fmt.Errorf("--output %q: it is json, or left out for lines", p.output)}
			}
			return f.publish(cmd, names, p)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&p.output, "output", "o", "", "json, or a line per service when left out")
	flags.BoolVar(&p.allowDirty, "allow-dirty", false, "publish files that are not committed, and mark the source")
	flags.BoolVar(&p.rollback, "rollback", false, "allow a source that is older than the published one")
	flags.BoolVar(&p.propose, "propose", false, "propose, also where fleet.yaml does not say so")
	return cmd
}

func (f *serviceFlags) publish(cmd *cobra.Command, names []string, p publishFlags) error {
	root, loaded, err := f.load()
	if err != nil {
		return err
	}
	c, err := f.cluster(loaded)
	if err != nil {
		return err
	}
	if err := current(root, loaded); err != nil {
		return err
	}
	chosen, err := choose(loaded, f.environment, names)
	if err != nil {
		return err
	}
	url, err := f.url(root, loaded)
	if err != nil {
		return err
	}
	o := publish.SourceOptions{Dir: root, Paths: []string{services.Dir, "cdk.json"}, AllowDirty: p.allowDirty}
	if len(chosen) == 1 {
		o.Service = chosen[0].Name
	}
	source, err := publish.ReadSource(cmd.Context(), o)
	if err != nil {
		return err
	}
	rendered, err := f.render(cmd.Context(), root, c, chosen)
	if err != nil {
		return err
	}
	to := loaded.Config.For(f.environment)
	all := make([]publish.Manifest, len(chosen))
	for i, s := range chosen {
		all[i] = publish.Manifest{Service: s.Name, Branch: to.Ref(f.environment, s.Name), Content: rendered[s.Name]}
	}
	results, err := publish.Publish(cmd.Context(), all, publish.Options{
		URL: url, Environment: f.environment, Source: source, Propose: to.Propose || p.propose, Rollback: p.rollback, Older: publish.OlderIn(root),
		Check: func(changed []publish.Manifest) error {
			documents := make(map[string][]byte, len(changed))
			for _, m := range changed {
				documents[m.Service] = m.Content
			}
			return valid(cmd, documents)
		},
	})
	// Of a fleet larger than one push, the parts before the one that failed are there.
	return errors.Join(published(cmd, results, p.output), err, pulls(cmd, url, results))
}

// published says what happened to each service: changes to stdout, the rest as a number.
func published(cmd *cobra.Command, results []publish.Result, output string) error {
	if output == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(results)
	}
	unchanged := 0
	for _, r := range results {
		if !r.Changed {
			unchanged++
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s@%.12s\n", r.Service, r.Branch, r.Commit)
	}
	if unchanged > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d are as they were published.\n", unchanged, len(results))
	}
	return nil
}

// pulls opens a pull request for each new proposal, or says where to.
func pulls(cmd *cobra.Command, url string, results []publish.Result) error {
	var all []error
	for _, r := range results {
		if !r.Changed || r.Base == "" {
			continue
		}
		pull := publish.Pull{URL: url, Token: os.Getenv("GITHUB_TOKEN")}
		address, err := pull.Open(cmd.Context(), r, "Publish "+r.Service+" to "+r.Base, "Made by `gitops service publish`; the commit names its source.")
		all = append(all, err)
		switch {
		case err != nil:
		case address == "":
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: merge %s into %s.\n", r.Service, r.Branch, r.Base)
		default:
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", r.Service, address)
		}
	}
	return errors.Join(all...)
}
