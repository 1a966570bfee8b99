// Package versions makes docs/versions.md: every component whose version the repository pins. Versions are read from the files that pin them; a pin is a file and a regular expression with one group.
package versions

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/versions/renovate"
)

// Pin is where a version is pinned.
type Pin struct {
	File string
	// Pattern matches exactly once; its group is the version.
	Pattern string
}

// Component is one row of the table.
type Component struct {
	Name string
	// Minor is the version of Kubernetes that the component goes with; such a one is in docs/configuration.md. Empty: all.
	Minor string
	Pin   Pin
	// Product is the name in end-of-life.yaml; empty: upstream announces no dates.
	Product string
	// Manual is why no rule of renovate.json proposes versions; empty: one does.
	Manual string
}

// Find returns the version and the bytes of the file that hold it.
func (p Pin) Find(root string) (version string, start, end int, err error) {
	content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.File)))
	if err != nil {
		return "", 0, 0, fmt.Errorf("%w; correct the pin in internal/versions/components.go", err)
	}
	pattern, err := regexp.Compile(p.Pattern)
	if err != nil {
		return "", 0, 0, err
	}
	found := pattern.FindAllSubmatchIndex(content, -1)
	if len(found) != 1 || len(found[0]) != 4 {
		return "", 0, 0, fmt.Errorf("%s: %q must match once with one group, got %d matches; correct the pin in internal/versions/components.go", p.File, p.Pattern, len(found))
	}
	start, end = found[0][2], found[0][3]
	return string(content[start:end]), start, end, nil
}

// Proposed returns the rules of renovate.json that find one of the pins, and an error for each pin that is not found by
// exactly one rule, with a name and a source to ask.
func Proposed(root string, pins []Pin) (rules map[string]bool, err error) {
	c, err := renovate.Load(root)
	if err != nil {
		return nil, err
	}
	rules = map[string]bool{}
	var errs []error
	for _, pin := range pins {
		_, start, end, err := pin.Find(root)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found, err := c.One(pin.File, start, end)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		rules[found.Rule] = true
	}
	return rules, errors.Join(errs...)
}

// Version is the pinned version as people write it.
func (c Component) Version(root string) (string, error) {
	version, _, _, err := c.Pin.Find(root)
	return dotted(version), err
}

// life is what upstream says of the end of a release line.
type life struct {
	// Cycle is the start of the versions that it is about; empty: all.
	Cycle string `json:"cycle"`
	// Date is the last day of support, YYYY-MM-DD; empty if Says has it.
	Date   string `json:"date"`
	Says   string `json:"says"`
	Source string `json:"source"`
	// Seen is the day of the source's text that was read.
	Seen string `json:"seen"`
}

//go:embed end-of-life.yaml
var lives []byte

// loadLives reads end-of-life.yaml by product.
func loadLives() (map[string][]life, error) {
	var all map[string][]life
	if err := yaml.UnmarshalStrict(lives, &all); err != nil {
		return nil, fmt.Errorf("internal/versions/end-of-life.yaml: %w", err)
	}
	return all, nil
}

// of returns what is known of a product's version: the longest cycle that it begins with.
func of(all []life, version string) (life, bool) {
	best, found := life{}, false
	version = strings.TrimPrefix(version, "v")
	for _, l := range all {
		if (version == l.Cycle || strings.HasPrefix(version, l.Cycle+".") || l.Cycle == "") && (!found || len(l.Cycle) > len(best.Cycle)) {
			best, found = l, true
		}
	}
	return best, found
}

// Document returns docs/versions.md.
func Document(root string) ([]byte, error) {
	ends, err := loadLives()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(head)
	for _, c := range Components() {
		if c.Minor != "" {
			continue
		}
		version, err := c.Version(root)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.Name, version, end(c, ends, version))
	}
	return []byte(b.String()), nil
}

// constantVersion is a version as Go constants have it.
var constantVersion = regexp.MustCompile(`^\d+(_\d+)+$`)

// dotted writes a version of a Go constant, 8_4_10, as everybody else does.
func dotted(version string) string {
	if constantVersion.MatchString(version) {
		return strings.ReplaceAll(version, "_", ".")
	}
	return version
}

// end is the cell of the end of life.
func end(c Component, ends map[string][]life, version string) string {
	l, known := of(ends[c.Product], version)
	switch {
	case c.Product == "":
		return "not announced"
	case !known:
		return "not known for this version: add it to internal/versions/end-of-life.yaml"
	}
	when := l.Date
	if when == "" {
		when = l.Says
	} else if l.Says != "" {
		when += ", " + l.Says
	}
	return fmt.Sprintf("%s ([source](%s), %s)", when, l.Source, l.Seen)
}

const head = `# Versions

Generated by ` + "`make golden`" + ` from the files that pin the versions (` + "`internal/versions/components.go`" + ` says where); do not edit.

The versions are the newest supported ones. Charts are downloaded by ` + "`gitops manifests validate`" + `; without a network a test of
their values passes them by, and says so. Schemas, and charts where a repository is out of reach, come from the Go modules of
` + "`internal/manifests/modules/go.mod`" + `, which may be older: a test holds that both versions of a chart have every value that
is set, that the rendered objects fit their schemas, and that both serve the API versions that the manifests use.

` + "`renovate.json`" + ` proposes new versions; a test holds that one of its rules finds each pin. Add-ons of EKS and images of
nodes go with [the version of Kubernetes](configuration.md#kubernetes-versions): Renovate proposes add-ons where it has AWS
credentials with eks:DescribeAddonVersions, and ` + "`hack/eks-versions`" + ` prints both. Go libraries are in ` + "`go.mod`" + `.

An end of life has its source, and the day of the source's text that was read.

| Component | Version | End of life |
|---|---|---|
`
