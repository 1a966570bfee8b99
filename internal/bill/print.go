package bill

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/review/cost"
)

// item is what a part has several of, at one price.
type item struct {
	name, checked string
	count         int
	monthly       float64
}

// items are the lines of a part, those of one name together.
func items(lines []cost.Line) []item {
	var all []item
	for _, l := range lines {
		at := slices.IndexFunc(all, func(i item) bool { return i.name == l.Item })
		if at < 0 {
			at, all = len(all), append(all, item{name: l.Item, checked: l.Checked})
		}
		all[at].count++
		all[at].monthly += l.Monthly
	}
	return all
}

// mark follows a price that was not compared with AWS's.
func mark(checked string) string {
	if checked == "" {
		return "*"
	}
	return ""
}

// row is a line of the table: 80 columns. An item has no kind, and its name the room of both.
func row(w io.Writer, name, kind string, monthly float64, marked string) {
	room := 65
	if kind != "" {
		room = 50
		kind = fmt.Sprintf("  %-13s", kind)
	}
	if all := []rune(name); len(all) > room {
		name = string(all[:room-1]) + "…"
	}
	fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-*s%s %12.2f %s", room, name, kind, monthly, marked), " "))
}

// Print writes the bill as two tables: what the templates say, and what is paid by use.
func (b Bill) Print(w io.Writer) {
	p := b.Prices
	fmt.Fprintf(w, "%s: %.2f %s a month at list prices\n\n%-50s  %-13s %12s\n", b.Environment, b.Total, p.Currency, "STACK", "KIND", p.Currency)
	for _, part := range b.Parts {
		row(w, part.Name, string(part.Kind), part.Monthly, "")
		for _, i := range items(part.Lines) {
			name := "  " + i.name
			if i.count > 1 {
				name = fmt.Sprintf("  %d x %s", i.count, i.name)
			}
			row(w, name, "", i.monthly, mark(i.checked))
		}
	}
	row(w, "sum", "", b.Total, "")
	fmt.Fprintf(w, "\nNot in the sum, paid by use; at usual amounts:\n\n%-36s  %-27s %12s\n", "ITEM", "AMOUNT x PRICE", p.Currency)
	for _, u := range b.NotIncluded {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-36s  %-27s %12.2f %s", u.Item, fmt.Sprintf("%g %s x %g", u.Amount, u.Unit, u.Price), u.Monthly, mark(u.Checked)), " "))
	}
	fmt.Fprintf(w, "%-36s  %-27s %12.2f\n", "sum", "", b.Used())
	b.notes(w)
}

// notes writes what the tables leave out, and where the prices come from.
func (b Bill) notes(w io.Writer) {
	fmt.Fprintln(w)
	if len(b.Usage) > 0 {
		var kinds []string
		for _, kind := range slices.Sorted(maps.Keys(b.Usage)) {
			kinds = append(kinds, fmt.Sprintf("%d %s", b.Usage[kind], kind))
		}
		cli.Wrap(w, "", "Paid by use, without a usual amount: "+strings.Join(kinds, ", ")+".")
	}
	for _, unknown := range b.Unknown {
		cli.Wrap(w, "", "Without a price in the table: "+unknown+".")
	}
	if b.Region != b.Prices.Region {
		cli.Wrap(w, "", fmt.Sprintf("The prices are of %s, and %s is in %s.", b.Prices.Region, b.Environment, b.Region))
	}
	cli.Wrap(w, "", fmt.Sprintf("Prices of %s, entered on %s: %s.", b.Prices.Region, b.Prices.Entered, b.Prices.Source))
	if b.unchecked() {
		fmt.Fprintln(w, "* was never compared with AWS's price list.")
	}
}

// unchecked reports whether a price was never compared with AWS's.
func (b Bill) unchecked() bool {
	return slices.ContainsFunc(b.Parts, func(p Part) bool {
		return slices.ContainsFunc(p.Lines, func(l cost.Line) bool { return l.Checked == "" })
	}) || slices.ContainsFunc(b.NotIncluded, func(u Use) bool { return u.Checked == "" })
}
