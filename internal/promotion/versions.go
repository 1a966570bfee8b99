package promotion

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/config"
)

// settings compares the environment's entry, and what all share, in cdk.json.
func (p *Promotion) settings(r repository, since string) error {
	old, err := flatten(r.file(since, "cdk.json"), p.To.Name)
	if err != nil {
		return err
	}
	changed, err := flatten(r.file(p.Head, "cdk.json"), p.To.Name)
	p.Settings = difference(old, changed)
	return err
}

// flatten lists the settings of an environment by their path in cdk.json.
func flatten(text, environment string) (map[string]string, error) {
	values := map[string]string{}
	if text == "" {
		return values, nil
	}
	context, err := config.ParseContext([]byte(text))
	if err != nil {
		return nil, err
	}
	gitops, _ := context["gitops"].(map[string]any)
	environments, _ := gitops["environments"].(map[string]any)
	walk(values, "repository", gitops["repository"])
	walk(values, environment, environments[environment])
	return values, nil
}

// walk collects the leaves of a JSON value.
func walk(values map[string]string, path string, value any) {
	switch v := value.(type) {
	case nil:
	case map[string]any:
		for key, inner := range v {
			walk(values, path+"."+key, inner)
		}
	default:
		text, err := json.Marshal(v)
		if err == nil {
			values[path] = string(text)
		}
	}
}

// argument is a version in the image's recipe.
var argument = regexp.MustCompile(`(?m)^ARG ([A-Z0-9_]+_VERSION)=(\S+)$`)

// versions compares the versions in the image's recipe, the images that run, and the charts.
func (p *Promotion) versions(r repository, since string) error {
	recipe := func(commit string) map[string]string {
		found := map[string]string{}
		for _, m := range argument.FindAllStringSubmatch(r.file(commit, "dockerbuild/Dockerfile"), -1) {
			found[m[1]] = m[2]
		}
		return found
	}
	p.Images = difference(recipe(since), recipe(p.Head))
	p.images(r)
	old, err := charts(r, since)
	if err != nil {
		return err
	}
	changed, err := charts(r, p.Head)
	p.Charts = difference(old, changed)
	return err
}

// charts are the versions of a commit's HelmReleases by the name of their chart.
func charts(r repository, commit string) (map[string]string, error) {
	names, err := r.lines("ls-tree", "-r", "--name-only", commit, "k8s/platform")
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, name := range names {
		for document := range strings.SplitSeq(r.file(commit, name), "\n---\n") {
			var release struct {
				Kind string
				Spec struct {
					Chart struct {
						Spec struct{ Chart, Version string }
					}
				}
			}
			if yaml.Unmarshal([]byte(document), &release) == nil && release.Kind == "HelmRelease" {
				found[release.Spec.Chart.Spec.Chart] = release.Spec.Chart.Spec.Version
			}
		}
	}
	return found, nil
}

// difference lists what two maps have different, by name.
func difference(old, changed map[string]string) []Change {
	all := maps.Clone(old)
	maps.Copy(all, changed)
	var list []Change
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if old[name] != changed[name] {
			list = append(list, Change{name, old[name], changed[name]})
		}
	}
	return list
}
