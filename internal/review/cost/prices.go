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
	Caches          map[string]map[string]float64 `json:"caches"`
	StandardSupport []string                      `json:"standardSupport"`
	// PerUse is paid by use, too, by what it is counted in.
	PerUse map[string]float64 `json:"perUse"`
	// Usual are the amounts of what is paid by use.
	Usual []Usual `json:"usual"`
	// Checked is the day on which a price was compared with AWS's list, YYYY-MM-DD, by its key, such as hourly.natGateway. A
	// price that is not here never was.
	Checked map[string]string `json:"checked"`
	// Free and Usage are resource types without a price, and those paid by use.
	Free  []string `json:"free"`
	Usage []string `json:"usage"`
}

// Usual is what an environment usually uses of something in a month.
type Usual struct {
	// Item is what is paid for.
	Item string `json:"item"`
	// Of is the type of the resource that makes the item, or loadBalancer. Without one there is no item.
	Of string `json:"of"`
	// Each multiplies the amount by the number of those, and with zone by that of the environment's zones as well.
	Each Each `json:"each"`
	// Amount in a month, in Unit.
	Amount float64 `json:"amount"`
	Unit   string  `json:"unit"`
	// Price is a key of the table.
	Price string `json:"price"`
}

// Each is what an amount is of.
type Each string

// Whom an amount is of; left out: the environment's.
const (
	EachResource Each = "resource"
	EachZone     Each = "zone"
)

// LoadBalancer is the Of of what load balancers use, which no template has.
const LoadBalancer = "loadBalancer"

// Price returns the price of a key, such as hourly.natGateway or databases.mysql.db.t4g.small.
func (p Prices) Price(key string) (float64, bool) {
	section, name, _ := strings.Cut(key, ".")
	table := map[string]map[string]float64{
		"hourly": p.Hourly, "monthly": p.Monthly, "perGB": p.PerGB, "perUse": p.PerUse, "storage": p.Storage, "instances": p.Instances,
	}[section]
	if engines := map[string]map[string]map[string]float64{"databases": p.Databases, "caches": p.Caches}[section]; engines != nil {
		section, name, _ = strings.Cut(name, ".")
		table = engines[section]
	}
	price, known := table[name]
	return price, known
}

// Month is the price of a key for a month: what is paid by the hour is paid for all of them.
func (p Prices) Month(key string) (float64, bool) {
	price, known := p.Price(key)
	switch section, _, _ := strings.Cut(key, "."); section {
	case "hourly", "instances", "databases", "caches":
		price *= p.HoursPerMonth
	}
	return price, known
}

// Table returns the prices.
var Table = sync.OnceValues(func() (Prices, error) {
	var p Prices
	if err := yaml.UnmarshalStrict(table, &p); err != nil {
		return p, fmt.Errorf("internal/review/cost/prices.yaml: %w", err)
	}
	return p, nil
})

// Paid reports whether a resource of the type is paid for itself, by the hour or by use.
func (p Prices) Paid(resourceType string) bool { return !p.isFree(resourceType) }

// isFree tells whether a resource type costs nothing itself. Custom resources are calls of a function.
func (p Prices) isFree(resourceType string) bool {
	return strings.HasPrefix(resourceType, "Custom::") || slices.Contains(p.Free, resourceType)
}
