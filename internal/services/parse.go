package services

import (
	"path"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// Parse reads one service file. The name of the service is the name of the file. What is wrong across files, Load finds.
func Parse(file string, content []byte) (Service, config.Problems) {
	name := strings.TrimSuffix(path.Base(file), ".yaml")
	d := &decoder{file: file, lines: map[string]int{}}
	var doc document
	d.document(content, &doc)
	s := Service{Name: name, File: file, Settings: doc.Settings, Environments: doc.Environments, Registration: doc.Registration, lines: d.lines}
	r := &rules{service: s, problems: d.problems}
	r.name()
	// A file that is not understood gives no second problem for what is missing.
	if len(d.problems) == 0 {
		r.settings("", s.Settings)
		for environment, difference := range s.Environments {
			r.settings("environments."+environment, difference.Settings)
		}
		r.registration()
	}
	return s, r.problems.Sorted()
}

// ParseConfig reads fleet.yaml.
func ParseConfig(content []byte) (Config, config.Problems) {
	d := &decoder{file: ConfigFile, lines: map[string]int{}}
	var c Config
	d.document(content, &c)
	if len(d.problems) > 0 {
		return c, d.problems.Sorted()
	}
	d.config(c)
	return c, d.problems.Sorted()
}
