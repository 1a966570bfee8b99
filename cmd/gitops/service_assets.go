package main

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/endpoints"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/assets"
	"k8s-plus-aws-gitops/internal/services/assets/store"
	"k8s-plus-aws-gitops/internal/services/publish"
)

// serviceFiles are the static files of what is published. Without any, S3 is not asked.
type serviceFiles struct {
	store    store.Store
	releases []assets.Release
	dryRun   bool
	uploaded bool
	// out gets the list of a dry run.
	out io.Writer
}

// files reads the static files of the chosen services.
func (f *serviceFlags) files(cmd *cobra.Command, run *publication, chosen []services.Service, p publishFlags) (*serviceFiles, error) {
	ctx, files := cmd.Context(), &serviceFiles{dryRun: p.dryRun, out: cmd.OutOrStdout()}
	if p.output == "json" {
		files.out = cmd.ErrOrStderr()
	}
	for _, s := range chosen {
		r, err := s.Assets(ctx, run.root)
		if err != nil {
			return nil, err
		}
		if r.Digest != "" {
			files.releases = append(files.releases, r)
		}
	}
	if len(files.releases) == 0 {
		return files, nil
	}
	c, err := f.aws(ctx, run)
	if err != nil {
		return nil, err
	}
	files.store = store.Store{
		Client: s3.NewFromConfig(c), Bucket: run.cluster.AssetsBucket, Account: run.cluster.Account, Root: config.AssetsPrefix,
	}
	return files, nil
}

// aws is the account of the environment, by the caller's credentials where it is in AWS.
func (f *serviceFlags) aws(ctx context.Context, run *publication) (aws.Config, error) {
	if err := endpoints.Use(ctx, f.environment); err != nil {
		return aws.Config{}, err
	}
	return awsOf(ctx, run.cluster.Region)
}

// upload puts what is missing in place, once. It stays there should the push fail: nothing names it, and the next
// publication finds it.
func (s *serviceFiles) upload(cmd *cobra.Command) error {
	if s.uploaded {
		return nil
	}
	for _, r := range s.releases {
		put := s.store.Upload
		if s.dryRun {
			put = s.store.Missing
		}
		missing, err := put(cmd.Context(), r)
		if err != nil {
			return err
		}
		where := s.store.URL(r.Prefix(config.AssetsPrefix)) + "/"
		if s.dryRun {
			for _, file := range missing {
				fmt.Fprintln(s.out, "+ "+where+file.Path)
			}
		} else if len(missing) > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d of %d static files uploaded to %s\n", r.Service, len(missing), len(r.Files), where)
		}
	}
	s.uploaded = true
	return nil
}

// finish puts files back that a branch names and the bucket has lost, and removes the releases that no branch names.
func (s *serviceFiles) finish(cmd *cobra.Command, results []publish.Result) error {
	if err := s.upload(cmd); err != nil {
		return err
	}
	before := map[string][][]byte{}
	for _, r := range results {
		before[r.Service] = r.Before
	}
	for _, r := range s.releases {
		named := []string{r.Digest}
		for _, manifest := range before[r.Service] {
			named = append(named, assets.Named(config.AssetsPrefix, r.Service, manifest)...)
		}
		stale, err := s.store.Stale(cmd.Context(), r.Service, named)
		if err == nil && !s.dryRun {
			err = s.store.Remove(cmd.Context(), stale)
		}
		switch {
		case err != nil && s.dryRun:
			return err
		case err != nil:
			return fmt.Errorf("%s is published, and static files of earlier releases are left: %w; publish again to remove them", r.Service, err)
		}
		if s.dryRun {
			for _, key := range stale {
				fmt.Fprintln(s.out, "- "+s.store.URL(key))
			}
		} else if len(stale) > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d static files of earlier releases removed\n", r.Service, len(stale))
		}
	}
	return nil
}
