package source

import (
	"context"
	"strings"
)

// Changed lists the paths that differ between two commits of a bare
// repository. With before empty or all zeros (a new branch) it lists all.
func Changed(ctx context.Context, bare, before, after string) ([]string, error) {
	args := []string{"diff", "--name-only", "--no-renames", "-z", before, after}
	if strings.Trim(before, "0") == "" {
		args = []string{"ls-tree", "-r", "--name-only", "-z", after}
	}
	out, err := git(ctx, bare, nil, args...)
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(strings.TrimRight(out, "\x00"), "\x00"), nil
}
