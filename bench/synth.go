package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s-plus-aws-gitops/bench/result"
)

// variant is one command that is measured.
type variant struct {
	name string
	dir  string
	env  []string
	argv []string
	// before runs untimed ahead of each run.
	before func() error
	// against is the variant that this one is held against, the first one when empty.
	against string
}

// cost is what one run took.
type cost struct{ cpu, wall time.Duration }

// synth measures CDK's synthesis beside a peer, cdk-eks-blueprints, the framework a user of CDK on EKS would otherwise
// pick, with the same controllers (bench/peer). Runs are interleaved and the median is reported. What is edited is a clone
// of what is committed.
func synth(ctx context.Context, root string, runs int) ([]result.Line, error) {
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	checkout := filepath.Join(scratch, "checkout")
	if err := asked(ctx, root, checkout, 0); err != nil {
		return nil, err
	}
	variants := synthVariants(root, checkout, scratch)
	// An untimed run compiles, and fills the cache of what was validated.
	if _, err := measure(variants[len(variants)-1]); err != nil {
		return nil, err
	}
	costs, err := take(variants, runs)
	if err != nil {
		return nil, err
	}
	counts, err := resourceCounts(scratch, variants)
	return append(summarise(variants, costs), counts...), err
}

// take runs the variants in turn, and returns what each run took by the variant's name.
func take(variants []variant, runs int) (map[string][]cost, error) {
	costs := map[string][]cost{}
	for i := range runs {
		for _, v := range variants {
			fmt.Fprintf(os.Stderr, "run %d of %d: %s\n", i+1, runs, v.name)
			c, err := measure(v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", v.name, err)
			}
			costs[v.name] = append(costs[v.name], c)
		}
	}
	return costs, nil
}

// synthVariants lists the commands: the peer first, since the rest is held against it. What the CDK CLI runs is held against
// the peer by the CLI; the peer is JavaScript, so its edit costs no compiler.
func synthVariants(root, checkout, scratch string) []variant {
	const selected = `{"env":"dev","checkBranches":false}`
	base := []string{"CDK_DISABLE_CLI_TELEMETRY=true", "GITOPS_CACHE=" + filepath.Join(scratch, "cache")}
	direct := func(name string, env ...string) variant {
		return variant{
			name: name, dir: root, argv: []string{filepath.Join(root, "bin/app")},
			env: append(env, "CDK_OUTDIR="+filepath.Join(scratch, strings.ReplaceAll(name, " ", "-")), "CDK_CONTEXT_JSON="+mergedContext(root, selected)),
		}
	}
	cdk := []string{filepath.Join(root, "node_modules/.bin/cdk"), "synth", "--quiet", "--no-lookups", "--context", "env=dev", "--context", "checkBranches=false"}
	const peerEdited = "peer edit to synth done"
	edited := func(name string, before func() error, env ...string) variant {
		return variant{
			name: name, dir: checkout, env: append(env, base...), before: before, against: peerEdited,
			argv: append(slices.Clone(cdk), "**"),
		}
	}
	count := 0
	// code is an edit that the compiler sees and the templates do not.
	code := func() error {
		count++
		file := filepath.Join(checkout, "infrastructure/bench.go")
		return os.WriteFile(file, fmt.Appendf(nil, "package infrastructure\n\nvar Bench = %d\n", count), 0o600)
	}
	// template is an edit of one template: the description of the stack of the network.
	template := func() error {
		count++
		file, text := filepath.Join(checkout, "app.go"), regexp.MustCompile(`": VPC[^"]*"`)
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !text.Match(content) {
			return fmt.Errorf("app.go has no description of the network's stack to edit")
		}
		return os.WriteFile(file, text.ReplaceAll(content, fmt.Appendf(nil, `": VPC %d"`, count)), 0o600)
	}
	return []variant{
		{
			name: "peer synth", dir: filepath.Join(root, "bench/peer"), argv: []string{"node", "app.js"},
			env: append(base, "CDK_OUTDIR="+filepath.Join(scratch, "peer-synth")),
		},
		direct("synth", "CI=true"), // everything is validated
		direct("synth without validation", "CDK_VALIDATION=false"),
		{
			name: peerEdited, dir: filepath.Join(root, "bench/peer"), env: base,
			argv: append(slices.Clone(cdk), "--app", "node app.js", "--output", filepath.Join(scratch, "peer-edited"), "**"),
		},
		edited("edit to synth done, all validated", template, "CI=true"),
		edited("edit of a template to synth done", template),
		edited("edit of code to synth done", code),
	}
}

// mergedContext is what the CDK CLI hands to the app: cdk.json's context and
// the command line's.
func mergedContext(root, extra string) string {
	var file struct {
		Context map[string]any `json:"context"`
	}
	data, err := os.ReadFile(filepath.Join(root, "cdk.json"))
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err != nil {
		return extra
	}
	if err := json.Unmarshal([]byte(extra), &file.Context); err != nil {
		return extra
	}
	merged, err := json.Marshal(file.Context)
	if err != nil {
		return extra
	}
	return string(merged)
}

func measure(v variant) (cost, error) {
	if v.before != nil {
		if err := v.before(); err != nil {
			return cost{}, err
		}
	}
	cmd := exec.Command(v.argv[0], v.argv[1:]...)
	cmd.Dir, cmd.Env = v.dir, append(os.Environ(), v.env...)
	began := time.Now()
	output, err := cmd.CombinedOutput()
	wall := time.Since(began)
	if err != nil {
		return cost{}, fmt.Errorf("%w\n%s", err, output)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return cost{cpu: cpu, wall: wall}, nil
}

func median(of []cost, pick func(cost) time.Duration) float64 {
	values := make([]time.Duration, len(of))
	for i, c := range of {
		values[i] = pick(c)
	}
	return result.Median(values).Seconds()
}

func summarise(variants []variant, costs map[string][]cost) []result.Line {
	var results []result.Line
	for _, v := range variants {
		against := cmp.Or(v.against, variants[0].name)
		for unit, pick := range map[string]func(cost) time.Duration{
			"CPU s":  func(c cost) time.Duration { return c.cpu },
			"wall s": func(c cost) time.Duration { return c.wall },
		} {
			results = append(results, result.Of(v.name, median(costs[v.name], pick), unit, against, median(costs[against], pick)))
		}
	}
	slices.SortStableFunc(results, func(a, b result.Line) int {
		return strings.Compare(a.Unit, b.Unit)
	})
	return results
}

// resourceCounts says how much each side synthesizes, because a faster synth
// of fewer resources proves nothing.
func resourceCounts(scratch string, variants []variant) ([]result.Line, error) {
	var results []result.Line
	for _, v := range variants[:2] {
		made, err := assembly(filepath.Join(scratch, strings.ReplaceAll(v.name, " ", "-")))
		if err != nil {
			return nil, err
		}
		results = append(results, result.Line{Name: v.name, Value: float64(made.resources), Unit: "resources", Against: variants[0].name})
	}
	for i := range results {
		results[i].Ratio = results[i].Value / results[0].Value
	}
	return results, nil
}
