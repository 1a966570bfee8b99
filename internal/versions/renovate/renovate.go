// Package renovate reads renovate.json as Renovate does, so that tests can tell which of its rules find a pinned version.
package renovate

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Configuration is what is read of renovate.json.
type Configuration struct {
	root            string
	EnabledManagers []string
	PackageRules    []struct {
		MatchFileNames, MatchDepTypes, MatchPackageNames []string
		Enabled                                          *bool
		DependencyDashboardApproval                      bool
	}
	CustomManagers []Manager
}

// Manager is a rule with regular expressions.
type Manager struct {
	CustomType, MatchStringsStrategy                         string
	ManagerFilePatterns, MatchStrings                        []string
	DepNameTemplate, PackageNameTemplate, DatasourceTemplate string
}

// Load reads the configuration of a repository.
func Load(root string) (Configuration, error) {
	c := Configuration{root: root}
	content, err := os.ReadFile(filepath.Join(root, "renovate.json"))
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(content, &c); err != nil {
		return c, fmt.Errorf("renovate.json: %w", err)
	}
	return c, nil
}

// builtin are Renovate's own managers: the files that they read by default, and what a version looks like there.
// https://docs.renovatebot.com/modules/manager/
var builtin = map[string][2]string{
	"gomod":            {`(^|/)go\.mod$`, `(?m)^(?:require |\t)(?P<depName>\S+\.\S+/\S+) (?P<currentValue>v\S+)(?P<indirect> // indirect)?$|^(?P<depName>go) (?P<currentValue>[0-9.]+)$`},
	"npm":              {`(^|/)package\.json$`, `(?m)^    "(?P<depName>[@a-z0-9/-]+)": "(?P<currentValue>[0-9][0-9a-z.-]*)"`},
	"pip_requirements": {`(^|/)[\w-]*requirements([-._]\w+)?\.(txt|pip)$`, `(?m)^(?P<depName>[\w-]+)==(?P<currentValue>\S+)$`},
}

// Find is one version that Renovate finds: by which rule, and where it asks for newer ones. Start and End are the version's bytes
// in the file.
type Find struct {
	Rule, Dependency, Datasource, Version string
	Start, End                            int
}

// Rule names a manager by its place in the file.
func Rule(i int) string { return fmt.Sprintf("customManagers[%d]", i) }

// Reads reports whether a manager reads a file.
func (m Manager) Reads(file string) bool {
	return slices.ContainsFunc(m.ManagerFilePatterns, func(p string) bool {
		return regexp.MustCompile(strings.Trim(p, "/")).MatchString(file)
	})
}

// Finds are what Renovate's managers find at a place of a file. Its regular expressions are those of RE2, as Go's are.
func (c Configuration) Finds(file string, start, end int) ([]Find, error) {
	all, err := c.All(file)
	return slices.DeleteFunc(all, func(f Find) bool { return f.Start != start || f.End != end }), err
}

// ByHand reports whether a rule leaves the versions of a file to people.
func (c Configuration) ByHand(file string) bool {
	for _, rule := range c.PackageRules {
		if rule.DependencyDashboardApproval && slices.ContainsFunc(rule.MatchFileNames, func(p string) bool { return glob(p).MatchString(file) }) {
			return true
		}
	}
	return false
}

// All are what Renovate's managers find in a file.
func (c Configuration) All(file string) ([]Find, error) {
	raw, err := os.ReadFile(filepath.Join(c.root, filepath.FromSlash(file)))
	if err != nil {
		return nil, err
	}
	s := search{Configuration: c, content: string(raw)}
	whole := [2]int{0, len(s.content)}
	for name, b := range builtin {
		if slices.Contains(c.EnabledManagers, name) && regexp.MustCompile(b[0]).MatchString(file) {
			s.add(Find{Rule: name, Datasource: name}, regexp.MustCompile(b[1]), whole)
		}
	}
	for i, m := range c.CustomManagers {
		if m.Reads(file) {
			if err := s.custom(Find{Rule: Rule(i), Dependency: m.DepNameTemplate, Datasource: m.DatasourceTemplate}, m, whole); err != nil {
				return nil, fmt.Errorf("%s: %w", Rule(i), err)
			}
		}
	}
	return s.all, nil
}

// search is a look at a text.
type search struct {
	Configuration
	content string
	all     []Find
}

// custom adds what a manager's patterns find.
func (s *search) custom(f Find, m Manager, whole [2]int) error {
	patterns := make([]*regexp.Regexp, len(m.MatchStrings))
	for i, text := range m.MatchStrings {
		compiled, err := regexp.Compile(text)
		if err != nil {
			return err
		}
		patterns[i] = compiled
	}
	parts := [][2]int{whole}
	if m.MatchStringsStrategy == "recursive" { // each pattern within what the one before matched
		for ; len(patterns) > 1; patterns = patterns[1:] {
			parts = narrow(s.content, patterns[0], parts)
		}
	}
	for _, pattern := range patterns {
		for _, part := range parts {
			s.add(f, pattern, part)
		}
	}
	return nil
}

// add adds the matches of a pattern.
func (s *search) add(of Find, pattern *regexp.Regexp, within [2]int) {
	for _, m := range pattern.FindAllStringSubmatchIndex(s.content[within[0]:within[1]], -1) {
		f, indirect := of, false
		for i, name := range pattern.SubexpNames() {
			if m[2*i] < 0 {
				continue
			}
			from, to := within[0]+m[2*i], within[0]+m[2*i+1]
			switch name {
			case "currentValue":
				f.Version, f.Start, f.End = s.content[from:to], from, to
			case "depName":
				f.Dependency = s.content[from:to]
			case "datasource":
				f.Datasource = s.content[from:to]
			case "indirect":
				indirect = true
			}
		}
		if of.Rule == "npm" && !depends(s.content, f.Dependency) || indirect && !s.enablesIndirect(f.Dependency) {
			continue
		}
		if f.Version != "" {
			s.all = append(s.all, f)
		}
	}
}

// narrow lists the matches of a pattern within parts of a text.
func narrow(content string, pattern *regexp.Regexp, parts [][2]int) [][2]int {
	var all [][2]int
	for _, part := range parts {
		for _, m := range pattern.FindAllStringIndex(content[part[0]:part[1]], -1) {
			all = append(all, [2]int{part[0] + m[0], part[0] + m[1]})
		}
	}
	return all
}

// depends reports whether a package.json has a dependency under a key that npm's manager reads.
func depends(content, name string) bool {
	var file struct{ Dependencies, DevDependencies, OptionalDependencies map[string]string }
	if json.Unmarshal([]byte(content), &file) != nil {
		return false
	}
	return file.Dependencies[name] != "" || file.DevDependencies[name] != "" || file.OptionalDependencies[name] != ""
}

// enablesIndirect reports whether a rule enables a module that go.mod marks as indirect, as it does those of tools: without
// one Renovate leaves it alone. Names are globs.
func (c Configuration) enablesIndirect(module string) bool {
	for _, rule := range c.PackageRules {
		if rule.Enabled == nil || !*rule.Enabled || !slices.Contains(rule.MatchDepTypes, "indirect") {
			continue
		}
		for _, pattern := range rule.MatchPackageNames {
			if glob(pattern).MatchString(module) {
				return true
			}
		}
	}
	return false
}

// glob is a pattern of names.
func glob(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.NewReplacer(`\*\*`, `.*`, `\*`, `[^/]*`).Replace(regexp.QuoteMeta(pattern)) + "$")
}

// One fails for a version that is not found exactly once, with a name and a source to ask.
func (c Configuration) One(file string, start, end int) (Find, error) {
	found, err := c.Finds(file, start, end)
	switch {
	case err != nil:
		return Find{}, err
	case len(found) != 1:
		return Find{}, fmt.Errorf("%s: the version must be found by one rule of renovate.json, got %v", file, found)
	case found[0].Dependency == "" || found[0].Datasource == "":
		return Find{}, fmt.Errorf("%s: the rule needs a name and a datasource, got %+v", file, found[0])
	}
	return found[0], nil
}
