// Package render writes a review for people: as text for a terminal, and as one Markdown comment for a pull request.
package render

import (
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/review/kubediff"
	"k8s-plus-aws-gitops/internal/review/risk"
)

// half is one of the two halves of the platform.
type half string

const (
	awsHalf        half = "AWS"
	kubernetesHalf half = "Kubernetes"
)

// block is one difference, with all environments in which it is the same but for values: most changes reach every
// environment, and nobody reads them four times.
type block struct {
	half half
	// group is the stack or the Kustomization.
	group string
	// title is the resource or object, and what happens to it.
	title        string
	diff         string
	note         string
	environments []string
	// variants are the lines in which other environments than the first differ.
	variants []variant
	// inner are the objects that a chart makes.
	inner []block
}

// variant is how the lines that come or go read in other environments.
type variant struct {
	environments []string
	lines        string
}

// key is equal for blocks that show the same change: the same lines come and go, but for the values in them. The lines
// around it may differ between environments.
func (b block) key() string {
	parts := []string{string(b.half), b.group, b.title, b.note}
	for _, line := range changedLines(b.diff) {
		parts = append(parts, withoutValue(line))
	}
	for _, inner := range b.inner {
		parts = append(parts, inner.key())
	}
	return strings.Join(parts, "\x00")
}

// changedLines are the lines of a unified difference that come or go.
func changedLines(diff string) []string {
	var changed []string
	for line := range strings.Lines(diff) {
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
			changed = append(changed, line)
		}
	}
	return changed
}

// withoutValue is a line of YAML up to its value: its field, or the dash of a list.
func withoutValue(line string) string {
	if name, _, found := strings.Cut(line, ": "); found {
		return name + ":"
	}
	text := strings.TrimLeft(line[1:], " ")
	if strings.HasPrefix(text, "- ") {
		return line[:len(line)-len(text)] + "-"
	}
	return line
}

// add notes that the change is one in another environment too, with the lines that read otherwise there.
func (b *block) add(environment string, other block) {
	b.environments = append(b.environments, environment)
	own, others := changedLines(b.diff), changedLines(other.diff)
	var lines strings.Builder
	for i := range own {
		if own[i] != others[i] {
			lines.WriteString(others[i])
		}
	}
	if text := lines.String(); text != "" {
		if i := slices.IndexFunc(b.variants, func(v variant) bool { return v.lines == text }); i >= 0 {
			b.variants[i].environments = append(b.variants[i].environments, environment)
		} else {
			b.variants = append(b.variants, variant{[]string{environment}, text})
		}
	}
	for i := range b.inner {
		b.inner[i].add(environment, other.inner[i])
	}
}

// blocks lists the differences of a review, those of one group together.
func blocks(r *review.Review) []block {
	var all []block
	seen := map[string]int{}
	for _, e := range r.Environments {
		for _, b := range environmentBlocks(e) {
			key := b.key()
			if i, known := seen[key]; known {
				all[i].add(e.Name, b)
				continue
			}
			seen[key] = len(all)
			b.environments = []string{e.Name}
			all = append(all, b)
		}
	}
	order := map[string]int{}
	for i, b := range all {
		key := string(b.half) + b.group
		if _, seen := order[key]; !seen {
			order[key] = i
		}
	}
	slices.SortStableFunc(all, func(a, b block) int {
		if a.half != b.half {
			return strings.Compare(string(a.half), string(b.half))
		}
		return order[string(a.half)+a.group] - order[string(b.half)+b.group]
	})
	return all
}

// environmentBlocks lists the differences of one environment.
func environmentBlocks(e review.Environment) []block {
	var all []block
	for _, s := range e.Stacks {
		group := "stack " + s.Part
		if s.Status == review.Removed {
			all = append(all, leftBehind(group, s))
			continue
		}
		for _, r := range s.Resources {
			all = append(all, block{half: awsHalf, group: group, title: resourceTitle(r), diff: r.Text(), note: conditionalNote(r)})
		}
		for _, o := range s.Other {
			all = append(all, block{half: awsHalf, group: group, title: strings.TrimSuffix(o.Section, "s") + " " + o.ID, diff: o.Text()})
		}
	}
	for _, k := range e.Kustomizations {
		for _, c := range k.Objects {
			all = append(all, objectBlock("Kustomization "+k.Name, c))
		}
	}
	return all
}

// leftBehind is the block of a stack that the app no longer has: nothing happens to its resources, so they are named only.
func leftBehind(group string, s review.Stack) block {
	var lines strings.Builder
	for _, r := range s.Resources {
		fmt.Fprintf(&lines, " %s %s\n", r.ID, r.Type)
	}
	return block{
		half: awsHalf, group: group, title: s.Name + ": leaves the app, stays in AWS", diff: lines.String(),
		note: "`cdk deploy` does not delete a stack that it does not know. These resources stay until somebody deletes the stack:",
	}
}

// impacts in words.
var impacts = map[cfndiff.Impact]string{
	cfndiff.Create: "created", cfndiff.Update: "changed", cfndiff.Replace: "REPLACED", cfndiff.MayReplace: "changed, may be replaced",
	cfndiff.Destroy: "DELETED", cfndiff.Orphan: "REMOVED from the stack, stays in AWS", cfndiff.NoChange: "changed without effect",
}

func resourceTitle(r cfndiff.Resource) string {
	impact := impacts[r.Impact]
	if r.Impact == cfndiff.MayReplace && conditionalNote(r) != "" {
		impact = "changed"
	}
	return fmt.Sprintf("%s %s: %s", r.ID, r.Type, impact)
}

// conditionalNote explains a change that CloudFormation's specification calls a conditional replacement and that is none.
func conditionalNote(r cfndiff.Resource) string {
	if r.Impact != cfndiff.MayReplace {
		return ""
	}
	var names []string
	for name, p := range r.Properties {
		if p.Impact != cfndiff.MayReplace {
			continue
		}
		if !risk.InPlace(r.Type, name) {
			return ""
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ") + ": the specification says that this may replace the resource; RDS changes it in place"
}

// objectBlock makes a block of an object.
func objectBlock(group string, c kubediff.Change) block {
	b := block{half: kubernetesHalf, group: group, title: c.Object + ": " + string(c.Action), diff: c.Diff}
	if c.Release == nil {
		return b
	}
	b.title += ", " + versions(*c.Release)
	b.note = c.Release.Note
	for _, inner := range c.Release.Objects {
		b.inner = append(b.inner, objectBlock("chart "+c.Release.Chart, inner))
	}
	return b
}

// versions says how a chart's version moves.
func versions(r kubediff.Release) string {
	switch {
	case r.OldVersion == "":
		return "chart " + r.Chart + " " + r.NewVersion
	case r.NewVersion == "":
		return "chart " + r.Chart + " " + r.OldVersion
	case r.OldVersion == r.NewVersion:
		return "chart " + r.Chart + " stays at " + r.NewVersion
	default:
		return "chart " + r.Chart + " " + r.OldVersion + " to " + r.NewVersion
	}
}
