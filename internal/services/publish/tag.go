package publish

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"golang.org/x/mod/semver"

	"k8s-plus-aws-gitops/internal/git"
)

// Tag releases a service.
type Tag struct {
	// Name is the whole tag, for example npm/v1.2.3.
	Name string
	// Service and Version are its parts.
	Service, Version string
}

// ParseTag reads a tag of the form <service>/v<version>. The version has all three numbers (semver.org).
func ParseTag(name string) (Tag, error) {
	service, version, _ := strings.Cut(name, "/")
	t := Tag{Name: name, Service: service, Version: version}
	// The package also takes v1 and v1.2, which Canonical completes; it drops what follows a +.
	if service == "" || !semver.IsValid(version) || semver.Canonical(version)+semver.Build(version) != version {
		return t, fmt.Errorf("tag %q: must be <service>/v<major>.<minor>.<patch>; push another, for example %s/v1.2.3, and delete this one", name, cmp.Or(service, "npm"))
	}
	return t, nil
}

// OwnTag is the release of the checkout's commit in a repository that is one service's: its highest tag v1.2.3, or empty.
func OwnTag(ctx context.Context, dir string) (string, error) {
	out, err := git.Run(ctx, dir, nil, "tag", "--points-at", "HEAD", "--list", "v*")
	if err != nil {
		return "", fmt.Errorf("tags of the source commit: %w", err)
	}
	highest := ""
	for line := range strings.Lines(out) {
		name := strings.TrimSpace(line)
		if _, err := ParseTag("own/" + name); err == nil && (highest == "" || semver.Compare(highest, name) < 0) {
			highest = name
		}
	}
	return highest, nil
}

// Tags are the releases of the checkout's commit: the highest version of each service, by service. Tags that look like
// releases and are not are returned as problems.
func Tags(ctx context.Context, dir string) (map[string]Tag, []error, error) {
	out, err := git.Run(ctx, dir, nil, "tag", "--points-at", "HEAD", "--list", "*/v*")
	if err != nil {
		return nil, nil, fmt.Errorf("tags of the source commit: %w", err)
	}
	released := map[string]Tag{}
	var problems []error
	for line := range strings.Lines(out) {
		name := strings.TrimSpace(line)
		if name == "" || strings.Count(name, "/") != 1 {
			continue // git's * crosses slashes, the pipeline's does not
		}
		t, err := ParseTag(name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if have, known := released[t.Service]; !known || semver.Compare(have.Version, t.Version) < 0 {
			released[t.Service] = t
		}
	}
	return released, problems, nil
}
