package versions

import (
	"slices"
	"testing"

	"k8s-plus-aws-gitops/internal/versions/renovate"
)

func loadRenovate(t *testing.T) renovate.Configuration {
	t.Helper()
	c, err := renovate.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// proposed are the pins that Renovate changes.
func proposed() []Pin {
	var pins []Pin
	for _, component := range Components() {
		if component.Manual == "" {
			pins = append(pins, component.Pin)
		}
	}
	return pins
}

// Each pin of the table is found by one rule, at its place; one that is changed by hand by none.
func TestRenovateFindsEveryPin(t *testing.T) {
	c := loadRenovate(t)
	if !slices.Contains(c.EnabledManagers, "custom.regex") {
		t.Error("renovate.json does not enable custom.regex")
	}
	if _, err := Proposed(root, proposed()); err != nil {
		t.Error(err)
	}
	for _, component := range Components() {
		if component.Manual == "" {
			continue
		}
		_, start, end, err := component.Pin.Find(root)
		if err != nil {
			t.Error(err)
			continue
		}
		if found, err := c.Finds(component.Pin.File, start, end); err != nil || len(found) > 0 {
			t.Errorf("%s in %s is changed by hand (%s), and found by %v, %v", component.Name, component.Pin.File, component.Manual, found, err)
		}
	}
}

// A constant of a policy moves with its chart, and a rule that reads a file of a pin finds one there. Rules that read none
// of these files are for what a folder beside the platform pins, and judged by its test.
func TestRenovateRules(t *testing.T) {
	c := loadRenovate(t)
	for file, constant := range map[string]string{
		"infrastructure/addons/loadbalancercontroller.go": "LoadBalancerControllerVersion",
		"infrastructure/addons/externaldns.go":            "ExternalDNSChartVersion",
		"infrastructure/addons/externalsecrets.go":        "ExternalSecretsChartVersion",
	} {
		_, start, end, err := Pin{file, `const ` + constant + ` = "([^"]+)"`}.Find(root)
		if err != nil {
			t.Error(err)
			continue
		}
		if found, err := c.One(file, start, end); err != nil || found.Datasource != "helm" {
			t.Errorf("%s in %s must be found as a chart, got %v, %v", constant, file, found, err)
		}
	}
	used, err := Proposed(root, proposed())
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range c.CustomManagers {
		reads := slices.ContainsFunc(Components(), func(component Component) bool { return m.Reads(component.Pin.File) })
		if m.CustomType != "regex" || reads && !used[renovate.Rule(i)] {
			t.Errorf("renovate.json: %s (%v) finds no pin of docs/versions.md: remove it, or add the pin to internal/versions/components.go", renovate.Rule(i), m.ManagerFilePatterns)
		}
	}
}
