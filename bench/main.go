// Command bench measures what a user waits for, each as a ratio against a peer, a variant or a target, within one run, so
// that a busy machine disturbs both sides alike. It writes out/bench.json and a table; docs/benchmarks.md says what the
// figures mean.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"k8s-plus-aws-gitops/bench/result"
)

// parts are what can be measured by itself, in the order of a full run.
var parts = []string{"synth", "services", "render"}

func main() {
	runs := flag.Int("runs", 3, "interleaved runs of each command")
	out := flag.String("out", "out/bench.json", "where the figures go")
	only := flag.String("parts", strings.Join(parts, ","), "what to measure")
	sizes := flag.String("sizes", "10,100,1000", "numbers of services to render")
	asking := flag.String("asking", "10,200", "numbers of services with resources to synthesize")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := bench(ctx, strings.Split(*only, ","), *runs, *sizes, *asking, *out)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, only []string, runs int, sizes, asking, out string) error {
	for _, part := range only {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("-parts %q: it is some of %s", part, strings.Join(parts, ","))
		}
	}
	numbers, err := result.Sizes(sizes)
	if err != nil {
		return err
	}
	fleets, err := result.Sizes(asking)
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	measure := map[string]func() ([]result.Line, error){
		"synth":    func() ([]result.Line, error) { return synth(ctx, root, runs) },
		"services": func() ([]result.Line, error) { return fleet(ctx, root, runs, fleets) },
		"render":   func() ([]result.Line, error) { return render(ctx, root, runs, numbers) },
	}
	var all []result.Line
	for _, part := range parts {
		if !slices.Contains(only, part) {
			continue
		}
		lines, err := measure[part]()
		all = append(all, lines...)
		// What was measured before a failure is kept: a run takes minutes.
		if serr := result.Save(out, lines); err == nil {
			err = serr
		}
		if err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return result.Print(os.Stdout, all)
}
