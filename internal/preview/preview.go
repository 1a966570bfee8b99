// Package preview says what both halves make of a service's file in an environment, before anything is published or deployed: the
// stack with its prices and the rights of the pods' role, the objects in Kubernetes, the hosts, and the variables of the pods.
//
// It reads what the CDK app and the cdk8s app make, so nothing here knows what a key of the file means.
package preview

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/review/cost"
)

// Input is what a preview is made of.
type Input struct {
	Service, Environment string
	// Stack is the service's stack; without a name it has none.
	Stack assembly.Stack
	// Shared are stacks with what other services of the environment use, too.
	Shared []assembly.Stack
	// IAM are the statements of the stack's template.
	IAM cfndiff.IAM
	// Objects are those of the service's branch, Fleet those by which Flux follows it.
	Objects, Fleet []manifests.Object
}

// Preview is a service in one environment.
type Preview struct {
	Service     string `json:"service"`
	Environment string `json:"environment"`
	// Stack is the name in CloudFormation; empty if the service asks for nothing in AWS.
	Stack string `json:"stack,omitempty"`
	// Resources of the stack. What has a price comes first.
	Resources []Resource `json:"resources,omitempty"`
	// Rights are what the role of the pods may do.
	Rights []Right `json:"rights,omitempty"`
	// Objects in Kubernetes, the fleet's first.
	Objects []Object `json:"objects"`
	// Hosts are public.
	Hosts []string `json:"hosts,omitempty"`
	// Variables of the containers by name, in order. Their values are not here.
	Variables []Variable `json:"variables,omitempty"`
	Cost      Cost       `json:"cost"`
}

// Resource is a resource of the stack.
type Resource struct {
	// Type is CloudFormation's, such as AWS::RDS::DBInstance.
	Type string `json:"type"`
	// ID is the logical id.
	ID string `json:"id"`
	// Name that the template gives it; empty where CloudFormation makes one up.
	Name string `json:"name,omitempty"`
	// Items are what it costs each month: size and price.
	Items []cost.Line `json:"items,omitempty"`
	// Usage is what of it is paid by use, and Unknown what the table has no price for.
	Usage   []string `json:"usage,omitempty"`
	Unknown []string `json:"unknown,omitempty"`
}

// monthly is the price of all items.
func (r Resource) monthly() float64 { return cost.Bill{Lines: r.Items}.Total() }

// Right is a statement of the role.
type Right struct {
	Actions   []string `json:"actions"`
	Resources []string `json:"resources"`
	Condition any      `json:"condition,omitempty"`
}

// Object is an object in Kubernetes.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Replicas is the number of pods, such as 2 or 2-6; empty for what has none.
	Replicas string `json:"replicas,omitempty"`
	// Requests of one pod, such as "cpu 50m, memory 128Mi".
	Requests string `json:"requests,omitempty"`
}

// Variable is a variable of the containers.
type Variable struct {
	Name string `json:"name"`
	// From is the Secret or the ConfigMap that has the value; empty if the manifest has it.
	From string `json:"from,omitempty"`
}

// Cost is the sum of list prices.
type Cost struct {
	Monthly  float64 `json:"monthly"`
	Currency string  `json:"currency"`
	// Region and Date are those of the table.
	Region string `json:"region"`
	Date   string `json:"date"`
	// Shared are load balancers that other Ingresses of the environment use, too, and instances of databases that other services
	// do: no part of the sum.
	Shared []cost.Line `json:"shared,omitempty"`
}

// Of makes the preview.
func Of(in Input) (Preview, error) {
	prices, err := cost.Table()
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Service: in.Service, Environment: in.Environment, Stack: in.Stack.Name}
	bill := prices.Bill(cost.Input{Stacks: map[string]assembly.Template{in.Stack.Name: in.Stack.Template}})
	p.Resources = resources(in.Stack, bill)
	p.Rights = rights(in.Stack.Template, in.IAM)
	p.Cost = Cost{Monthly: bill.Total(), Currency: prices.Currency, Region: prices.Region, Date: prices.Date}
	for _, stack := range in.Shared {
		lines := prices.Bill(cost.Input{Stacks: map[string]assembly.Template{stack.Name: stack.Template}}).Lines
		p.Cost.Shared = append(p.Cost.Shared, lines...)
	}
	for _, line := range prices.Bill(cost.Input{LoadBalancers: cost.LoadBalancers(manifests.Rendered{
		Kustomizations: []manifests.Kustomization{{Objects: in.Objects}},
	})}).Lines {
		if strings.HasPrefix(line.Where, cost.Group) {
			p.Cost.Shared = append(p.Cost.Shared, line)
			continue
		}
		p.Resources = append(p.Resources, Resource{Type: "Application Load Balancer", Name: line.Where, Items: []cost.Line{line}})
		p.Cost.Monthly += line.Monthly
	}
	for _, o := range slices.Concat(in.Fleet, in.Objects) {
		p.add(o)
	}
	slices.Sort(p.Hosts)
	p.Hosts = slices.Compact(p.Hosts)
	slices.SortFunc(p.Variables, func(a, b Variable) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.From, b.From))
	})
	p.Variables = slices.Compact(p.Variables)
	return p, nil
}

// resources lists what the stack makes, with what each costs.
func resources(stack assembly.Stack, bill cost.Bill) []Resource {
	var all []Resource
	for id, r := range stack.Template.Resources() {
		where := stack.Name + "/" + id
		made := Resource{ID: id, Name: name(r), Usage: of(bill.Usage, where), Unknown: of(bill.Unknown, where)}
		made.Type, _ = r["Type"].(string)
		for _, line := range bill.Lines {
			if line.Where == where {
				made.Items = append(made.Items, line)
			}
		}
		all = append(all, made)
	}
	slices.SortFunc(all, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(b.monthly(), a.monthly()), cmp.Compare(len(b.Usage), len(a.Usage)), strings.Compare(a.Type, b.Type), strings.Compare(a.ID, b.ID))
	})
	return all
}

// of are the texts about a resource, which a bill ends with where they are.
func of(texts []string, where string) []string {
	var found []string
	for _, text := range texts {
		if about, ok := strings.CutSuffix(text, " ("+where+")"); ok {
			found = append(found, about)
		}
	}
	return found
}

// name is the property that names a resource: CloudFormation calls it by the type, as in BucketName and
// DBInstanceIdentifier, or Name.
func name(resource map[string]any) string {
	kind, _ := resource["Type"].(string)
	properties, _ := resource["Properties"].(map[string]any)
	last := kind[strings.LastIndex(kind, ":")+1:]
	for _, property := range []string{last + "Name", last + "Identifier", "Name", "Database"} { // the last of a user's on a shared instance
		if text, ok := properties[property].(string); ok {
			return text
		}
	}
	return ""
}

// reference is how a statement names a resource of the stack.
var reference = regexp.MustCompile(`\$\{([A-Za-z0-9]+)(?:\.Arn)?\}`)

// rights are the statements that the stack's roles hold. Resources of the stack are called by their names.
func rights(t assembly.Template, iam cfndiff.IAM) []Right {
	all := t.Resources()
	named := func(text string) string {
		return reference.ReplaceAllStringFunc(text, func(found string) string {
			return cmp.Or(name(all[reference.FindStringSubmatch(found)[1]]), found)
		})
	}
	var found []Right
	for _, s := range iam.Added {
		held := slices.ContainsFunc(s.Principals.Values, func(principal string) bool {
			match := reference.FindStringSubmatch(strings.TrimPrefix(principal, "AWS:"))
			return match != nil && all[match[1]]["Type"] == "AWS::IAM::Role"
		})
		if s.Effect != "Allow" || !held {
			continue
		}
		right := Right{Actions: targets(s.Actions), Resources: targets(s.Resources), Condition: s.Condition}
		for i, resource := range right.Resources {
			right.Resources[i] = named(resource)
		}
		found = append(found, right)
	}
	return found
}

// targets are what a statement is about, in its own list.
func targets(t cfndiff.Targets) []string {
	values := slices.Clone(t.Values)
	if t.Not {
		values = append([]string{"everything but"}, values...)
	}
	return values
}
