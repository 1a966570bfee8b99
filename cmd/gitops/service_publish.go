package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
)

// publishFlags are those of publish alone.
type publishFlags struct {
	output, tokenSecret string
	// from is the checkout of a service's own repository, beside the platform's.
	from                 string
	allowDirty, rollback bool
	propose, dryRun      bool
	release              bool
	// merged publishes for a release of the environment's branch: a service that a later commit has published stays as it is. With
	// back it takes back what later commits have published.
	merged, back bool
}

func newServicePublish(f *serviceFlags) *cobra.Command {
	var p publishFlags
	cmd := &cobra.Command{
		Use:   "publish [NAME]...",
		Short: "Render services and push them to their branches.",
		Long: `Render services, or all of them, for one environment and push each that changed to
its branch of the manifests repository, with the source's commit, tag and author.
What is there already makes no commit. All branches change in one atomic push, or
none does. The files of a service's folder assets go to S3 before the push, each
release to a place of its own, and the releases that nobody names go after it.

With --from, the service is in a repository of its own, of which this is a checkout:
its service.yaml is held to its registration here, and refused where it asks for
more. Nothing is pushed then.

Where fleet.yaml says propose, the push goes to proposals/<branch>, for a pull
request against the branch; with GITHUB_TOKEN set, or the token's secret named, it
is opened.`,
		Example: `  gitops service publish npm --env dev
  gitops service publish --env integration --dry-run
  gitops service publish npm --env production   # a proposal
  gitops service publish --env dev --release    # what the commit's tags release
  gitops service publish npm --env dev --rollback
  gitops service publish shop --env dev --release --from ../shop`,
		RunE: func(cmd *cobra.Command, names []string) error {
			switch {
			case p.output != "" && p.output != "json":
				return cli.UsageError{Err: fmt.Errorf("--output %q: it is json, or left out for lines", p.output)}
			case p.from != "" && len(names) != 1:
				return cli.UsageError{Err: errors.New("--from: is the checkout of one service; name the service")}
			case p.from != "":
				return f.publishOwn(cmd, names[0], p)
			case p.release && len(names) > 0:
				return cli.UsageError{Err: errors.New("--release: the commit's tags name the services; leave the names out")}
			case p.release && p.output != "":
				return cli.UsageError{Err: errors.New("--release: prints lines only; leave --output out")}
			case p.release:
				return f.release(cmd, p)
			}
			return f.publish(cmd, names, p)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&p.output, "output", "o", "", "json, or a line per service when left out")
	flags.StringVar(&p.tokenSecret, "token-secret", "", "`name` of the secret with the token for the manifests repository (default: MANIFESTS_TOKEN_SECRET, or git's own credentials)")
	flags.BoolVar(&p.allowDirty, "allow-dirty", false, "publish files that are not committed, and mark the source")
	flags.BoolVar(&p.rollback, "rollback", false, "allow a source that is older than the published one")
	flags.BoolVar(&p.propose, "propose", false, "propose, also where fleet.yaml does not say so")
	flags.BoolVar(&p.dryRun, "dry-run", false, "push and upload nothing; list what would change")
	flags.StringVar(&p.from, "from", "", "`checkout` of the service's own repository")
	flags.BoolVar(&p.release, "release", false, "publish the services that the commit's tags <service>/v1.2.3 release; with --from, refuse a commit without a tag v1.2.3")
	return cmd
}

// publication is what a publish works on.
type publication struct {
	root    string
	loaded  services.Fleet
	cluster services.Cluster
	url     string
	// token for the manifests repository; empty: git's own credentials.
	token string
	// source is what the manifests are made of.
	source publish.SourceOptions
	// policies of the environment, where nobody held the manifests to them before.
	policies *manifests.Policies
	// platform is the commit of this checkout, where the source is another repository's.
	platform string
}

// open reads the fleet and finds the manifests repository.
func (f *serviceFlags) open(cmd *cobra.Command, p publishFlags) (*publication, error) {
	root, loaded, err := f.load()
	if err != nil {
		return nil, err
	}
	c, err := f.cluster(loaded)
	if err != nil {
		return nil, err
	}
	if err := current(root, loaded); err != nil {
		return nil, err
	}
	url, err := f.url(cmd.Context(), loaded)
	if err != nil {
		return nil, err
	}
	token, err := secretToken(cmd, c.Region, cmp.Or(p.tokenSecret, os.Getenv("MANIFESTS_TOKEN_SECRET")))
	if err != nil {
		return nil, err
	}
	source := publish.SourceOptions{Dir: root, Paths: []string{services.AppDir, services.FilesDir, services.ConfigFile, "cdk.json"}, AllowDirty: p.allowDirty, Repository: os.Getenv("SOURCE_REPOSITORY")}
	return &publication{root: root, loaded: loaded, cluster: c, url: url, token: token, source: source}, nil
}

func (f *serviceFlags) publish(cmd *cobra.Command, names []string, p publishFlags) error {
	run, err := f.open(cmd, p)
	if err != nil {
		return err
	}
	chosen, err := choose(run.loaded, f.environment, names)
	if err != nil {
		return err
	}
	_, err = f.push(cmd, run, chosen, p)
	return err
}

// push publishes the chosen services in one atomic push.
func (f *serviceFlags) push(cmd *cobra.Command, run *publication, chosen []services.Service, p publishFlags) ([]publish.Result, error) {
	ctx := git.WithToken(cmd.Context(), run.url, run.token)
	if len(chosen) == 1 {
		run.source.Service = chosen[0].Name
	}
	source, err := publish.ReadSource(ctx, run.source)
	if err != nil {
		return nil, err
	}
	source.Platform = run.platform
	rendered, err := f.render(ctx, run.root, run.cluster, chosen)
	if err != nil {
		return nil, err
	}
	to := run.loaded.Config.For(f.environment)
	all := make([]publish.Manifest, len(chosen))
	for i, s := range chosen {
		all[i] = publish.Manifest{Service: s.Name, Branch: to.Ref(f.environment, s.Name), Content: rendered[s.Name]}
	}
	files, err := f.files(cmd, run, chosen, p)
	if err != nil {
		return nil, err
	}
	results, err := publish.Publish(ctx, all, publish.Options{
		URL: run.url, Environment: f.environment, Source: source, Propose: to.Propose || p.propose, Rollback: p.rollback, DryRun: p.dryRun,
		LeaveNewer: p.merged, Back: p.back,
		Older: publish.OlderIn(run.source.Dir),
		Check: func(changed []publish.Manifest) error {
			documents := make(map[string][]byte, len(changed))
			for _, m := range changed {
				documents[m.Service] = m.Content
			}
			if err := valid(cmd, run.policies, documents); err != nil {
				return err
			}
			return files.upload(cmd) // before the push: no manifest may name what is not there
		},
	})
	// Of a fleet larger than one push, the parts before the one that failed are there.
	said := published(cmd, results, p)
	if err != nil {
		return results, errors.Join(said, err)
	}
	if !p.dryRun {
		err = pulls(cmd, run, results)
	}
	return results, errors.Join(said, err, files.finish(cmd, results))
}

// published says what happened to each service: changes to stdout, the rest as a number.
func published(cmd *cobra.Command, results []publish.Result, p publishFlags) error {
	if p.output == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(results)
	}
	unchanged := 0
	for _, r := range results {
		switch {
		case r.Newer:
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is left as it is: it was published from %.12s, which is newer.\n", r.Service, r.Source)
		case !r.Changed:
			unchanged++
		case p.dryRun:
			fmt.Fprintf(cmd.OutOrStdout(), "%s would change %s\n", r.Service, r.Branch)
		default:
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s@%.12s\n", r.Service, r.Branch, r.Commit)
		}
	}
	if unchanged > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d are as they were published.\n", unchanged, len(results))
	}
	return nil
}

// pulls opens a pull request for each new proposal, or says where to.
func pulls(cmd *cobra.Command, run *publication, results []publish.Result) error {
	var all []error
	for _, r := range results {
		if !r.Changed || r.Base == "" {
			continue
		}
		pull := publish.Pull{URL: run.url, Forge: forge.Client{Token: forge.Token(cmp.Or(run.token, os.Getenv("GITHUB_TOKEN")))}}
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
