// Command bench measures a fleet of services in a local system of its own. It adds its figures to out/bench.json;
// docs/benchmarks.md says what they mean.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s-plus-aws-gitops/bench/result"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/local/bench/fleet"
)

func main() {
	out := flag.String("out", "out/bench.json", "where the figures go")
	sizes := flag.String("sizes", "10,100,1000", "numbers of services")
	var o fleet.Options
	flag.StringVar(&o.Dir, "dir", "", "folder of a checkout and a local system that are used again and kept (default: new ones, removed at the end)")
	flag.StringVar(&o.Profiles, "profiles", "", "folder for CPU and heap profiles of Flux's controllers at the largest size (default: none)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := bench(ctx, *sizes, *out, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench measures from the root of the checkout, which is what its paths are relative to.
func bench(ctx context.Context, sizes, out string, o fleet.Options) error {
	var err error
	if o.Sizes, err = result.Sizes(sizes); err != nil {
		return err
	}
	if o.Root, err = checkout.Root(); err != nil {
		return err
	}
	if err := os.Chdir(o.Root); err != nil {
		return err
	}
	lines, err := fleet.Run(ctx, o)
	// What was measured before a failure is kept: a run takes minutes.
	if serr := result.Save(out, lines); err == nil {
		err = serr
	}
	if err != nil {
		return err
	}
	return result.Print(os.Stdout, lines)
}
