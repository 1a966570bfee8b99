package promotion

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// longest is how many lines of a list are printed; the page on GitHub shows all.
const longest = 20

// Write prints the promotion as Markdown, which a pull request's description takes as it is.
func (p *Promotion) Write(w io.Writer) {
	fmt.Fprintf(w, "# Promote %s to %s\n\n", p.From.Name, p.To.Name)
	if len(p.Commits) == 0 {
		fmt.Fprintf(w, "Nothing: branch %s has everything that %s has.\n", p.To.Branch, p.From.Branch)
		return
	}
	fmt.Fprintf(w, "From branch `%s` (%.8s) to branch `%s` (%.8s): %d commits, %d files.\n", p.From.Branch, p.Head, p.To.Branch, p.Base, len(p.Commits), len(p.Files))
	section(w, "Commits", p.Commits)
	changes(w, "Settings of "+p.To.Name, p.Settings)
	var started []string
	for _, name := range slices.Sorted(maps.Keys(p.Pipelines)) {
		line := fmt.Sprintf("`%s-%s`, because of %s", p.To.Name, name, p.Pipelines[name][0])
		if more := len(p.Pipelines[name]) - 1; more > 0 {
			line += fmt.Sprintf(" and %d more", more)
		}
		started = append(started, line)
	}
	if p.To.Delivery.Approval && len(p.Pipelines) > 0 {
		started = append(started, "deployments wait for approval after `cdk diff`")
	}
	section(w, "Pipelines that the merge starts", started)
	changes(w, "Image", p.Images)
	if p.Behind {
		fmt.Fprintf(w, "\n%s runs other images than %s names. Before the pull request, to take them over: `bin/gitops promotion %s %s --write`.\n",
			p.From.Name, imagesFile(p.To), p.From.Name, p.To.Name)
	}
	changes(w, "Charts", p.Charts)
	section(w, "Manifests", p.Manifests)
	fmt.Fprintf(w, "\nWhat changes in the stacks and in the cluster: `bin/gitops review --base origin/%s` on branch `%s`.\n", p.To.Branch, p.From.Branch)
	fmt.Fprintf(w, "Open the pull request: %s\n", p.Compare)
}

// section prints a list under a heading, if there is anything in it.
func section(w io.Writer, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## %s\n\n", heading)
	for i, line := range lines {
		if i == longest {
			fmt.Fprintf(w, "- and %d more\n", len(lines)-longest)
			break
		}
		fmt.Fprintf(w, "- %s\n", line)
	}
}

// changes prints changed values.
func changes(w io.Writer, heading string, list []Change) {
	lines := make([]string, len(list))
	for i, c := range list {
		switch {
		case c.Old == "":
			lines[i] = fmt.Sprintf("`%s`: `%s`", c.Name, c.New)
		case c.New == "":
			lines[i] = fmt.Sprintf("`%s`: no longer `%s`", c.Name, c.Old)
		default:
			lines[i] = fmt.Sprintf("`%s`: `%s` to `%s`", c.Name, c.Old, c.New)
		}
	}
	section(w, heading, lines)
}
