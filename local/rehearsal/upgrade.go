package rehearsal

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/rehearsal"
	product "k8s-plus-aws-gitops/internal/versions"
	"k8s-plus-aws-gitops/internal/versions/renovate"
	"k8s-plus-aws-gitops/local/system/source"
	"k8s-plus-aws-gitops/local/versions"
)

// kubernetes is the component of docs/versions.md of which the laboratory has one minor version alone.
const kubernetes = "Kubernetes"

// pin is a version in a file, as a rule of renovate.json finds it.
type pin struct {
	renovate.Find
	file string
	// component is its row of docs/versions.md; empty: it has none, such as the constant that moves with a chart.
	component string
}

// pins are those of a name in a checkout: a dependency of renovate.json with or without what is before its last slash, or a row of
// docs/versions.md. What people raise by hand is no part of it.
func pins(ctx context.Context, root, name string) ([]pin, error) {
	c, err := renovate.Load(root)
	if err != nil {
		return nil, err
	}
	files, err := git.Run(ctx, root, nil, "ls-files", "-z")
	if err != nil {
		return nil, err
	}
	rows := map[string][]product.Component{}
	for _, row := range product.Components() {
		rows[row.Pin.File] = append(rows[row.Pin.File], row)
	}
	var all []pin
	for _, file := range strings.Split(strings.Trim(files, "\x00"), "\x00") {
		if c.ByHand(file) {
			continue
		}
		found, err := c.All(file)
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		for _, f := range found {
			p := pin{Find: f, file: file}
			for _, row := range rows[file] {
				if _, start, end, err := row.Pin.Find(root); err == nil && start == f.Start && end == f.End {
					p.component = row.Name
				}
			}
			if slices.ContainsFunc([]string{f.Dependency, path.Base(f.Dependency), p.component}, func(n string) bool { return strings.EqualFold(n, name) }) {
				all = append(all, p)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("--upgrade %s: no rule of renovate.json finds a version of that name: give a name of docs/versions.md, or the dependency's own", name)
	}
	return all, nil
}

// splitUpgrade splits NAME=VERSION; the version may be missing.
func splitUpgrade(upgrade string) (name, version string) {
	name, version, _ = strings.Cut(upgrade, "=")
	return strings.TrimSpace(name), strings.TrimSpace(version)
}

// makeUpgrade commits the upgrade in the scratch, which is at the base, and is again.
func (c *change) makeUpgrade(ctx context.Context, s *scratch, o Options, gitDir string) error {
	name, version := splitUpgrade(o.Upgrade)
	all, err := pins(ctx, s.repo(), name)
	if err != nil {
		return err
	}
	if version == "" {
		return fmt.Errorf("--upgrade %s: nothing differs from %.8s, which has %s: give the version, --upgrade %[1]s=VERSION", name, c.base, all[0].Version)
	}
	chosen, err := choose(all, name, version)
	if err != nil {
		return err
	}
	if err := runs(s.repo(), chosen, version); err != nil {
		return err
	}
	if err := replace(s.repo(), chosen, version); err != nil {
		return err
	}
	b := source.Builder{Repo: s.repo(), Bare: gitDir, Scratch: filepath.Join(s.root, "upgrade.git")}
	c.subject = "Upgrade " + name + " to " + version
	if c.Commit, err = b.Build(ctx, "Rehearse: "+c.subject); err != nil {
		return err
	}
	if err := b.Push(ctx, c.Commit, gitDir); err != nil {
		return err
	}
	_, err = git.Run(ctx, s.repo(), nil, "checkout", "--quiet", "--force", "--detach", c.base)
	return err
}

// choose picks those pins that get the version: a chart and all that has the chart's version, or what is written like the new one.
func choose(all []pin, name, version string) ([]pin, error) {
	like := func(p pin) bool { return strings.Count(p.Version, ".") == strings.Count(version, ".") }
	if i := slices.IndexFunc(all, func(p pin) bool { return p.Datasource == "helm" }); i >= 0 {
		chart := all[i].Version
		like = func(p pin) bool { return bare(p.Version) == bare(chart) }
	}
	var chosen []pin
	locked := ""
	for _, p := range all {
		if !like(p) || bare(p.Version) == bare(version) {
			continue
		}
		if !strings.HasPrefix(p.Rule, "customManagers[") {
			locked = p.file // its lock file changes as well
			continue
		}
		chosen = append(chosen, p)
	}
	switch {
	case len(chosen) > 0:
	case locked != "":
		return nil, fmt.Errorf("--upgrade %s: %s has a lock file: raise it with its own tool, and rehearse that", name, locked)
	default:
		return nil, fmt.Errorf("--upgrade %s=%s: the base has %s in %s, of which nothing would change", name, version, all[0].Version, all[0].file)
	}
	return chosen, nil
}

func bare(version string) string { return strings.TrimPrefix(version, "v") }

// replace writes a version in the place of others, and the generated tables anew.
func replace(root string, chosen []pin, version string) error {
	slices.SortFunc(chosen, func(a, b pin) int { return b.Start - a.Start }) // from the end, so that places stay
	for _, p := range chosen {
		file := filepath.Join(root, filepath.FromSlash(p.file))
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text := bare(version)
		if strings.HasPrefix(p.Version, "v") {
			text = "v" + text
		}
		if err := os.WriteFile(file, slices.Concat(content[:p.Start], []byte(text), content[p.End:]), 0o600); err != nil {
			return err
		}
	}
	for file, document := range map[string]func(string) ([]byte, error){"docs/versions.md": product.Document, "local/versions.md": versions.Document} {
		file = filepath.Join(root, filepath.FromSlash(file))
		if _, err := os.Stat(file); err != nil {
			continue
		}
		content, err := document(root)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// runs refuses an upgrade of which nothing can run here.
func runs(root string, chosen []pin, version string) error {
	if !slices.ContainsFunc(chosen, func(p pin) bool { return p.component == kubernetes }) {
		return nil
	}
	for _, c := range versions.Components() {
		if c.Of != kubernetes {
			continue
		}
		here, _, _, err := c.Pin.Find(root)
		if err != nil || strings.HasPrefix(bare(here)+".", bare(version)+".") {
			return err
		}
		return fmt.Errorf("--upgrade %s=%s: nothing of it can run here: the laboratory runs %s, as %s pins it", kubernetes, version, here, c.Pin.File)
	}
	return nil
}

// upgraded finds what the change upgrades, whoever made it: what of it cannot run here is noted, and what can be told without a system
// is checked.
func (r *run) upgraded(ctx context.Context) error {
	name, version := splitUpgrade(r.Upgrade)
	before, err := pins(ctx, r.scratch.repo(), name)
	if err != nil {
		return err
	}
	old, err := contents(r.scratch.repo(), before)
	if err != nil {
		return err
	}
	if err := r.scratch.checkout(ctx, r.change.ID); err != nil {
		return err
	}
	after, err := pins(ctx, r.scratch.repo(), name)
	if err != nil {
		return err
	}
	var changed []pin
	for _, p := range after {
		if !slices.ContainsFunc(before, func(was pin) bool { return was.file == p.file && was.Rule == p.Rule && was.Version == p.Version }) {
			changed = append(changed, p)
		}
	}
	if len(changed) == 0 || version != "" && !slices.ContainsFunc(changed, func(p pin) bool { return bare(p.Version) == bare(version) }) {
		return fmt.Errorf("--upgrade %s: the change does not bring it: the base has %s, in %s; leave --upgrade out, or commit the change elsewhere", r.Upgrade, before[0].Version, before[0].file)
	}
	for _, p := range changed {
		if err := runs(r.scratch.repo(), []pin{p}, p.Version); err != nil {
			return err
		}
		if err := r.tellLaboratory(p); err != nil {
			return err
		}
	}
	for _, p := range after {
		if p.component != "" && !slices.Contains(changed, p) {
			r.note(fmt.Sprintf("a new version of %s: %s stays in %s", p.component, p.Version, p.file))
		}
	}
	updated, err := contents(r.scratch.repo(), changed)
	if err != nil {
		return err
	}
	for file, content := range updated {
		if err := r.checkChart(old[file], content, file); err != nil {
			return err
		}
	}
	return r.scratch.checkout(ctx, r.change.base)
}

// contents are the files of pins by their names.
func contents(root string, all []pin) (map[string][]byte, error) {
	found := map[string][]byte{}
	for _, p := range all {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.file)))
		if err != nil {
			return nil, err
		}
		found[p.file] = content
	}
	return found, nil
}

// tellLaboratory notes where the laboratory runs another version than a pin's.
func (r *run) tellLaboratory(p pin) error {
	for _, c := range versions.Components() {
		if p.component == "" || c.Of != p.component || c.Of == kubernetes {
			continue
		}
		here := "nothing of it"
		if c.Pin.File != "" {
			version, _, _, err := c.Pin.Find(r.scratch.repo())
			if err != nil {
				return err
			}
			if bare(version) == bare(p.Version) {
				continue
			}
			here = version + ", as " + c.Pin.File + " pins it"
		}
		text := fmt.Sprintf("%s %s at work: the laboratory runs %s", p.component, p.Version, here)
		if c.Why != "" {
			text += " (" + c.Why + ")"
		}
		r.note(text)
	}
	return nil
}

// checkChart compares the charts of a file before and after. Where a chart is out of reach the result says so instead.
func (r *run) checkChart(before, after []byte, file string) error {
	if !strings.HasPrefix(file, "k8s/") || path.Ext(file) != ".yaml" {
		return nil
	}
	away := ""
	harms, err := manifests.Upgrade(before, after, manifests.ReleasedCharts(r.scratch.repo(), func(text string) { away = text }))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if away != "" { // what was compared is another version
		text, _, _ := strings.Cut(away, "; its values")
		r.note("values and APIs of the new chart: " + text)
		return nil
	}
	for _, h := range harms {
		r.result.Checks = append(r.result.Checks, rehearsal.Finding{Broke: true, What: h.What, Where: h.Where, Detail: h.Detail})
	}
	return nil
}
