package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"k8s-plus-aws-gitops/bench/result"
)

// asking is the file of a service that has a database, a bucket and a queue. A test of bench/handwritten holds that app to it.
//
//go:embed asking.yaml
var asking []byte

// fleet measures the synthesis of services with resources, all of an environment at once, beside a hand-written CDK app with
// the same resources (bench/handwritten). Ours has the rest of the environment in it, so it is measured without services, too.
func fleet(ctx context.Context, root string, runs int, sizes []int) ([]result.Line, error) {
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	peer := filepath.Join(scratch, "handwritten")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", peer, "./bench/handwritten").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	var all []result.Line
	for _, size := range append([]int{0}, sizes...) {
		lines, err := fleetOf(ctx, root, filepath.Join(scratch, strconv.Itoa(size)), peer, runs, size)
		if err != nil {
			return nil, fmt.Errorf("%d services: %w", size, err)
		}
		all = append(all, lines...)
	}
	return all, nil
}

// fleetOf measures one size.
func fleetOf(ctx context.Context, root, scratch, peer string, runs, size int) ([]result.Line, error) {
	checkout := filepath.Join(scratch, "checkout")
	if err := asked(ctx, root, checkout, size); err != nil {
		return nil, err
	}
	name := func(of string) string { return fmt.Sprintf("%s of %d services", of, size) }
	hand, ours := filepath.Join(scratch, "hand"), filepath.Join(scratch, "ours")
	variants := []variant{
		{name: name("hand-written"), dir: scratch, argv: []string{peer}, env: []string{"CDK_OUTDIR=" + hand, "SERVICES=" + strconv.Itoa(size), "CDK_VALIDATION=false"}},
		{
			name: name("synth"), dir: checkout, argv: []string{filepath.Join(root, "bin/app")},
			env: []string{"CDK_OUTDIR=" + ours, "CDK_VALIDATION=false", "CDK_CONTEXT_JSON=" + mergedContext(checkout, `{"env":"dev","checkBranches":false}`)},
		},
	}
	costs, err := take(variants, runs)
	if err != nil {
		return nil, err
	}
	lines := summarise(variants, costs)
	for i, dir := range []string{hand, ours} {
		made, err := assembly(dir)
		if err != nil {
			return nil, err
		}
		lines = append(lines, made.lines(variants[i].name)...)
	}
	return lines, nil
}

// asked makes a checkout of what is committed, with this many services beside those that it has.
func asked(ctx context.Context, root, checkout string, size int) error {
	if out, err := exec.CommandContext(ctx, "git", "clone", "--quiet", "--local", root, checkout).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := os.Symlink(filepath.Join(root, "node_modules"), filepath.Join(checkout, "node_modules")); err != nil {
		return err
	}
	for i := range size {
		file := filepath.Join(checkout, "k8s/services", fmt.Sprintf("bench-%04d.yaml", i))
		if err := os.WriteFile(file, asking, 0o644); err != nil {
			return err
		}
	}
	return nil
}
