package source

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// Fetch brings the commit of a ref of the checkout's remote into the repository with the given Git directory, and returns it. The
// checkout's address and credentials are used, and its objects; it gets none itself, and no ref.
func Fetch(ctx context.Context, repo, gitDir, remote, ref string) (string, error) {
	out, err := git(ctx, repo, nil, "ls-remote", remote, ref)
	if err != nil {
		return "", err
	}
	commit, _, found := strings.Cut(out, "\t")
	if !found {
		return "", fmt.Errorf("%s has no %s", remote, ref)
	}
	common, err := git(ctx, repo, nil, "rev-parse", "--path-format=absolute", "--git-common-dir")
	if err != nil {
		return "", err
	}
	env := []string{
		"GIT_OBJECT_DIRECTORY=" + filepath.Join(gitDir, "objects"),
		"GIT_ALTERNATE_OBJECT_DIRECTORIES=" + filepath.Join(common, "objects"),
	}
	_, err = git(ctx, repo, env, "-c", "gc.auto=0", "-c", "maintenance.auto=false", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=", remote, ref)
	return commit, err
}
