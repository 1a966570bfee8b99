// Package manifests checks the Kubernetes half offline, as it would arrive in a cluster: for each
// environment it builds k8s/clusters/<environment> with kustomize, follows the Flux Kustomizations in
// it, substitutes the environment's facts as Flux would (but strictly: an unknown variable is an
// error), renders each HelmRelease from the chart of the pinned version, and validates every object
// against the schemas of the pinned versions.
package manifests

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// Problem is one thing to correct.
type Problem struct {
	// Environment in which it shows; empty if it is not of one environment.
	Environment string
	// File to correct, relative to the repository; a folder if the file is not known.
	File string
	// Object as "Kind namespace/name"; empty if it is not of one object.
	Object string
	// Message says what is wrong.
	Message string
	// Remedy says what to do.
	Remedy string
}

// String is the problem in one line.
func (p Problem) String() string {
	line := p.File
	if p.Object != "" {
		line += ": " + p.Object
	}
	line += ": " + strings.Join(strings.Fields(p.Message), " ")
	if p.Remedy != "" {
		line += "; " + p.Remedy
	}
	if p.Environment != "" {
		line += " (environment " + p.Environment + ")"
	}
	return line
}

// Options configures Check and Render.
type Options struct {
	// Root is the repository: it holds cdk.json, k8s and the pins of modules. Default ".".
	Root string
	// Environments by name; default: every folder of k8s/clusters but base.
	Environments []string
	// Charts finds a chart of a HelmRelease. Default: ReleasedCharts.
	Charts Charts
	// Score grades what has no other problem: KubeScore. Default: nothing is graded.
	Score Scorer
	// Notice is told what the default Charts could not read. Default: nobody is.
	Notice func(string)
}

// Check returns every problem of the manifests, in the order of files. The error is one that prevented
// the check itself, such as a missing folder or an unreadable cdk.json.
func Check(ctx context.Context, options Options) ([]Problem, error) {
	root := cmp.Or(options.Root, ".")
	charts := options.Charts
	if charts == nil {
		charts = ReleasedCharts(root, options.Notice)
	}
	environments := options.Environments
	if len(environments) == 0 {
		found, err := Environments(root)
		if err != nil {
			return nil, err
		}
		environments = found
	}
	c, err := config.LoadDir(root)
	if err != nil {
		return nil, err
	}
	validator, err := newValidator()
	if err != nil {
		return nil, err
	}
	defer validator.close()

	problems, accepted, unscored := checkHeaders(root), acceptances{}, len(options.Environments)
	for _, environment := range environments {
		facts, err := factsOf(c, environment)
		if err != nil {
			return nil, err
		}
		run := &check{
			ctx: ctx, root: root, environment: environment, entry: rootOverlay(root, c.Environments[environment]),
			facts: facts, charts: charts, validator: validator, settings: c.Environments[environment],
		}
		for _, name := range c.Names() {
			run.environments = append(run.environments, c.Environments[name])
		}
		run.cluster()
		run.admission()
		run.closed()
		run.stores()
		run.hosts()
		run.budgets()
		run.reach()
		run.repeated()
		// What cannot be read cannot be graded, and what a rule refuses is said once.
		switch {
		case options.Score == nil:
		case len(run.problems) > 0:
			unscored++
		default:
			if err := run.score(options.Score, accepted); err != nil {
				return nil, err
			}
		}
		problems = append(problems, run.problems...)
	}
	if unscored == 0 {
		problems = append(problems, accepted.needless()...)
	}
	return unique(problems), nil
}

// Environments lists the folders of k8s/clusters in alphabetical order, without the shared base.
func Environments(root string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, "k8s", "clusters"))
	if err != nil {
		return nil, fmt.Errorf("k8s/clusters: %w; run in the folder of the repository", err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "base" {
			names = append(names, entry.Name())
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("k8s/clusters: no environment; add a folder named like one in cdk.json")
	}
	return names, nil
}

// unique sorts by file and keeps the first of problems that differ only in the environment (and, with
// it, in what the remedy lists).
func unique(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Object, b.Object), strings.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(problems, func(a, b Problem) bool {
		return a.File == b.File && a.Object == b.Object && a.Message == b.Message
	})
}

// schemaComment starts the first line of every manifest; editors read the schema from it.
const schemaComment = "# yaml-language-server: $schema="

// hasSchema reports whether a file names its schema: an address, or a file beside it.
func hasSchema(path string, content []byte) bool {
	line, _, _ := strings.Cut(string(content), "\n")
	schema, named := strings.CutPrefix(line, schemaComment)
	if !named || strings.HasPrefix(schema, "https://") {
		return named
	}
	_, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash(strings.TrimSpace(schema))))
	return err == nil
}

// checkHeaders reports manifests whose first line is not their schema.
func checkHeaders(root string) []Problem {
	var problems []Problem
	base := filepath.Join(root, "k8s")
	err := filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "testdata" {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !hasSchema(path, content) {
			problems = append(problems, Problem{
				File: relative(root, path), Message: "the first line is not the file's schema",
				Remedy: "start with " + schemaComment + "https://… as the files beside it do",
			})
		}
		return nil
	})
	if err != nil {
		problems = append(problems, Problem{File: "k8s", Message: err.Error(), Remedy: "make the folder readable"})
	}
	return problems
}

// relative returns path below root with slashes, for messages.
func relative(root, path string) string {
	if below, err := filepath.Rel(root, path); err == nil {
		path = below
	}
	return filepath.ToSlash(path)
}
