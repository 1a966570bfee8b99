package manifests

import (
	"fmt"
	"regexp"

	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/kustomize/api/resource"
)

// substituteKey as a label or annotation with value "disabled" keeps an object as it is, see
// https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution.
const substituteKey = "kustomize.toolkit.fluxcd.io/substitute"

// notSet is envsubst's message for a variable without value and default.
var notSet = regexp.MustCompile(`variable not set \(strict mode\): "([^"]*)"`)

// unknownVariableError is a variable without value and without default.
type unknownVariableError struct{ name string }

func (e unknownVariableError) Error() string { return "variable ${" + e.name + "} has no value" }

// substitute returns the object with variables replaced, as kustomize-controller does it: on the YAML
// that kustomize prints, whose quotes are not always the file's.
func substitute(built *resource.Resource, variables map[string]string) (object, error) {
	printed, err := built.AsYAML()
	if err != nil {
		return nil, err
	}
	if built.GetLabels()[substituteKey] != "disabled" && built.GetAnnotations()[substituteKey] != "disabled" {
		replaced, err := replace(string(printed), variables)
		if err != nil {
			return nil, err
		}
		printed = []byte(replaced)
	}
	parsed, err := parse(printed)
	if err != nil {
		return nil, fmt.Errorf("must be YAML after substitution: %w", err)
	}
	return parsed, nil
}

// replace evaluates every ${…} strictly, as kustomize-controller does by default since 1.9.
func replace(source string, variables map[string]string) (string, error) {
	replaced, err := envsubst.Eval(source, func(name string) (string, bool) {
		found, ok := variables[name]
		return found, ok
	})
	if err == nil {
		return replaced, nil
	}
	if match := notSet.FindStringSubmatch(err.Error()); match != nil {
		return "", unknownVariableError{match[1]}
	}
	return "", err
}
