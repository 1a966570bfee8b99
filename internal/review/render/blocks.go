// Package render writes a review for people: as text for a terminal, and as one Markdown comment for a pull request.
package render

import (
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/objects"
	"k8s-plus-aws-gitops/internal/review/risk"
	"k8s-plus-aws-gitops/internal/review/template"
)

// half is one of the two halves of the platform.
type half string

const (
	awsHalf        half = "AWS"
	kubernetesHalf half = "Kubernetes"
)

// block is one difference, with all environments in which it is the same: most changes reach every environment, and
// nobody reads them four times.
type block struct {
	half half
	// group is the stack or the Kustomization.
	group string
	// title is the resource or object, and what happens to it.
	title        string
	diff         string
	note         string
	environments []string
	// inner are the objects that a chart makes.
	inner []block
}

// key is equal for blocks that show the same change; the lines around it may differ between environments.
func (b block) key() string {
	parts := []string{string(b.half), b.group, b.title, b.note, changedLines(b.diff)}
	for _, inner := range b.inner {
		parts = append(parts, inner.key())
	}
	return strings.Join(parts, "\x00")
}

// changedLines are the lines of a unified difference that come or go.
func changedLines(diff string) string {
	var text strings.Builder
	for line := range strings.Lines(diff) {
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
			text.WriteString(line)
		}
	}
	return text.String()
}

// blocks lists the differences of a review, those of one group together.
func blocks(r *review.Review) []block {
	var all []block
	seen := map[string]int{}
	for _, e := range r.Environments {
		for _, b := range environmentBlocks(e) {
			key := b.key()
			if i, known := seen[key]; known {
				all[i].environments = append(all[i].environments, e.Name)
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
var impacts = map[template.Impact]string{
	template.Create: "created", template.Update: "changed", template.Replace: "REPLACED", template.MayReplace: "changed, may be replaced",
	template.Destroy: "DELETED", template.Orphan: "REMOVED from the stack, stays in AWS", template.NoChange: "changed without effect",
}

func resourceTitle(r template.Resource) string {
	impact := impacts[r.Impact]
	if r.Impact == template.MayReplace && conditionalNote(r) != "" {
		impact = "changed"
	}
	return fmt.Sprintf("%s %s: %s", r.ID, r.Type, impact)
}

// conditionalNote explains a change that CloudFormation's specification calls a conditional replacement and that is none.
func conditionalNote(r template.Resource) string {
	if r.Impact != template.MayReplace {
		return ""
	}
	var names []string
	for name, p := range r.Properties {
		if p.Impact != template.MayReplace {
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
func objectBlock(group string, c objects.Change) block {
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
func versions(r objects.Release) string {
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
