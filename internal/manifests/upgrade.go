package manifests

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"helm.sh/helm/v3/pkg/chart/loader"
)

// Harm is what a new version of a chart does to what is there.
type Harm struct{ What, Where, Detail string }

// defaulted is a variable with a default, which is the address of a chart's repository.
var defaulted = regexp.MustCompile(`\$\{\w+:=([^}]*)\}`)

func releasesOf(content []byte) ([]release, error) {
	var objects []object
	for _, document := range bytes.Split(defaulted.ReplaceAll(content, []byte("$1")), []byte("\n---\n")) {
		o, err := parse(document)
		if err != nil {
			return nil, err
		}
		objects = append(objects, flatten(o)...)
	}
	addresses, all := sources(objects), []release(nil)
	for _, o := range objects {
		if key(o) != helmRelease {
			continue
		}
		r, err := readRelease(o, addresses)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// Upgrade compares the releases of a file before and after a change of chart versions, each rendered with its own values: values
// that the new chart ignores, and versions of an API that it no longer stores or serves. The error is of a chart that cannot be had.
func Upgrade(before, after []byte, charts Charts) ([]Harm, error) {
	old, err := releasesOf(before)
	if err != nil {
		return nil, err
	}
	updated, err := releasesOf(after)
	if err != nil {
		return nil, err
	}
	var all []Harm
	for _, is := range updated {
		i := slices.IndexFunc(old, func(was release) bool { return was.Metadata == is.Metadata })
		if i < 0 || old[i].chart() == is.chart() {
			continue
		}
		found, err := upgrade(old[i], is, charts)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func upgrade(was, is release, charts Charts) ([]Harm, error) {
	before, err := defaults(was, charts)
	if err != nil {
		return nil, err
	}
	after, err := defaults(is, charts)
	if err != nil {
		return nil, err
	}
	where := fmt.Sprintf("chart %s %s", is.chart().Name, is.chart().Version)
	var all []Harm
	// A value without a default that the old chart took as well a template copies with all that is around it.
	known := dotted(absent(before, is.Spec.Values))
	for _, name := range dotted(absent(after, is.Spec.Values)) {
		if !slices.Contains(known, name) {
			all = append(all, Harm{"value ignored", where, "it has no value " + name + ", which " + was.chart().Version + " has"})
		}
	}
	old, err := render(was, charts)
	if err != nil {
		return nil, fmt.Errorf("chart %s %s: %w", was.chart().Name, was.chart().Version, err)
	}
	rendered, err := render(is, charts)
	if err != nil {
		if len(all) > 0 {
			return all, nil // the same, in other words
		}
		return []Harm{{"does not render", where, err.Error()}}, nil
	}
	return append(all, dropped(where, definitions(old), definitions(rendered))...), nil
}

// defaults are a chart's values.
func defaults(r release, charts Charts) (map[string]any, error) {
	dir, err := charts(r.chart())
	if err != nil {
		return nil, err
	}
	loaded, err := loader.LoadDir(dir)
	if err != nil {
		return nil, err
	}
	return loaded.Values, nil
}

// definition is the versions of a CustomResourceDefinition.
type definition struct {
	stored string
	served []string
}

func definitions(objects []object) map[string]definition {
	all := map[string]definition{}
	for _, o := range objects {
		if o.kind() != "CustomResourceDefinition" {
			continue
		}
		var d definition
		versions, _ := value(o, "spec", "versions").([]any)
		for _, v := range versions {
			version, _ := v.(map[string]any)
			if version["storage"] == true {
				d.stored = text(version, "name")
			}
			if version["served"] == true {
				d.served = append(d.served, text(version, "name"))
			}
		}
		all[o.name()] = d
	}
	return all
}

// dropped are the versions of APIs that are no longer there. An API server refuses a definition without a version in which objects
// are stored: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/
func dropped(where string, before, after map[string]definition) []Harm {
	var all []Harm
	for _, name := range slices.Sorted(maps.Keys(before)) {
		was := before[name]
		is, there := after[name]
		if !there {
			all = append(all, Harm{"API removed", name, where + " no longer has the definition; with it all objects go"})
			continue
		}
		for _, version := range was.served {
			switch {
			case slices.Contains(is.served, version) || is.stored == version:
			case version == was.stored:
				all = append(all, Harm{"stored version dropped", name, where + " has no " + version + ", in which objects are stored: bring them to " + is.stored + " first"})
			default:
				all = append(all, Harm{"version dropped", name, where + " no longer serves " + version})
			}
		}
	}
	return all
}
