// Package cost estimates what a change adds to an environment's monthly bill, from one dated table of list prices. What
// the table does not know is named, never guessed; what is paid by use (traffic, storage that grows, requests) is left out.
package cost

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"
)

//go:embed prices.yaml
var table []byte

// Prices is the table.
type Prices struct {
	// Date on which the prices were entered, YYYY-MM-DD.
	Date string `json:"date"`
	// Region that they are of, whatever the environment's region is.
	Region   string `json:"region"`
	Currency string `json:"currency"`
	// Source says where they come from and whether they were checked.
	Source string `json:"source"`
	// HoursPerMonth turns hourly prices into monthly ones.
	HoursPerMonth float64            `json:"hoursPerMonth"`
	Hourly        map[string]float64 `json:"hourly"`
	Monthly       map[string]float64 `json:"monthly"`
	// PerGB is paid by use: named beside what uses it, never added up.
	PerGB map[string]float64 `json:"perGB"`
	// Storage per GiB and month.
	Storage         map[string]float64            `json:"storage"`
	Instances       map[string]float64            `json:"instances"`
	Databases       map[string]map[string]float64 `json:"databases"`
	StandardSupport []string                      `json:"standardSupport"`
	// Free and Usage are resource types without a price, and those paid by use.
	Free  []string `json:"free"`
	Usage []string `json:"usage"`
}

// Table returns the prices.
var Table = sync.OnceValues(func() (Prices, error) {
	var p Prices
	if err := yaml.UnmarshalStrict(table, &p); err != nil {
		return p, fmt.Errorf("internal/review/cost/prices.yaml: %w", err)
	}
	return p, nil
})

// free tells whether a resource type costs nothing itself. Custom resources are calls of a function.
func (p Prices) free(resourceType string) bool {
	return strings.HasPrefix(resourceType, "Custom::") || slices.Contains(p.Free, resourceType)
}
