package doctor

import (
	"context"
	"errors"
	"net/url"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"k8s-plus-aws-gitops/internal/flux"
)

// cluster looks whether the Kubernetes API answers and lets the caller read Flux's objects.
func (d *Doctor) cluster(ctx context.Context) Line {
	c, err := d.Cluster(ctx)
	if err == nil {
		_, err = c.Kustomizations(ctx)
	}
	var unreached *url.Error
	switch {
	case err == nil:
		return ok("%s answers", d.Env.ClusterName())
	case code(err) == "ResourceNotFoundException":
		return missing(d.deploy(), "there is no cluster %s", d.Env.ClusterName())
	case apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err):
		return unknown("it lets you not in: name your role in environments.%s.cluster.admins or viewers of cdk.json", d.Env.Name)
	case errors.As(err, &unreached) && d.Env.PrivateEndpoint():
		return unknown("its API is private: run this where the VPC is reached (docs/guides/private.md)")
	case errors.As(err, &unreached):
		return missing("put your address into environments."+d.Env.Name+".cluster.publicAccessCidrs of cdk.json, then "+d.deploy(), "its API does not answer: %s", line(unreached.Err.Error()))
	}
	return unread(err)
}

// flux looks whether Flux has applied what it follows, whichever commit that is.
func (d *Doctor) flux(ctx context.Context) Line {
	c, err := d.Cluster(ctx)
	if err != nil {
		return unread(err)
	}
	look, err := c.Look(ctx)
	if err != nil {
		return unread(err)
	}
	fix := "bin/gitops status " + d.Env.Name
	source := slices.IndexFunc(look.GitRepositories, func(i flux.Item) bool { return i.Name == flux.Root })
	if source >= 0 && look.GitRepositories[source].Failed() {
		return missing(fix, "%s", line(look.GitRepositories[source].Describe("GitRepository")))
	}
	if err := look.Applied(&flux.Target{Contains: func(string, string) bool { return true }}); err != nil {
		return missing(fix, "not ready: %s", line(err.Error()))
	}
	return ok("%d Kustomizations and %d HelmReleases are ready", len(look.Kustomizations), len(look.HelmReleases))
}
