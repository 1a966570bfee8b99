package endpoint

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s-plus-aws-gitops/local/endpoint/engine"
	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// The handlers are those that the templates of all environments and the CDK's bootstrap need: a template that the local
// CloudFormation refuses by mistake is found here, and so is a handler that nothing uses.
func TestTypesAreThoseOfTheTemplates(t *testing.T) {
	const bootstrap = "../../node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml"
	names, err := filepath.Glob("../../testdata/templates/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden templates: %v", err)
	}
	unused := map[string]bool{}
	for name := range resources.All() {
		unused[name] = true
	}
	for _, name := range append(names, bootstrap) {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatalf("%v: run npm ci in the root of the checkout", err)
		}
		template, err := engine.ParseTemplate(string(content))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for id, r := range template.Resources {
			delete(unused, r.Type)
			typ, known := resources.Lookup(r.Type)
			if !known {
				t.Errorf("%s: %s is a %s, which has no handler", filepath.Base(name), id, r.Type)
				continue
			}
			for property := range r.Properties {
				if typ.Properties != nil && !slices.Contains(typ.Properties, property) {
					t.Errorf("%s: %s: the handler of %s does not know %s", filepath.Base(name), id, r.Type, property)
				}
			}
		}
	}
	for name := range unused {
		t.Errorf("no template has a %s: delete its handler", name)
	}
}
