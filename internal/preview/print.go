package preview

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/cli"
)

// Print writes the preview for people.
func (p Preview) Print(w io.Writer) {
	p.printAWS(w)
	p.printObjects(w)
	p.printPods(w)
	fmt.Fprintf(w, "\nLIST PRICE %.2f %s a month, in %s on %s\n", p.Cost.Monthly, p.Cost.Currency, p.Cost.Region, p.Cost.Date)
	cli.Wrap(w, "  ", "not in it: what is paid by use, and the nodes that the pods run on")
	for _, line := range p.Cost.Shared {
		cli.Wrap(w, "  ", fmt.Sprintf("not in it: %s of %s, %.2f %s, which others share", line.Item, line.Where, line.Monthly, p.Cost.Currency))
	}
}

func (p Preview) printAWS(w io.Writer) {
	if p.Stack == "" {
		cli.Wrap(w, "", fmt.Sprintf("%s asks for nothing in AWS in %s: its file has no key aws there.", p.Service, p.Environment))
	} else {
		fmt.Fprintf(w, "AWS: stack %s, %d resources\n", p.Stack, len(p.Resources))
	}
	if len(p.Resources) == 0 {
		return
	}
	fmt.Fprintf(w, "  %-32s  %-32s  %10s\n", "TYPE", "NAME", p.Cost.Currency+"/MONTH")
	var parts []string
	for _, r := range p.Resources {
		if r.price() == "-" && r.Name == "" {
			parts = append(parts, strings.TrimPrefix(r.Type, "AWS::"))
			continue
		}
		row(w, strings.TrimPrefix(r.Type, "AWS::"), cmp.Or(r.Name, "-"), r.price())
		if len(r.Items) == 1 && !strings.ContainsAny(r.Items[0].Item, "0123456789") {
			continue // says no more than the type
		}
		for _, item := range r.Items {
			fmt.Fprintf(w, "    %-64s  %10.2f\n", item.Item, item.Monthly)
		}
	}
	if len(parts) > 0 {
		cli.Wrap(w, "  ", "and, without a price: "+strings.Join(parts, ", "))
	}
	p.printRights(w)
}

// price is the last column.
func (r Resource) price() string {
	switch {
	case len(r.Unknown) > 0:
		return "unknown"
	case len(r.Items) > 0:
		return fmt.Sprintf("%.2f", r.monthly())
	case len(r.Usage) > 0:
		return "by use"
	default:
		return "-"
	}
}

func (p Preview) printRights(w io.Writer) {
	if len(p.Rights) == 0 {
		return
	}
	fmt.Fprintf(w, "\nThe role of the pods may\n")
	for _, r := range p.Rights {
		text := strings.Join(r.Actions, ", ") + " on " + strings.Join(r.Resources, ", ")
		if r.Condition != nil {
			condition, _ := json.Marshal(r.Condition)
			text += " if " + string(condition)
		}
		cli.Wrap(w, "  ", text)
	}
}

// row writes three columns. A name that does not fit has its own line.
func row(w io.Writer, kind, name, price string) {
	if len(kind) > 32 || len(name) > 32 {
		fmt.Fprintf(w, "  %s\n", kind)
		if len(name) > 64 {
			fmt.Fprintf(w, "    %s\n", name)
			name = ""
		}
		fmt.Fprintf(w, "    %-64s  %10s\n", name, price)
		return
	}
	fmt.Fprintf(w, "  %-32s  %-32s  %10s\n", kind, name, price)
}

func (p Preview) printObjects(w io.Writer) {
	fmt.Fprintf(w, "\nKUBERNETES: %d objects\n  %-19s  %-34s  %-7s  %s\n", len(p.Objects), "KIND", "NAME", "PODS", "EACH")
	for _, o := range p.Objects {
		name := o.Name
		if o.Namespace != "" {
			name = o.Namespace + "/" + name
		}
		each := strings.NewReplacer("cpu ", "", "memory ", "", ", ", " ").Replace(o.Requests)
		line := strings.TrimRight(fmt.Sprintf("  %-19s  %-34s  %-7s  %s", o.Kind, name, o.Replicas, each), " ")
		fmt.Fprintln(w, line)
	}
}

func (p Preview) printPods(w io.Writer) {
	if len(p.Hosts) == 0 {
		fmt.Fprintf(w, "\nHOSTS none: %s is not public\n", p.Service)
	} else {
		fmt.Fprintf(w, "\nHOSTS %s\n", strings.Join(p.Hosts, ", "))
	}
	if len(p.Variables) == 0 {
		fmt.Fprintf(w, "VARIABLES none\n")
		return
	}
	fmt.Fprintln(w, "VARIABLES")
	sources := map[string][]string{}
	var order []string
	for _, v := range p.Variables {
		from := cmp.Or(v.From, "the manifest")
		if !slices.Contains(order, from) {
			order = append(order, from)
		}
		sources[from] = append(sources[from], v.Name)
	}
	slices.Sort(order)
	for _, from := range order {
		cli.Wrap(w, "  ", "of "+from+": "+strings.Join(sources[from], ", "))
	}
}
