// Command bench measures what a user waits for, each as a ratio against a
// peer or a variant within the same run, so that a busy machine disturbs both
// sides alike. It writes out/bench.json and a table.
//
// The peer is cdk-eks-blueprints, the framework a user of CDK on EKS would
// otherwise pick, with the same controllers (bench/peer). Runs are interleaved
// and the median is reported.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// result is one line of out/bench.json.
type result struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Against string  `json:"against"`
	Ratio   float64 `json:"ratio"`
}

// variant is one command that is measured.
type variant struct {
	name string
	dir  string
	env  []string
	argv []string
	// before runs untimed ahead of each run.
	before func() error
}

// cost is what one run took.
type cost struct{ cpu, wall time.Duration }

func main() {
	runs := flag.Int("runs", 5, "interleaved runs of each command")
	out := flag.String("out", "out/bench.json", "where the figures go")
	flag.Parse()
	if err := bench(*runs, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(runs int, out string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	variants := synthVariants(root, scratch)
	costs := map[string][]cost{}
	for i := range runs {
		for _, v := range variants {
			fmt.Fprintf(os.Stderr, "run %d of %d: %s\n", i+1, runs, v.name)
			c, err := measure(v)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			costs[v.name] = append(costs[v.name], c)
		}
	}
	results := summarise(variants, costs)
	counts, err := resourceCounts(scratch, variants)
	if err != nil {
		return err
	}
	results = append(results, counts...)
	print(results)
	return write(out, results)
}

// synthVariants lists the commands: the peer first, since the rest is held
// against it.
func synthVariants(root, scratch string) []variant {
	context := `{"env":"dev"}`
	base := []string{"CDK_DISABLE_CLI_TELEMETRY=true"}
	direct := func(name string, env ...string) variant {
		return variant{
			name: name, dir: root, argv: []string{filepath.Join(root, "bin/app")},
			env: append(env, "CDK_OUTDIR="+filepath.Join(scratch, strings.ReplaceAll(name, " ", "-")), "CDK_CONTEXT_JSON="+mergedContext(root, context)),
		}
	}
	return []variant{
		{
			name: "peer synth", dir: filepath.Join(root, "bench/peer"), argv: []string{"node", "app.js"},
			env: append(base, "CDK_OUTDIR="+filepath.Join(scratch, "peer-synth")),
		},
		direct("synth"),
		direct("synth without validation", "CDK_VALIDATION=false"),
		{
			name: "edit to synth done", dir: root,
			argv: []string{filepath.Join(root, "node_modules/.bin/cdk"), "synth", "--quiet", "--no-lookups", "--context", "env=dev", "--output", filepath.Join(scratch, "edit"), "**"},
			env:  base, before: func() error { return touch(filepath.Join(root, "infrastructure/network.go")) },
		},
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

func touch(path string) error {
	now := time.Now()
	return os.Chtimes(path, now, now)
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
	values := make([]time.Duration, 0, len(of))
	for _, c := range of {
		values = append(values, pick(c))
	}
	slices.Sort(values)
	return values[len(values)/2].Seconds()
}

func summarise(variants []variant, costs map[string][]cost) []result {
	peer := costs[variants[0].name]
	var results []result
	for _, v := range variants {
		for unit, pick := range map[string]func(cost) time.Duration{
			"CPU s":  func(c cost) time.Duration { return c.cpu },
			"wall s": func(c cost) time.Duration { return c.wall },
		} {
			value := median(costs[v.name], pick)
			results = append(results, result{v.name, value, unit, variants[0].name, value / median(peer, pick)})
		}
	}
	slices.SortStableFunc(results, func(a, b result) int {
		return strings.Compare(a.Unit, b.Unit)
	})
	return results
}

// resourceCounts says how much each side synthesizes, because a faster synth
// of fewer resources proves nothing.
func resourceCounts(scratch string, variants []variant) ([]result, error) {
	var results []result
	for _, v := range variants[:2] {
		count, err := countResources(filepath.Join(scratch, strings.ReplaceAll(v.name, " ", "-")))
		if err != nil {
			return nil, err
		}
		results = append(results, result{Name: v.name, Value: float64(count), Unit: "resources", Against: variants[0].name})
	}
	for i := range results {
		results[i].Ratio = results[i].Value / results[0].Value
	}
	return results, nil
}

func countResources(dir string) (int, error) {
	count := 0
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".template.json") {
			return err
		}
		var template struct {
			Resources map[string]json.RawMessage
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &template)
		}
		count += len(template.Resources)
		return err
	})
	return count, err
}

func print(results []result) {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVALUE\tUNIT\tRATIO TO PEER")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%.2f\t%s\t%.2f\n", r.Name, r.Value, r.Unit, r.Ratio)
	}
	_ = w.Flush() // standard output: nothing to do about it
}

func write(path string, results []result) error {
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
