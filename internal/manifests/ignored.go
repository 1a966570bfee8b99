package manifests

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// ignoredValues refuses a value below the first level that the chart does not have, that no template names, and without which these
// make the same: a misspelt one, or one of another version. Many charts take what their defaults do not name, so only the result
// tells; a template may read one for other environments alone.
func (r release) ignoredValues(dir string, loaded *chart.Chart, rendered map[string]string) error {
	defaults, err := chartutil.CoalesceValues(loaded, map[string]any{})
	if err != nil {
		return fmt.Errorf("chart %s: %w", loaded.Name(), err)
	}
	unknown := slices.DeleteFunc(absent(defaults, r.Spec.Values), func(path []string) bool { return named(loaded, path[len(path)-1]) })
	if len(unknown) == 0 {
		return nil
	}
	again, err := r.templates(dir, r.Spec.Values)
	if err != nil {
		return err
	}
	for _, path := range unknown {
		without, err := r.templates(dir, withoutValue(r.Spec.Values, path))
		if err != nil {
			continue // the chart needs it
		}
		// A file that differs by itself, such as one with a certificate that is made for it, tells nothing.
		differs := func(file string) bool { return rendered[file] == again[file] && rendered[file] != without[file] }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(rendered)), differs) {
			return fmt.Errorf("values: chart %s ignores the value %s", loaded.Name(), strings.Join(path, "."))
		}
	}
	return nil
}

// named reports whether a template of a chart, or of one that it depends on, has the name of a value.
func named(c *chart.Chart, name string) bool {
	word := regexp.MustCompile(`[."]` + regexp.QuoteMeta(name) + `\b`)
	return slices.ContainsFunc(c.Templates, func(f *chart.File) bool { return word.Match(f.Data) }) ||
		slices.ContainsFunc(c.Dependencies(), func(d *chart.Chart) bool { return named(d, name) })
}

// absent are the paths of values that a chart's defaults do not have. Below a default that is no map, or an empty one, anything goes.
func absent(defaults, values map[string]any, above ...string) [][]string {
	var all [][]string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		here := append(slices.Clone(above), name)
		known, there := defaults[name]
		inner, nested := values[name].(map[string]any)
		its, also := known.(map[string]any)
		switch {
		case !there:
			all = append(all, here)
		case nested && also && len(its) > 0:
			all = append(all, absent(its, inner, here...)...)
		}
	}
	return all
}

// dotted writes paths for people.
func dotted(paths [][]string) []string {
	var all []string
	for _, p := range paths {
		all = append(all, strings.Join(p, "."))
	}
	return all
}

// withoutValue is a copy of values without one.
func withoutValue(values map[string]any, path []string) map[string]any {
	copied := maps.Clone(values)
	if len(path) == 1 {
		delete(copied, path[0])
		return copied
	}
	if inner, ok := copied[path[0]].(map[string]any); ok {
		copied[path[0]] = withoutValue(inner, path[1:])
	}
	return copied
}
