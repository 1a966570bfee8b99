package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"k8s-plus-aws-gitops/bench/result"
)

// benchmark matches one line of `go test -bench`: its name, its size and the nanoseconds of one operation.
var benchmark = regexp.MustCompile(`(?m)^Benchmark(\w+)/(\d+)\S*\s+\d+\s+(\d+(?:\.\d+)?) ns/op`)

// render runs the benchmarks of services/service: the product's printer beside plain structs of k8s.io/api. They
// take turns, as everything in one run does.
func render(ctx context.Context, root string, runs int, sizes []int) ([]result.Line, error) {
	names := make([]string, len(sizes))
	for i, n := range sizes {
		names[i] = strconv.Itoa(n)
	}
	took := map[string][]float64{}
	for i := range runs {
		fmt.Fprintf(os.Stderr, "run %d of %d: render\n", i+1, runs)
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark(Plain|Render)$/^("+strings.Join(names, "|")+")$", "-count", "1", "./services/service")
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, out)
		}
		for _, m := range benchmark.FindAllStringSubmatch(string(out), -1) {
			ns, err := strconv.ParseFloat(m[3], 64)
			if err != nil {
				return nil, err
			}
			took[m[1]+m[2]] = append(took[m[1]+m[2]], ns/1e9)
		}
	}
	var lines []result.Line
	for _, n := range names {
		plain, ours := took["Plain"+n], took["Render"+n]
		if len(plain) == 0 || len(ours) == 0 {
			return nil, fmt.Errorf("services/service has no benchmark of %s services: use sizes that it has", n)
		}
		peer := result.Median(plain)
		lines = append(lines,
			result.Of("plain structs of "+n+" services", peer, "wall s", "plain structs", peer),
			result.Of("render "+n+" services", result.Median(ours), "wall s", "plain structs", peer))
	}
	return lines, nil
}
