// Package bill says what an environment costs each month at list prices, by its stacks, from the table that the review uses.
// What is paid by use is not in the sum: it is listed with usual amounts.
package bill

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/review/cost"
	"k8s-plus-aws-gitops/internal/services"
)

// Kind is whose a part is.
type Kind string

// The kinds, in the order in which they are listed.
const (
	Platform    Kind = "platform"
	Application Kind = "application"
	Service     Kind = "service"
	Balancer    Kind = "load balancer"
)

// Part is a stack, or a load balancer, which the cluster makes.
type Part struct {
	Name    string      `json:"name"`
	Kind    Kind        `json:"kind"`
	Monthly float64     `json:"monthly"`
	Lines   []cost.Line `json:"lines,omitempty"`
}

// Use is what is paid by use, at a usual amount.
type Use struct {
	Item string `json:"item"`
	// Amount of a month in Unit, Price of one, and their product.
	Amount  float64 `json:"amount"`
	Unit    string  `json:"unit"`
	Price   float64 `json:"price"`
	Monthly float64 `json:"monthly"`
	// Checked is the day on which the price was compared with AWS's, YYYY-MM-DD; empty: it never was.
	Checked string `json:"checked,omitempty"`
}

// Bill is what an environment costs each month.
type Bill struct {
	Environment string  `json:"environment"`
	Region      string  `json:"region"`
	Parts       []Part  `json:"parts"`
	Total       float64 `json:"total"`
	// NotIncluded is paid by use, and in no sum.
	NotIncluded []Use `json:"notIncluded"`
	// Usage are resources paid by use without a usual amount, and how many of each type.
	Usage map[string]int `json:"usage,omitempty"`
	// Unknown are resources without a price in the table.
	Unknown []string `json:"unknown,omitempty"`
	Prices  Prices   `json:"prices"`
}

// Prices says where the prices come from.
type Prices struct {
	// Entered is the day on which they were entered, YYYY-MM-DD; Region is theirs, whatever the environment's is.
	Entered  string `json:"entered"`
	Region   string `json:"region"`
	Currency string `json:"currency"`
	Source   string `json:"source"`
}

// Input is what a bill is made of.
type Input struct {
	Env config.Environment
	// Stacks by part, as they are synthesized.
	Stacks map[string]assembly.Stack
	// Services that have a stack of their own.
	Services []string
	// LoadBalancers that the Ingresses ask for.
	LoadBalancers []string
}

// New makes the bill of an environment.
func New(p cost.Prices, in Input) Bill {
	b := Bill{Environment: in.Env.Name, Region: in.Env.Region, Usage: map[string]int{}, Prices: Prices{Entered: p.Date, Region: p.Region, Currency: p.Currency, Source: p.Source}}
	resources := map[string]int{cost.LoadBalancer: len(in.LoadBalancers)}
	for _, name := range slices.Sorted(maps.Keys(in.Stacks)) {
		kind := Application
		switch {
		case slices.Contains(services.ReservedStacks, name):
			kind = Platform
		case slices.Contains(in.Services, name):
			kind = Service
		}
		template := in.Stacks[name].Template
		b.add(kind, in.Stacks[name].Name, p.Bill(cost.Input{Stacks: map[string]assembly.Template{name: template}}))
		for _, r := range template.Resources() {
			kind, _ := r["Type"].(string)
			resources[kind]++
		}
	}
	for _, name := range in.LoadBalancers {
		b.add(Balancer, name, p.Bill(cost.Input{LoadBalancers: []string{name}}))
	}
	order := []Kind{Platform, Application, Service, Balancer}
	slices.SortStableFunc(b.Parts, func(a, c Part) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, c.Kind)), strings.Compare(a.Name, c.Name))
	})
	b.use(p, resources, len(in.Env.Zones()))
	return b
}

// add adds a part.
func (b *Bill) add(kind Kind, name string, of cost.Bill) {
	b.Parts = append(b.Parts, Part{Name: name, Kind: kind, Monthly: of.Total(), Lines: of.Lines})
	b.Total += of.Total()
	b.Unknown = append(b.Unknown, of.Unknown...)
}

// use adds what is paid by use: with its usual amount, or by its type.
func (b *Bill) use(p cost.Prices, resources map[string]int, zones int) {
	usual := map[string]bool{}
	for _, u := range p.Usual {
		usual[u.Of] = true
		count := resources[u.Of]
		if count == 0 {
			continue
		}
		amount := u.Amount
		switch u.Each {
		case cost.EachResource:
			amount *= float64(count)
		case cost.EachZone:
			amount *= float64(count * zones)
		}
		price, _ := p.Price(u.Price) // a test holds that it is there
		b.NotIncluded = append(b.NotIncluded, Use{Item: u.Item, Amount: amount, Unit: u.Unit, Price: price, Monthly: amount * price, Checked: p.Checked[u.Price]})
	}
	for _, kind := range p.Usage {
		if count := resources[kind]; count > 0 && !usual[kind] {
			b.Usage[kind] = count
		}
	}
}

// Used is the sum of what is not included.
func (b Bill) Used() float64 {
	sum := 0.0
	for _, u := range b.NotIncluded {
		sum += u.Monthly
	}
	return sum
}
