package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// awsHalf are the paths that the CDK app is made of. A change to one of them
// needs a deployment; everything else is Flux's alone.
var awsHalf = []string{"cdk.json", "main.go", "go.mod", "go.sum", "package.json", "package-lock.json", "config/", "infrastructure/", "app-resources/"}

// TouchesAWS reports whether a changed path belongs to the AWS half. Tests and
// prose do not change what is deployed.
func TouchesAWS(path string) bool {
	if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".md") || strings.Contains(path, "/testdata/") {
		return false
	}
	for _, p := range awsHalf {
		if path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

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

// AWSDigest identifies the AWS half of a commit: equal digests deploy equal
// stacks.
func AWSDigest(ctx context.Context, bare, commit string) (string, error) {
	out, err := git(ctx, bare, nil, "ls-tree", "-r", "-z", commit)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for entry := range strings.SplitSeq(out, "\x00") {
		if _, path, ok := strings.Cut(entry, "\t"); ok && TouchesAWS(path) {
			fmt.Fprintln(h, entry)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
